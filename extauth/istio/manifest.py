"""Kubernetes resources as text that people can review: one document each, with a comment that says what it is for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from policies.authoring.istio.exporting.exporting import Pods
from policies.authoring.istio.text import comment_lines

#: Characters of a line before a list is written over several.
_WIDTH = 120
#: What stands without quotes: no number, and longer than `y` and `n`.
_WORD = r"[A-Za-z/][A-Za-z0-9._/-]+"
Resource = dict[str, object]
SECURITY, NETWORKING = "security.istio.io/v1", "networking.istio.io/v1alpha3"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A resource. `rules`: those of an AuthorizationPolicy, each with a comment; None where there are none."""

    comment: str
    resource: Resource
    rules: Sequence[tuple[str, Mapping[str, object]]] | None = None


def named(api: str, kind: str, name: str, pods: Pods, spec: Resource, *, selector: str = "selector") -> Resource:
    """A resource of `pods`; `selector`: how its kind calls what selects them."""
    labels = "matchLabels" if selector == "selector" else "labels"
    selected: Resource = {selector: {labels: dict(pods.labels)}} if pods.labels else {}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": pods.namespace},
        "spec": {**selected, **spec},
    }


def text_from_manifests(head: str, manifests: Iterable[Manifest]) -> str:
    """All documents after a comment, if there is one; equal manifests give equal text."""
    lines = comment_lines(head, 0) if head else []
    for manifest in manifests:
        lines += [*(["---"] if lines else []), *comment_lines(manifest.comment, 0), *_documented(manifest)]
    return "\n".join([*lines, ""])


def _documented(manifest: Manifest) -> list[str]:
    """The lines of a resource, with the comment of each rule before it."""
    if not manifest.rules:
        return _dumped(manifest.resource)
    spec = manifest.resource["spec"]
    rules = [rule for _, rule in manifest.rules]
    whole = {**manifest.resource, "spec": {**(spec if isinstance(spec, dict) else {}), "rules": rules}}
    comments = iter(comment for comment, _ in manifest.rules)
    lines: list[str] = []
    for line in _dumped(whole):
        # Rules are the only items that stand so far out.
        lines += [*(comment_lines(next(comments), 2) if line.startswith("  - ") else ()), line]
    return lines


def _dumped(resource: Resource) -> list[str]:
    text = yaml.dump(resource, Dumper=_Careful, sort_keys=False, default_flow_style=None, width=_WIDTH)
    return text.rstrip("\n").split("\n")


class _Careful(yaml.SafeDumper):
    """Without anchors, and with quotes around what any reader of YAML may take for something else than a text.

    Kubernetes reads `1e3` as a number and `n` as false, which the rules of PyYAML would leave without quotes.
    """

    def ignore_aliases(self, data: object) -> bool:
        """Always: a list that stands in two places is written twice."""
        return True


# Whatever does not begin with a letter has no plain form, unless it is the number or truth value that it looks like.
_Careful.add_implicit_resolver("tag:peergate:odd", re.compile(rf"(?!{_WORD}\Z)", re.DOTALL), None)
