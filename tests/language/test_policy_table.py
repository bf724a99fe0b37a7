"""The tables of the language: complete, described, and in step with the documents that they make."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from policies.language.document import (
    OcspDocument,
    PolicyDocument,
    RouteDocument,
    RuleDocument,
    ScopeDocument,
    SelectorDocument,
    TrustDocument,
    UrlDocument,
    WhenDocument,
    WorkloadApiDocument,
)
from policies.language.node import Scalar
from policies.language.policy_table import POLICY
from policies.language.problem import Problems
from policies.language.shape import Entries, Later, Made, Many, OneOrMany, TextOr
from policies.language.suggestion import Vocabulary
from policies.language.table import Field, Fields, Records
from policies.language.yaml_text import node_from_bytes

MADE: dict[str, type] = {
    "policy": PolicyDocument,
    "trust_entry": TrustDocument,
    "crl_url": UrlDocument,
    "workload_api": WorkloadApiDocument,
    "ocsp": OcspDocument,
    "identity": SelectorDocument,
    "selector": SelectorDocument,
    "route": RouteDocument,
    "named_route": RouteDocument,
    "rule": RuleDocument,
    "when": WhenDocument,
    "scope": ScopeDocument,
}
#: Tables that make something with a name.
NAMED = {"trust_entry", "identity", "named_route"}


def tables(shape: object, seen: dict[str, Fields[Any]]) -> dict[str, Fields[Any]]:
    """Every table that is reached from a shape, by its title."""
    match shape:
        case Fields(title=title, fields=fields) if title not in seen:
            seen[title] = shape
            for each in fields:
                tables(each.shape, seen)
        case OneOrMany(of=of) | Many(of=of) | Made(of=of):
            tables(of, seen)
        case TextOr(mapping=mapping):
            tables(mapping, seen)
        case Entries(value=value):
            tables(value, seen)
        case Records(fields=fields):
            tables(fields, seen)
        case Later(shape=later):
            tables(later(), seen)
    return seen


TABLES = tables(POLICY, {})


def every_field() -> Iterator[tuple[str, Field]]:
    for title, table in TABLES.items():
        for each in table.fields:
            yield f"{title}.{each.key}", each


FIELDS = dict(every_field())


def test_every_document_has_its_table() -> None:
    assert TABLES.keys() == MADE.keys()


@pytest.mark.parametrize("title", MADE)
def test_a_table_has_the_fields_of_its_document(title: str) -> None:
    own = {"at", "name"} if title != "policy" else {"file"}
    attributes = {field.name for field in dataclasses.fields(MADE[title])} - own
    assert {each.attribute for each in TABLES[title].fields} == attributes


def test_the_keys_of_a_file_are_those_of_the_design() -> None:
    keys = "version trust zones identities routes rules scope strict_sni mode"
    assert " ".join(each.key for each in POLICY.fields) == keys


@pytest.mark.parametrize("name", FIELDS)
def test_every_key_is_described_in_whole_sentences(name: str) -> None:
    assert FIELDS[name].description.endswith(".")
    assert "  " not in FIELDS[name].description


@pytest.mark.parametrize("name", FIELDS)
def test_every_example_is_accepted_by_its_own_key(name: str) -> None:
    problems = Problems()
    node = node_from_bytes("p", FIELDS[name].shape.example.encode(), problems)
    assert node is not None
    FIELDS[name].shape.read(node, name, problems)
    assert problems.sorted() == ()


@pytest.mark.parametrize("title", sorted(MADE.keys() - {"policy"}))
def test_the_example_of_a_table_is_accepted_by_it(title: str) -> None:
    problems = Problems()
    node = node_from_bytes("p", TABLES[title].example.encode(), problems)
    assert node is not None
    if title in NAMED:
        TABLES[title].read_named(Scalar("x", "p", 1, 1), node, problems)
    else:
        TABLES[title].read(node, title, problems)
    assert problems.sorted() == ()


@pytest.mark.parametrize("title", MADE)
def test_a_hint_is_only_for_what_is_no_key(title: str) -> None:
    assert not {each.key for each in TABLES[title].fields} & TABLES[title].hints.keys()


@pytest.mark.parametrize("name", FIELDS)
def test_every_key_is_found_after_its_last_letter_is_forgotten(name: str) -> None:
    title, key = name.split(".")
    vocabulary = Vocabulary(each.key for each in TABLES[title].fields)
    assert vocabulary.nearest(key[:-1] + "~") is not None
