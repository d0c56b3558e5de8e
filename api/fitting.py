"""Whether a configuration fits the JSON schema of the plugin that it is for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec

from domain import refusals

_WRITTEN: Final[dict[str, Any]] = {
    "base64": bytes,
    "date": date,
    "date-time": Annotated[datetime, msgspec.Meta(tz=True)],
    "decimal": Decimal,
    "duration": timedelta,
    "time": Annotated[time, msgspec.Meta(tz=True)],
    "uuid": UUID,
}
"""What msgspec writes as text, by its word for it in a schema."""


def fits(config: str, schema: str) -> None:
    """Raise refusals.Invalid with the field that does not fit, and why.

    A `pattern` is left to the plugin's own process: it may take for ever, and here all would wait.
    """
    try:
        error = _worst(msgspec.json.decode(config), msgspec.json.decode(schema))
    except RecursionError as reason:
        raise refusals.Invalid("config", None, "is nested too deeply") from reason
    except msgspec.ValidationError as reason:
        raise refusals.Invalid("config", None, f"cannot be read: {reason}") from reason
    if error is not None:
        field = ".".join(("config", *map(str, error.absolute_path)))
        raise refusals.Invalid(field, error.instance, f"does not fit: {error.message[:300]}")


def _worst(config: Any, schema: Any) -> Any:
    """What fits least, if anything does not."""
    from jsonschema import validators  # noqa: PLC0415  half a megabyte, and rarely asked
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    basic = validators.Draft202012Validator
    asked: dict[str, Any] = dict.fromkeys(("pattern", "patternProperties"), _unasked)
    asked |= dict.fromkeys(("format", "contentEncoding"), _written)
    types = basic.TYPE_CHECKER.redefine("integer", _is_integer)
    kind = validators.extend(basic, asked, type_checker=types)  # type: ignore[no-untyped-call]
    return best_match(kind(schema).iter_errors(config))


def _written(_: object, word: str, value: Any, __: object) -> Iterator[Any]:
    """Whether a text is read as what it is to be: by msgspec, as when the plugin runs."""
    from jsonschema import ValidationError  # noqa: PLC0415

    if word in _WRITTEN and isinstance(value, str):
        try:
            msgspec.convert(value, _WRITTEN[word])
        except msgspec.ValidationError as reason:
            yield ValidationError(f"{value!r} is no {word}: {reason}")


def _is_integer(_: object, value: object) -> bool:
    """JSON Schema takes 1.0 for one, msgspec does not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _unasked(*_: object) -> tuple[()]:
    return ()
