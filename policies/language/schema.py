"""Tables -> JSON Schema (2020-12), for editors: completion, hover texts, and most mistakes while typing.

An editor decides types as YAML does: it sees `1` and `true` as a number and a boolean where the reader keeps text. So a
text may be any of them here, and a word such as `1` is listed in both forms. No policy that loads is refused by the
schema; what the schema does not catch, `policy check` does.
"""

from typing import Any

from policies.language.names import NAME_PATTERN, RESERVED_NAMES, Name
from policies.language.node import Mapping, Node, Scalar, Sequence
from policies.language.policy_table import POLICY
from policies.language.problem import Problems
from policies.language.shape import Entries, Later, Made, Many, OneOrMany, Shape, Text, TextOr
from policies.language.table import Field, Fields, Records
from policies.language.yaml_text import node_from_bytes

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALAR_TYPES = ["string", "number", "boolean"]
_TYPED_WORDS: dict[str, int | bool] = {"1": 1, "true": True, "false": False}


def policy_schema() -> Schema:
    """The JSON Schema of a policy file, ready for `json.dumps`."""
    return schema_from_fields(POLICY, "peergate policy")


def schema_from_fields(fields: Fields[Any], title: str) -> Schema:
    """The JSON Schema of the documents that `fields` reads. Mappings with fixed keys are definitions by their title."""
    definitions: dict[str, Schema] = {}
    reference = _schema(fields, definitions)
    return {"$schema": _DIALECT, "title": title, **reference, "$defs": definitions}


def _schema(shape: Shape[Any], definitions: dict[str, Schema]) -> Schema:
    match shape:
        case Text(words=words, empty=empty):
            return _text(words, empty=empty)
        case Name(defines=defines):
            return {"type": _SCALAR_TYPES, **_name(defines=defines)}
        case OneOrMany(of=item, empty=empty):
            one = _schema(item, definitions)
            return {"anyOf": [one, _array(one, empty=empty)]}
        case Many(of=item, empty=empty):
            return _array(_schema(item, definitions), empty=empty)
        case TextOr(text=text, mapping=mapping):
            return {"anyOf": [_schema(text, definitions), _schema(mapping, definitions)]}
        case Made(of=of):
            return _schema(of, definitions)
        case Later(shape=later):
            return _schema(later(), definitions)
        case Entries(key=key, value=value):
            return _object(key, _schema(value, definitions))
        case Records(key=key, fields=fields):
            return _object(key, _schema(fields, definitions))
        case Fields():
            return _reference(shape, definitions)
        case _:
            raise TypeError(f"no JSON Schema for {type(shape).__name__}")


def _text(words: tuple[str, ...], *, empty: bool) -> Schema:
    if words:
        return {"enum": [*words, *(_TYPED_WORDS[word] for word in words if word in _TYPED_WORDS)]}
    return {"type": [*_SCALAR_TYPES, "null"]} if empty else {"type": _SCALAR_TYPES, "minLength": 1}


def _name(*, defines: bool) -> Schema:
    pattern = {"pattern": f"^{NAME_PATTERN}$"}
    return {**pattern, "not": {"enum": list(RESERVED_NAMES)}} if defines else pattern


def _array(item: Schema, *, empty: bool) -> Schema:
    return {"type": "array", "items": item, **({} if empty else {"minItems": 1})}


def _object(key: Shape[Any], value: Schema) -> Schema:
    names = _name(defines=key.defines) if isinstance(key, Name) else {"minLength": 1}
    return {"type": "object", "propertyNames": names, "additionalProperties": value, "minProperties": 1}


def _reference(fields: Fields[Any], definitions: dict[str, Schema]) -> Schema:
    if fields.title not in definitions:
        # Entered before it is filled: a selector holds selectors.
        definition = definitions[fields.title] = {}
        definition.update(_definition(fields, definitions))
    return {"$ref": f"#/$defs/{fields.title}"}


def _definition(fields: Fields[Any], definitions: dict[str, Schema]) -> Schema:
    definition: Schema = {
        "type": "object",
        "properties": {each.key: _property(each, definitions) for each in fields.fields},
        "additionalProperties": False,
        "minProperties": 1,
    }
    required = [each.key for each in fields.fields if each.required]
    if required:
        definition["required"] = required
    if fields.one_of:
        definition["oneOf"] = [{"required": [key]} for key in fields.one_of]
    return definition


def _property(each: Field, definitions: dict[str, Schema]) -> Schema:
    examples = [_value_from_yaml(each.shape.example)]
    return {"description": each.description, **_schema(each.shape, definitions), "examples": examples}


def _value_from_yaml(example: str) -> Any:
    node = node_from_bytes("example", example.encode(), Problems())
    if node is None:
        raise ValueError(f"not an example in YAML: {example}")
    return _value_from_node(node)


def _value_from_node(node: Node) -> Any:
    match node:
        case Scalar(text):
            return _TYPED_WORDS.get(text, text)
        case Sequence(items):
            return [_value_from_node(item) for item in items]
        case Mapping(entries):
            return {key.text: _value_from_node(value) for key, value in entries}
    raise TypeError(f"no value in {node}")
