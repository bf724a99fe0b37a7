"""Which workloads stand behind which hosts: what an AuthorizationPolicy leaves to the cluster, and a user must say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from policies.authoring.istio.resource import AuthorizationPolicy
from policies.engine.host import HostPattern
from policies.language.wording import quoted

_FORM = "write HOST=NAMESPACE, or HOST=NAMESPACE,LABEL=VALUE with the labels of its pods"
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9._/-]{1,317}=[A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Workload:
    """The pods that requests for `host` reach: their namespace, and all of their labels that policies may ask for."""

    host: str
    namespace: str
    labels: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> "Workload":
        """From `HOST=NAMESPACE[,LABEL=VALUE]…`. Raises ValueError with what to write instead."""
        host, equals, rest = text.partition("=")
        namespace, *labels = rest.split(",")
        if not equals or not _NAMESPACE.fullmatch(namespace) or not all(map(_LABEL.fullmatch, labels)):
            raise ValueError(f"{quoted(text)} does not say which workload is behind a host; {_FORM}")
        pattern = HostPattern.parse(host)
        if pattern.depth:
            raise ValueError(f"{quoted(host)}: a workload is behind single hosts; name each of them")
        return cls(pattern.suffix, namespace, dict(label.split("=") for label in labels))

    def is_selected_by(self, policy: AuthorizationPolicy, root_namespace: str) -> bool:
        """Whether `policy` applies to it: its namespace, or the root one, and every label that is asked for."""
        if policy.namespace not in {self.namespace, root_namespace}:
            return False
        return all(self.labels.get(name) == value for name, value in policy.labels.items())

    def __str__(self) -> str:
        """As it is parsed."""
        return f"{self.host}={','.join([self.namespace, *(f'{name}={value}' for name, value in self.labels.items())])}"
