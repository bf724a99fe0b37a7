"""The JSON Schema for editors: takes what the reader takes, and says what it means."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from policies.language.names import Name
from policies.language.policy_table import POLICY
from policies.language.reading import document_from_bytes
from policies.language.schema import policy_schema
from policies.language.shape import Entries, Later, Made, Many, OneOrMany, Shape, Text, TextOr
from policies.language.table import Field, Fields, Records
from tests.language.texts import EXAMPLE, codes

SCHEMA = policy_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


class EditorLoader(yaml.SafeLoader):
    """Decides types as the YAML language server does (YAML 1.2 core): numbers and booleans, but no dates."""


EditorLoader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in resolvers if not tag.endswith((":timestamp", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def accepts(value: object) -> bool:
    return bool(VALIDATOR.is_valid(value))


def as_editor(text: str) -> Any:
    return yaml.load(text, Loader=EditorLoader)


def test_it_is_a_valid_schema_of_its_dialect() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_it_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_example_of_the_design_is_valid() -> None:
    assert list(VALIDATOR.iter_errors(as_editor(EXAMPLE.decode()))) == []


@pytest.mark.parametrize("version", ["1", '"1"'])
@pytest.mark.parametrize("strict", ["true", "false", '"true"'])
def test_numbers_and_booleans_of_an_editor_are_the_words_of_the_language(version: str, strict: str) -> None:
    text = f"version: {version}\nstrict_sni: {strict}\n"
    assert codes(text) == []
    assert accepts(as_editor(text))


@pytest.mark.parametrize(
    "line",
    [
        "rules: []",
        "rule: []",
        "identities: {any: {dns: a}}",
        "identities: {a b: {dns: a}}",
        "identities: {a: {}}",
        "identities: {a: {ip: 10.0.0.0/8}}",
        "identities: {a: {any: {dns: b}}}",
        "identities: {a: {any: [{dns: b, dsn: c}]}}",
        'identities: {a: {dns: ""}}',
        "routes: {a: {hosts: []}}",
        "routes: {a: {paths: [[/a]]}}",
        "rules: [{id: a, to: any}]",
        "rules: [{id: a, allow: b, deny: c, to: any}]",
        "rules: [{id: a, allow: b}]",
        "rules: [{id: a, allow: 'spiffe://a/b', to: any}]",
        "rules: [{id: anyone, allow: b, to: any}]",
        "rules: [{id: a, allow: b, to: any, mode: observe}]",
        "rules: [{id: a, allow: b, to: any, when: {days: [monday]}}]",
        "trust: {a: {crls: []}}",
        "trust: {a: {anchors: b.pem, revocation: always}}",
        "trust: {a: {anchors: b.pem, crls: [{uri: c}]}}",
        "zones: {a: {b: c}}",
        "strict_sni: yes please",
        "scope: {}",
    ],
)
def test_a_wrong_policy_is_refused(line: str) -> None:
    assert not accepts(as_editor(f"version: 1\n{line}\n"))


@pytest.mark.parametrize("text", ["version: 2", "version: 1.1", "version: true", "strict_sni: true", "[]", "text"])
def test_what_is_no_policy_of_version_1_is_refused(text: str) -> None:
    assert not accepts(as_editor(text))


def properties() -> dict[str, dict[str, Any]]:
    return {
        f"{title}.{key}": value for title, each in SCHEMA["$defs"].items() for key, value in each["properties"].items()
    }


@pytest.mark.parametrize("name", properties())
def test_every_key_has_a_description_and_a_valid_example(name: str) -> None:
    shown = properties()[name]
    assert shown["description"]
    validator = Draft202012Validator({**shown, "$defs": SCHEMA["$defs"]})
    assert [example for example in shown["examples"] if not validator.is_valid(example)] == []


TEXTS = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True).filter(lambda text: text not in {"any", "anyone"})


def values(shape: Shape[Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Anything that a shape takes."""
    match shape:
        case Text(words=words):
            return st.sampled_from(words) if words else TEXTS
        case Name():
            return TEXTS
        case OneOrMany(of=item):
            return values(item, depth) | st.lists(values(item, depth), min_size=1, max_size=2)
        case Many(of=item):
            return st.lists(values(item, depth), min_size=1, max_size=2)
        case TextOr(text=text, mapping=mapping):
            return values(text, depth) | values(mapping, depth) if depth < 6 else values(text, depth)
        case Made(of=of):
            return values(of, depth)
        case Later(shape=later):
            return values(later(), depth + 2)
        case Entries(value=value):
            return st.dictionaries(TEXTS, values(value, depth), min_size=1, max_size=2)
        case Records(fields=fields):
            return st.dictionaries(TEXTS, values(fields, depth), min_size=1, max_size=2)
        case Fields():
            return tables(shape, depth)
        case _:
            raise TypeError(type(shape))


def later_values(each: Field, depth: int) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: values(each.shape, depth + 1))


def tables(fields: Fields[Any], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required = {each.key for each in fields.fields if each.required}
    strategies = {each.key: later_values(each, depth) for each in fields.fields}

    def with_keys(drawn: tuple[set[str], str | None]) -> st.SearchStrategy[dict[str, Any]]:
        optional, chosen = drawn
        keys = (required | optional) - set(fields.one_of) | ({chosen} if chosen else set())
        return st.fixed_dictionaries({key: strategies[key] for key in sorted(keys or {fields.fields[0].key})})

    optional = st.sets(st.sampled_from(sorted(strategies)), max_size=3)
    chosen: st.SearchStrategy[str | None] = st.sampled_from(fields.one_of) if fields.one_of else st.none()
    return st.tuples(optional, chosen).flatmap(with_keys)


POLICIES = values(POLICY)


def reader_accepts(policy: object) -> bool:
    document, problems = document_from_bytes("p", json.dumps(policy).encode())
    return document is not None and problems == ()


@settings(deadline=None)
@given(POLICIES)
def test_reader_and_schema_take_the_same_policies(policy: dict[str, Any]) -> None:
    assert reader_accepts(policy)
    assert accepts(policy)


def mappings_and_lists(value: object) -> list[Any]:
    if isinstance(value, dict):
        return [value, *(inner for item in value.values() for inner in mappings_and_lists(item))]
    if isinstance(value, list):
        return [value, *(inner for item in value for inner in mappings_and_lists(item))]
    return []


@settings(deadline=None)
@given(POLICIES, st.data())
def test_reader_and_schema_refuse_the_same_spoilt_policies(policy: dict[str, Any], data: st.DataObject) -> None:
    """One mapping or list anywhere is emptied, or holds one value of a kind that stands nowhere in the language."""
    spoilt = data.draw(st.sampled_from(mappings_and_lists(policy)))
    impossible: list[list[object]] = [[]]
    if isinstance(spoilt, list):
        spoilt[:] = data.draw(st.sampled_from([[], [*spoilt, ""], [*spoilt, impossible]]))
    elif data.draw(st.booleans()):
        spoilt[data.draw(st.sampled_from(sorted(spoilt)))] = data.draw(st.sampled_from(["", [], {}, impossible]))
    else:
        spoilt[data.draw(st.sampled_from(["", "Unknown_key"]))] = impossible
    assert reader_accepts(policy) == accepts(policy)


@pytest.mark.parametrize("title", SCHEMA["$defs"])
def test_the_schema_of_a_table_allows_no_other_keys(title: str) -> None:
    assert SCHEMA["$defs"][title]["additionalProperties"] is False
