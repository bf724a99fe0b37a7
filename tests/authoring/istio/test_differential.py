"""Whatever an import accepts decides as Istio does, request by request; what it leaves out only narrows."""

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.authoring.istio.evaluator import Call, Pod, Policy, istio_allows
from tests.authoring.istio.imports import allows, imported, loaded, mesh, resource

PODS = {
    "orders.prod.svc": Pod("prod", {"app": "orders"}),
    "web.prod.svc": Pod("prod", {"app": "web", "tier": "front"}),
    "orders.test.svc": Pod("test", {"app": "orders"}),
}
WORKLOADS = (
    "orders.prod.svc=prod,app=orders",
    "web.prod.svc=prod,app=web,tier=front",
    "orders.test.svc=test,app=orders",
)
DOMAINS = ("cluster.local", "partner.example")
PRINCIPALS = [
    f"{domain}/ns/{space}/sa/{name}" for domain in DOMAINS for space in ("prod", "test") for name in ("web", "api")
]
ADDRESSES = ["10.0.0.1", "10.0.1.1", "10.1.0.1", "192.0.2.1", "2001:db8::1"]
METHODS = ["GET", "POST", "HEAD", "PURGE"]
PATHS = [
    *("/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/a/b/c", "/a/b/c/d", "/b", "/b/a", "/x.html", "/a/x.html", "/A"),
    *("/a?q=/b", "/a/b?x", "/acme.Orders/Get"),
]
SERVER_NAMES = [None, "orders.prod.svc", "a.example.com", "b.a.example.com", "example.com"]
HEADERS: list[dict[str, str]] = [{}, {"x-release": "canary"}, {"x-release": "stable"}, {"x-release": "canary2"}]


def lists(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


principals = lists(
    *PRINCIPALS[:6],
    *("*", "cluster.local/ns/prod/*", "cluster.local/*", "*/sa/web", "*/ns/test/sa/api", "cluster.local/ns/prod/sa/*"),
    *("partner.example/ns/prod/sa/w*", "cluster.local/ns/prod/sa/web/deep"),
)
namespaces = lists("prod", "test", "other", "*", "pro*")
accounts = lists("web", "prod/web", "test/api", "api")
blocks = lists("10.0.0.1", "10.0.0.0/16", "10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0")
hosts = lists(
    "*", *(pattern for host in PODS for pattern in (f"{host}*", f"{host}:*")), "*.svc", "orders.*", "other.svc"
)
methods = lists("GET", "POST", "HEAD", "*", "P*")
paths = lists(
    *("/a", "/a/", "/a/*", "/a*", "*", "/*"),
    "/a/b",
    "/a/{*}",
    "/a/{**}",
    "/{*}/b",
    "*.html",
    "/b",
    "/{**}",
    "/a/b/*",
    "/A",
)
ports = lists("8080", "9090")


@st.composite
def fields(draw: st.DrawFn, /, **known: st.SearchStrategy[list[str]]) -> dict[str, list[str]]:
    names = draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=2, unique=True))
    return {name: draw(known[name]) for name in names}


sources = fields(
    principals=principals,
    notPrincipals=principals,
    namespaces=namespaces,
    notNamespaces=namespaces,
    serviceAccounts=accounts,
    notServiceAccounts=accounts,
    ipBlocks=blocks,
    notIpBlocks=blocks,
)
operations = fields(
    hosts=hosts,
    notHosts=hosts,
    methods=methods,
    notMethods=methods,
    paths=paths,
    notPaths=paths,
    ports=ports,
    notPorts=ports,
)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    known = {
        "source.principal": principals,
        "source.namespace": namespaces,
        "source.ip": blocks,
        "destination.port": ports,
        "connection.sni": lists("orders.prod.svc", "*.example.com", "a.example.com", "*"),
        "request.headers[X-Release]": lists("canary", "stable", "can*"),
    }
    key = draw(st.sampled_from(sorted(known)))
    said: dict[str, Any] = {"key": key}
    for name in draw(st.sampled_from([["values"], ["values"], ["notValues"], ["values", "notValues"]])):
        said[name] = draw(known[key])
    return said


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if draw(st.integers(0, 3)):
        rule["from"] = [{"source": source} for source in draw(st.lists(sources, min_size=1, max_size=2))]
    if draw(st.integers(0, 2)):
        rule["to"] = [{"operation": each} for each in draw(st.lists(operations, min_size=1, max_size=2))]
    if not draw(st.integers(0, 2)):
        rule["when"] = draw(st.lists(conditions(), min_size=1, max_size=2))
    return rule


@st.composite
def policy_lists(draw: st.DrawFn) -> list[Policy]:
    found = []
    for number in range(draw(st.integers(1, 3))):
        spec: dict[str, Any] = {"rules": draw(st.lists(rules(), max_size=2))}
        spec["action"] = draw(st.sampled_from(["ALLOW", "ALLOW", "DENY", "AUDIT"]))
        labels = draw(st.sampled_from([None, None, {"app": "orders"}, {"tier": "front"}]))
        if labels is not None:
            spec["selector"] = {"matchLabels": labels}
        dry = {"annotations": {"istio.io/dry-run": "true"}} if draw(st.integers(0, 9)) == 0 else {}
        space = draw(st.sampled_from(["prod", "prod", "test", "istio-system"]))
        found.append(resource(f"p{number}", spec, space, **dry))
    return found


@st.composite
def plain_policy_lists(draw: st.DrawFn) -> list[Policy]:
    """Few conditions each, so that most are accepted and every kind of them decides something."""
    found = []
    for action in draw(st.sampled_from([["ALLOW"], ["ALLOW"], ["DENY"], ["DENY", "ALLOW"]])):
        said = []
        for _ in range(draw(st.integers(1, 2))):
            kind = draw(st.sampled_from(["to", "to", "from", "when"]))
            parts = {"to": ("operation", operations), "from": ("source", sources)}
            if kind == "when":
                said.append({kind: [draw(conditions())]})
            else:
                said.append({kind: [{parts[kind][0]: draw(parts[kind][1])}]})
        found.append(resource(action.lower(), {"action": action, "rules": said}))
    return found


calls = st.builds(
    Call,
    principal=st.sampled_from([None, *PRINCIPALS, "cluster.local/ns/other/sa/web"]),
    address=st.sampled_from(ADDRESSES),
    method=st.sampled_from(METHODS),
    host=st.sampled_from([*PODS, *(f"{host}:8443" for host in PODS), *map(str.upper, PODS)]),
    path=st.sampled_from(PATHS),
    sni=st.sampled_from(SERVER_NAMES),
    headers=st.sampled_from(HEADERS),
)
thorough = settings(max_examples=int(os.environ.get("PEERGATE_ISTIO_EXAMPLES", "400")), deadline=None)


@settings(thorough, suppress_health_check=list(HealthCheck))
@given(plain_policy_lists(), st.lists(calls, min_size=60, max_size=60))
def test_an_import_of_plain_policies_decides_as_istio_does(policies: list[Policy], asked: list[Call]) -> None:
    compare(policies, asked)


@settings(thorough, suppress_health_check=list(HealthCheck))
@given(policy_lists(), st.lists(calls, min_size=60, max_size=60))
def test_an_import_decides_as_istio_does(policies: list[Policy], asked: list[Call]) -> None:
    compare(policies, asked)


def compare(policies: list[Policy], asked: list[Call]) -> None:
    hosts = [name for name, pod in PODS.items() if any(decides(policy, pod) for policy in policies)]
    if not hosts:
        return
    told = mesh([text for text in WORKLOADS if text.partition("=")[0] in hosts], port=8080)
    made = imported(policies, told)
    if made.text is None:
        assert made.problems
        return
    engine = loaded(made.text)
    domains = {str(entry.name) for entry in engine.trust.entries}
    for call in asked:
        host = call.host.lower().partition(":")[0]
        if host not in hosts or (call.principal and call.principal.partition("/")[0] not in domains):
            continue
        istio = istio_allows(policies, PODS[host], call)
        decided = allows(engine, call)
        assert decided <= istio, (made.text, call)
        assert made.problems or decided == istio, (made.text, call)


def decides(policy: Policy, pod: Pod) -> bool:
    metadata, spec = policy["metadata"], policy["spec"]
    labels = spec.get("selector", {}).get("matchLabels", {})
    applies = metadata["namespace"] in (pod.namespace, "istio-system") and labels.items() <= pod.labels.items()
    return applies and spec["action"] in {"ALLOW", "DENY"} and "annotations" not in metadata
