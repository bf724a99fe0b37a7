"""Kubernetes resources as text that people can review: one document each, with a comment that says what it is for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent

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
        lines += [*(["---"] if lines else []), *comment_lines(manifest.comment, 0), _dumped(manifest.resource)]
        if manifest.rules:
            lines.append("  rules:")
        for comment, rule in manifest.rules or ():
            lines += [*comment_lines(comment, 4), indent(_dumped([rule]), "    ")]
    return "\n".join([*lines, ""])


def _dumped(value: object) -> str:
    return yaml.dump(value, Dumper=_Careful, sort_keys=False, default_flow_style=None, width=_WIDTH).rstrip("\n")


class _Careful(yaml.SafeDumper):
    """Without anchors, and with quotes around what any reader of YAML may take for something else than a text.

    Kubernetes reads `1e3` as a number and `n` as false, which the rules of PyYAML would leave without quotes.
    """

    def ignore_aliases(self, data: object) -> bool:
        """Always: a list that stands in two places is written twice."""
        return True


# Whatever does not begin with a letter has no plain form, unless it is the number or truth value that it looks like.
_Careful.add_implicit_resolver("tag:peergate:odd", re.compile(rf"(?!{_WORD}\Z)", re.DOTALL), None)
