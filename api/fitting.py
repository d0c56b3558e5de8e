"""Whether a configuration fits the JSON schema of the plugin that it is for."""

from __future__ import annotations

import msgspec

from domain import refusals


def fits(config: str, schema: str) -> None:
    """Raise refusals.Invalid with the field that does not fit, and why."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  half a megabyte, and rarely asked
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    validator = Draft202012Validator(msgspec.json.decode(schema))
    error = best_match(validator.iter_errors(msgspec.json.decode(config)))
    if error is not None:
        field = ".".join(("config", *map(str, error.absolute_path)))
        raise refusals.Invalid(field, error.instance, f"does not fit: {error.message[:300]}")
