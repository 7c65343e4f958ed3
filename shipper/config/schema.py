"""JSON Schema of agent.yaml, made from the structs of the model: what decode.py takes, an editor takes too.

Owns the translation of types, nothing else: what a value must be beyond its
type (a pattern that compiles, a zone that exists) only `load` can say. Drafts:
2020-12.
"""

from __future__ import annotations

import inspect as python_inspect
import re
from typing import Final

import msgspec
from msgspec import inspect

from shipper.config.model import Document
from shipper.config.units import DURATION_PATTERN, SIZE_PATTERN, duration_text, size_text
from shipper.config.value_types import UNIT

Schema = dict[str, object]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)
# A reference may stand for a value of any type; what it leads to is only known when the file is loaded.
_REFERENCE: Final[Schema] = {"type": "string", "pattern": r"\$\{"}
_NULL: Final[Schema] = {"type": "null"}
# A bare number or truth value where a text is asked for is taken as it is written.
_TEXT: Final[Schema] = {"type": ["string", "number", "boolean"]}


def document_schema() -> Schema:
    """Return the schema of agent.yaml."""
    described = inspect.type_info(Document)
    if not isinstance(described, inspect.StructType):
        raise TypeError("the model of agent.yaml is no struct")
    definitions: dict[str, Schema] = {}
    root = _struct(described, definitions)
    return {"$schema": DIALECT, "title": "agent.yaml", **root, "$defs": dict(sorted(definitions.items()))}


def _struct(as_type: inspect.StructType, definitions: dict[str, Schema]) -> Schema:
    texts = _descriptions(as_type.cls)
    properties: dict[str, Schema] = {}
    for field in as_type.fields:
        value = _value(field.type, definitions)
        shown = {"description": texts[field.name], **value}
        # An empty value is the same as none, as long as there is a default.
        properties[field.encode_name] = shown if field.required else {**_or_null(shown), **_default(field)}
    schema: Schema = {
        "description": (as_type.cls.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    required = [field.encode_name for field in as_type.fields if field.required]
    return {**schema, "required": required} if required else schema


def _descriptions(struct: type) -> dict[str, str]:
    paragraph = python_inspect.cleandoc(struct.__doc__ or "").partition("Attributes:\n")[2]
    return {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(paragraph)}


def _value(as_type: inspect.Type, definitions: dict[str, Schema], unit: str = "") -> Schema:
    if isinstance(as_type, inspect.Metadata):
        return _value(as_type.type, definitions, str((as_type.extra or {}).get(UNIT, "")))
    if isinstance(as_type, inspect.StructType):
        name = as_type.cls.__name__
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = _struct(as_type, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if isinstance(as_type, inspect.VarTupleType):
        return {"type": "array", "items": _value(as_type.item_type, definitions)}
    if isinstance(as_type, inspect.DictType):
        return {"type": "object", "additionalProperties": _value(as_type.value_type, definitions)}
    if isinstance(as_type, inspect.UnionType):
        return _union(as_type, definitions, unit)
    return _scalar(as_type, unit)


def _union(as_type: inspect.UnionType, definitions: dict[str, Schema], unit: str) -> Schema:
    choices = [choice for choice in as_type.types if not isinstance(choice, inspect.NoneType)]
    schemas = [_value(choice, definitions, unit) for choice in choices]
    schema: Schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return schema if len(choices) == len(as_type.types) else _or_null(schema)


def _scalar(as_type: inspect.Type, unit: str) -> Schema:
    if isinstance(as_type, inspect.StrType):
        return dict(_TEXT)
    if isinstance(as_type, inspect.LiteralType):
        words: Schema = {"enum": [*as_type.values, *((True, False) if unit == "switch" else ())]}
        return {"anyOf": [words, _REFERENCE]}
    if isinstance(as_type, inspect.BoolType):
        return {"anyOf": [{"type": "boolean"}, _REFERENCE]}
    if isinstance(as_type, inspect.FloatType):
        zero: list[Schema] = [] if (as_type.ge or 0) > 0 else [{"const": 0}]
        return {"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, *zero, _REFERENCE]}
    if isinstance(as_type, inspect.IntType):
        text: list[Schema] = [{"type": "string", "pattern": SIZE_PATTERN}] if unit == "size" else []
        least = 0 if as_type.ge is None and unit == "size" else as_type.ge
        bounds = {"minimum": least, "maximum": as_type.le}
        number: Schema = {"type": "integer", **{name: bound for name, bound in bounds.items() if bound is not None}}
        return {"anyOf": [number, *text, _REFERENCE]}
    raise TypeError(f"the model has a type that the schema does not know: {as_type}")


def _or_null(schema: Schema) -> Schema:
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        return schema if _NULL in choices else {**schema, "anyOf": [*choices, _NULL]}
    beside = {name: value for name, value in schema.items() if name == "description"}
    bare = {name: value for name, value in schema.items() if name != "description"}
    return {**beside, "anyOf": [bare, _NULL]}


def _default(field: inspect.Field) -> Schema:
    value = field.default
    if value is msgspec.NODEFAULT or value is None or not isinstance(value, str | int | float):
        return {}
    if isinstance(value, float):
        return {"default": duration_text(value)}
    is_size = isinstance(field.type, inspect.Metadata) and (field.type.extra or {}).get(UNIT) == "size"
    return {"default": size_text(value) if is_size and isinstance(value, int) else value}
