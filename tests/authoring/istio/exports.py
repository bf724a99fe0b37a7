"""Exports for tests: a policy as text, the resources that it becomes, and what peergate and Istio decide on a call."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any

import yaml

from extauth.istio.authorization_form import authorization_form
from extauth.istio.manifest import text_from_manifests
from extauth.istio.plain_requests import LONG_METHOD, PLAIN_AUTHORITY, PLAIN_METHOD, PLAIN_TARGET, REFUSED_TARGET
from pki.authority import Authority
from policies.authoring.istio.exporting.exporting import Exported, exported_from_policy
from policies.authoring.istio.workload import Workload
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.language.load import load_policy
from policies.peer.presented import NO_CERTIFICATE
from policies.reason import Effect
from tests.authoring.istio.evaluator import Call, Pod, istio_allows
from tests.engine.callers import NOW, NoFiles, caller

DOMAIN = "acme.internal"
HEAD = f"""version: 1
trust:
  mesh: {{anchors: [mesh.pem], spiffe_trust_domain: {DOMAIN}}}
"""
WORKLOADS = ("orders.prod.svc=prod,app=orders", "web.prod.svc=prod,app=web", "w.example=prod,app=web")
Resource = dict[str, Any]


@cache
def _authority() -> Authority:
    return Authority.root("mesh")


def anchor() -> bytes:
    """The CA of every trust entry, PEM."""
    return _authority().pem


def files() -> NoFiles:
    """What policies may name: the CA under two names, and its CRL."""
    return NoFiles({"mesh.pem": anchor(), "other.pem": anchor(), "mesh.crl": _authority().crl()})


@dataclass(frozen=True)
class Export:
    """A policy and its export; `text` is None if there are problems."""

    policy: PolicySet
    exported: Exported
    text: str | None
    documents: tuple[Resource, ...] = ()

    @property
    def said(self) -> list[str]:
        """The problems as they are printed."""
        return [str(problem) for problem in self.exported.problems]

    def resources(self, kind: str) -> list[Resource]:
        """The documents of one kind, as a reader of the text has them."""
        assert self.text is not None, self.said
        return [document for document in self.documents if document["kind"] == kind]

    def allows(self, call: Call) -> bool:
        """What peergate decides."""
        return peergate_allows(self.policy, call)

    def istio_allows(self, pod: Pod, call: Call) -> bool:
        """What Istio decides behind the filter for plain requests."""
        return is_plain(call) and istio_allows(self.resources("AuthorizationPolicy"), pod, call)


def export(text: str, workloads: Sequence[str] = WORKLOADS) -> Export:
    """Of one policy file."""
    written = {"policy.yaml": text.encode()}
    loaded = load_policy(written, files())
    assert loaded.policy is not None, "\n".join([text, *map(str, loaded.problems)])
    exported = exported_from_policy(loaded.policy, written, map(Workload.parse, workloads))
    if exported.problems:
        return Export(loaded.policy, exported, None)
    printed = text_from_manifests(*authorization_form(exported, "0" * 16))
    documents = tuple(document for document in yaml.load_all(printed, yaml.CSafeLoader) if document)
    return Export(loaded.policy, exported, printed, documents)


def peergate_allows(policy: PolicySet, call: Call) -> bool:
    """What the engine decides; the trust entry is called mesh."""
    peer = caller([f"spiffe://{call.principal}"]) if call.principal else NO_CERTIFICATE
    request = Request(
        peer=peer,
        method=call.method,
        target=call.path,
        host=call.host,
        headers={name: (value,) for name, value in call.headers.items()},
        seen_headers=None,
        source_ip=ip_address(call.address),
        sni=call.sni,
        time=NOW,
    )
    return evaluate(policy, request).effect is Effect.ALLOW


def is_plain(call: Call) -> bool:
    """Whether the filter lets the call pass; RE2 and `re` read these expressions alike."""
    content_type = call.headers.get("content-type", "")
    is_grpc = content_type.lower().startswith("application/grpc")
    return (
        all(re.fullmatch(plain, call.path) for plain in PLAIN_TARGET)
        and not any(re.fullmatch(refused, call.path) for refused in REFUSED_TARGET)
        and re.fullmatch(PLAIN_AUTHORITY, call.host) is not None
        and re.fullmatch(PLAIN_METHOD, call.method) is not None
        and not re.fullmatch(LONG_METHOD, call.method)
        and call.method != "CONNECT"
        and "," not in content_type
        and (not is_grpc or content_type.startswith("application/grpc"))
    )
