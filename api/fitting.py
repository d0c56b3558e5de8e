"""Whether a configuration fits the JSON schema of the plugin that it is for."""

from __future__ import annotations

import msgspec

from domain import refusals


def fits(config: str, schema: str) -> None:
    """Raise refusals.Invalid with the field that does not fit, and why.

    A `pattern` is left to the plugin's own process: it may take for ever, and here all would wait.
    """
    from jsonschema import validators  # noqa: PLC0415  half a megabyte, and rarely asked
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    unasked = dict.fromkeys(("pattern", "patternProperties"), _unasked)
    kind = validators.extend(validators.Draft202012Validator, unasked)  # type: ignore[no-untyped-call]
    error = best_match(kind(msgspec.json.decode(schema)).iter_errors(msgspec.json.decode(config)))
    if error is not None:
        field = ".".join(("config", *map(str, error.absolute_path)))
        raise refusals.Invalid(field, error.instance, f"does not fit: {error.message[:300]}")


def _unasked(*_: object) -> tuple[()]:
    return ()
