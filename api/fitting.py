"""Whether a configuration fits the JSON schema of the plugin that it is for."""

from __future__ import annotations

from typing import Any

import msgspec

from domain import refusals


def fits(config: str, schema: str) -> None:
    """Raise refusals.Invalid with the field that does not fit, and why.

    A `pattern` is left to the plugin's own process: it may take for ever, and here all would wait.
    """
    try:
        error = _worst(msgspec.json.decode(config), msgspec.json.decode(schema))
    except RecursionError as reason:
        raise refusals.Invalid("config", None, "is nested too deeply") from reason
    if error is not None:
        field = ".".join(("config", *map(str, error.absolute_path)))
        raise refusals.Invalid(field, error.instance, f"does not fit: {error.message[:300]}")


def _worst(config: Any, schema: Any) -> Any:
    """What fits least, if anything does not."""
    from jsonschema import validators  # noqa: PLC0415  half a megabyte, and rarely asked
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    unasked = dict.fromkeys(("pattern", "patternProperties"), _unasked)
    kind = validators.extend(validators.Draft202012Validator, unasked)  # type: ignore[no-untyped-call]
    return best_match(kind(schema).iter_errors(config))


def _unasked(*_: object) -> tuple[()]:
    return ()
