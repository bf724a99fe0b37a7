"""The files of deploy/, read strictly: a key that stands twice is an error, as it is to a reviewer."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
ISTIO = DEPLOY / "istio"
SYSTEMD = DEPLOY / "systemd"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"

Manifest = dict[str, Any]


class _UniqueKeys(yaml.SafeLoader):
    """SafeLoader takes the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = {key for key in keys if keys.count(key) > 1}
        if doubled:
            raise yaml.constructor.ConstructorError(None, None, f"stands twice: {sorted(doubled)}", node.start_mark)
        return super().construct_mapping(node, deep)


def documents_from_text(text: str) -> list[Manifest]:
    """Every YAML document of `text`; each must be a mapping."""
    documents = list(yaml.load_all(text, _UniqueKeys))
    assert documents
    assert all(isinstance(document, dict) for document in documents)
    return documents


def documents(path: Path) -> list[Manifest]:
    """Every document of a file."""
    return documents_from_text(path.read_text(encoding="utf-8"))


def document(path: Path) -> Manifest:
    """The one document of a file."""
    (only,) = documents(path)
    return only


def manifests(folder: Path) -> list[Manifest]:
    """The manifests that lie in a folder, without its kustomization."""
    paths = sorted(path for path in folder.glob("*.yaml") if path.name != "kustomization.yaml")
    return [manifest for path in paths for manifest in documents(path)]


def named(found: list[Manifest], kind: str, name: str) -> Manifest:
    """The one manifest of that kind and name."""
    (only,) = [one for one in found if one["kind"] == kind and one["metadata"]["name"] == name]
    return only


def container_of(deployment: Mapping[str, Any]) -> Manifest:
    """The one container of a Deployment, or of a patch of one."""
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def every_mapping(value: object) -> Iterator[Manifest]:
    """`value` and everything within it that is a mapping."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from every_mapping(item)
    elif isinstance(value, list):
        for item in value:
            yield from every_mapping(item)
