"""What the resources of some pods are called, and how the pods are told in words."""

import re
from collections.abc import Sequence

from policies.authoring.istio.exporting.exporting import Pods

_BASE = "peergate"
#: Characters of a host that a name has: Kubernetes takes names of 253, and parts are added to these.
_MAX_CHARS = 200


def names_of_pods(pods: Sequence[Pods]) -> list[str]:
    """One name for each: of a whole namespace `peergate`, of others after their first host. All are different."""
    names: list[str] = []
    for each in pods:
        word = re.sub(r"[^a-z0-9]+", "-", each.hosts[0][:_MAX_CHARS]) if each.labels else ""
        base = f"{_BASE}-{word}".rstrip("-")
        taken = sum(name == base or name.startswith(f"{base}.") for name in names) if each.labels else 0
        names.append(f"{base}.{taken + 1}" if taken else base)
    return names


def pods_text(pods: Pods) -> str:
    """`namespace prod, app=orders`."""
    labels = ", ".join(f"{name}={value}" for name, value in pods.labels.items())
    return f"namespace {pods.namespace}, {labels or 'every pod'}"
