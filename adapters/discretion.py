"""What is never written down: known secrets, tokens, passwords, numbers of accounts."""

import logging
import re
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "***"
_NAMES: Final = (
    r"(?:password|passwd|passphrase|secret|api[_-]?key|private[_-]?key"
    r"|(?:access|refresh|id|api|auth|bearer)[_-]?token|authorization|credentials?)"
)
_HINTS: Final = ("pass", "secret", "key", "token", "authorization", "credential")
"""One of these stands in every name of a secret; looking for them is quicker than for names."""
_SECRET_NAME: Final = re.compile(rf"(?i)(?:{_NAMES}|^token|_token)$")
_PASSWORD_IN_URL: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_BEARER: Final = re.compile(r"(?i)(?<=bearer )[^\s\"',]+")
_NAMED: Final = re.compile(
    rf"""(?ix) (?P<name> {_NAMES} \w* \\?["']? \s* [:=] \s*)
    (?: (?P<quote> \\?["']) (?P<quoted> .*?) (?P=quote) | (?P<plain> [^\s"',;&}}\]\\]+ ) )"""
)
_ACCOUNT: Final = re.compile(
    r"(?i)(?P<name>(?:acc(?:oun)?t|hash_?value)[^\n]{0,24}?)"
    r"(?<![0-9a-z])(?P<number>[0-9a-f]{32,}|[0-9]{8,})(?![0-9a-z])"
)
_HUSHED: Final[deque[str]] = deque(maxlen=64)


def hush(*secrets: str) -> None:
    """Never log these from now on; as many as are in use at a time are remembered.

    For secrets that come while a process runs: a login's tokens, which change with the hour.
    """
    _HUSHED.extend(secret for secret in secrets if secret and secret not in _HUSHED)


class Discreet(logging.Formatter):
    """Blots out secrets in what another formatter wrote: those it was given, and the hushed.

    It stands around the other formatter, so that tracebacks and `extra` are covered too.
    """

    def __init__(self, formatter: logging.Formatter, secrets: tuple[str | None, ...] = ()) -> None:
        super().__init__()
        self._formatter = formatter
        self._secrets = tuple(secret for secret in secrets if secret)

    def format(self, record: logging.LogRecord) -> str:
        line = self._formatter.format(record)
        for secret in (*self._secrets, *_HUSHED):
            line = line.replace(secret, HIDDEN)
        return blotted(line)


def blotted(line: str) -> str:
    """A line in which whatever looks like a secret is not to be read.

    A number counts as an account's where it has 8 digits or more, or 32 hexadecimal ones, and
    stands within 24 characters of the word.
    """
    found = line.lower()
    if "://" in found:
        line = _PASSWORD_IN_URL.sub(HIDDEN, line)
    if "bearer " in found:
        line = _BEARER.sub(HIDDEN, line)
    if any(hint in found for hint in _HINTS):
        line = _NAMED.sub(_without_value, line)
    if "acc" in found or "hash" in found:
        line = _ACCOUNT.sub(rf"\g<name>{HIDDEN}", line)
    return line


def _without_value(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{found['name']}{quote}{HIDDEN}{quote}"


def without_secrets(value: Any) -> Any:
    """The same, with what stands under the name of a secret blotted out, however deep."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN
            if each is not None and isinstance(key, str) and _SECRET_NAME.search(key)
            else without_secrets(each)
            for key, each in value.items()
        }
    return [without_secrets(each) for each in value] if isinstance(value, list | tuple) else value
