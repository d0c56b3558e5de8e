"""JSON schemas of our structs, as msgspec reads and writes them.

msgspec's own generator says neither that our Decimals are numbers nor that our datetimes have
an offset, and the framework's neither that unknown fields are refused nor what a docstring says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, get_args

import msgspec
import msgspec.inspect as kinds
from msgspec import NODEFAULT, UNSET

from domain import facts

Schema = dict[str, Any]
Mode = Literal["read", "written"]
"""Whether a struct is a body that we read, with fields left out, or an answer, always whole."""

REF = "#/components/schemas/{name}"
FIGURE = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
_LENGTHS = {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"}
_ITEMS = {"min_length": "minItems", "max_length": "maxItems"}
_KEYS = {"min_length": "minProperties", "max_length": "maxProperties"}
_NULL: Schema = {"type": "null"}
_PLAIN: dict[type[Any], Schema] = {
    kinds.NoneType: _NULL,
    kinds.BoolType: {"type": "boolean"},
    kinds.UUIDType: {"type": "string", "format": "uuid"},
    kinds.DateType: {"type": "string", "format": "date"},
    kinds.DateTimeType: {"type": "string", "format": "date-time"},
    kinds.AnyType: {},
    kinds.RawType: {},
}


class Schemas:
    """The schemas of one document; structs stand in `components`, each under its name."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._named: dict[str, tuple[Any, Mode]] = {}

    def of(self, annotation: Any, mode: Mode) -> Schema:
        """The schema of an annotation, its structs by reference."""
        return self._schema(kinds.type_info(annotation), mode)

    def _schema(self, kind: kinds.Type, mode: Mode) -> Schema:
        match kind:
            case kinds.Metadata():
                return self._schema(kind.type, mode) | (kind.extra_json_schema or {})
            case kinds.IntType() | kinds.FloatType():
                named = "integer" if isinstance(kind, kinds.IntType) else "number"
                return {"type": named} | _told(kind, _BOUNDS)
            case kinds.StrType():
                return {"type": "string"} | _told(kind, _LENGTHS)
            case kinds.DecimalType():
                return _decimal(mode)
            case kinds.LiteralType():
                text = all(isinstance(each, str) for each in kind.values)
                return {"type": "string" if text else "integer", "enum": sorted(kind.values)}
            case kinds.ListType() | kinds.VarTupleType():
                items = self._schema(kind.item_type, mode)
                return {"type": "array", "items": items} | _told(kind, _ITEMS)
            case kinds.DictType():
                values = self._schema(kind.value_type, mode)
                return {"type": "object", "additionalProperties": values} | _told(kind, _KEYS)
            case kinds.UnionType():
                return _any_of([self._schema(each, mode) for each in kind.types])
            case kinds.StructType():
                return self._struct(kind, mode)
            case _:
                return dict(_PLAIN[type(kind)])

    def _struct(self, kind: kinds.StructType, mode: Mode) -> Schema:
        if kind.cls is facts.Fact:
            return self._any_fact(mode)
        name = self._name(kind.cls, mode)
        if name not in self._named:
            self._named[name] = kind.cls, mode
            self.components[name] = self._fields(kind, mode)
        return {"$ref": REF.format(name=name)}

    def _name(self, struct: Any, mode: Mode) -> str:
        """A struct's own name; where another has taken that, also its module's."""
        name = re.sub(r"\W+", "_", _title(struct)).strip("_")
        if self._named.get(name, (struct, mode)) == (struct, mode):
            return name
        return f"{struct.__module__.rpartition('.')[2]}.{name}"

    def _fields(self, kind: kinds.StructType, mode: Mode) -> Schema:
        tag = {} if kind.tag_field is None else {kind.tag_field: {"const": kind.tag}}
        properties = tag | {
            each.encode_name: self._schema(each.type, mode) | _default(each, mode)
            for each in kind.fields
        }
        always = [each.encode_name for each in kind.fields if each.required or mode == "written"]
        schema: Schema = {
            "title": _title(kind.cls),
            "type": "object",
            "properties": properties,
            "required": [*tag, *always],
        }
        if (told := inspect.getdoc(kind.cls)) is not None:
            schema["description"] = told
        if mode == "read" and kind.forbid_unknown_fields:
            schema["additionalProperties"] = False
        return schema

    def _any_fact(self, mode: Mode) -> Schema:
        """A fact is any of those that can be stored, told apart by its `type`."""
        every = {each for kind in facts.STREAM_KINDS.values() for each in kind}
        named = sorted(every, key=lambda each: each.__name__)
        return {
            "oneOf": [self.of(each, mode) for each in named],
            "discriminator": {"propertyName": "type"},
        }


def _any_of(members: Sequence[Schema]) -> Schema:
    """What may be null says so in its own type, where it has but one."""
    plain = [each for each in members if each != _NULL]
    if len(plain) != 1 or "type" not in plain[0]:
        return {"anyOf": list(members)}
    types = plain[0]["type"]
    told = plain[0] | {"type": [*([types] if isinstance(types, str) else types), "null"]}
    return told | {"enum": [*told["enum"], None]} if "enum" in told else told


def _decimal(mode: Mode) -> Schema:
    if mode == "written":
        return {"type": "number"}
    return {"type": ["number", "string"], "pattern": FIGURE}


def _told(kind: kinds.Type, words: dict[str, str]) -> Schema:
    return {
        word: value for name, word in words.items() if (value := getattr(kind, name)) is not None
    }


def _default(field: kinds.Field, mode: Mode) -> Schema:
    if mode == "written" or field.required or field.default in (NODEFAULT, UNSET, None):
        return {}
    default = field.default
    return {"default": default if isinstance(default, Decimal) else msgspec.to_builtins(default)}


def _title(kind: Any) -> str:
    return re.sub(r"[\w.]+\.(?=\w)", "", str(kind)) if get_args(kind) else str(kind.__name__)
