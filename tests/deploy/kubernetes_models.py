"""Kubernetes' own word on the fields of a manifest, by the models that are generated from its OpenAPI description."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def model_of(api_version: str, kind: str) -> type:
    """The model of a built-in kind."""
    group, _, version = api_version.rpartition("/")
    module = import_module(f"lightkube.models.{(group or 'core').split('.')[0]}_{version}")
    model = getattr(module, kind)
    assert isinstance(model, type)
    return model


def mistakes(model: Any, value: object, at: str = "") -> Iterator[str]:
    """Unknown fields, missing ones, and values of another type than the model's."""
    if get_origin(model) in {Union, UnionType}:
        choices = [choice for choice in get_args(model) if choice is not type(None)]
        found = [list(mistakes(choice, value, at)) for choice in choices]
        yield from min(found, key=len)
    elif get_origin(model) is list and isinstance(value, list):
        for position, item in enumerate(value):
            yield from mistakes(get_args(model)[0], item, f"{at}[{position}]")
    elif is_dataclass(model) and isinstance(model, type) and isinstance(value, dict):
        yield from _mistakes_of_fields(model, value, at)
    elif not isinstance(value, get_origin(model) or model) or (isinstance(value, bool) and model is not bool):
        yield f"{at}: {value!r} is no {model}"


def _mistakes_of_fields(model: type, value: dict[str, object], at: str) -> Iterator[str]:
    hints = get_type_hints(model)
    known = {_json_name(one): one for one in fields(model)}
    for name, item in value.items():
        if name not in known:
            yield f"{at}.{name}: unknown"
        else:
            yield from mistakes(hints[known[name].name], item, f"{at}.{name}")
    for name, one in known.items():
        if one.default is MISSING and one.default_factory is MISSING and name not in value:
            yield f"{at}.{name}: missing"


def _json_name(one: Field[Any]) -> str:
    return str(one.metadata.get("json", one.name))
