"""Whatever is exported decides as peergate does, on every plain request; what is not plain is refused."""

import json
import os
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.authoring.istio.evaluator import Call, Pod
from tests.authoring.istio.exports import DOMAIN, HEAD, export, is_plain

PODS = {"orders.prod.svc": Pod("prod", {"app": "orders"}), "web.prod.svc": Pod("prod", {"app": "web"})}
HOSTS_OF = {"orders.prod.svc": {"orders.prod.svc"}, "web.prod.svc": {"web.prod.svc", "w.example"}}
PRINCIPALS = [None, *(f"{DOMAIN}/ns/{space}/sa/{name}" for space in ("prod", "test") for name in ("web", "api", "sa"))]
PATHS = [
    *("/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/a/b/c", "/a/b/c/d", "/b", "/b/a", "/A", "/.a", "/a?q=/b", "/a?%2f;"),
    *("/x/a", "/x/y/a", "/x/y/a/", "/acme.Orders/Get", "/acme.Orders/Put", "/acme.Orders/Get/"),
]
HOSTILE_PATHS = [
    *("", "*", "a", "//", "/a//b", "/./a", "/../a", "/a/..", "/a/.", "/%61", "/a%2fb", "/a/%2e%2e/b", "/a/..;/b"),
    *(
        "/a;b",
        "/a/%00",
        "/a/b%",
        "/a/%zz",
        "/a/b%20c",
        "/a/%C3%A9",
        "/a/%c3%a9",
        "/a/%c0%af",
        "/a/%EF%BC%8F",
        "/a/b=c",
        "/a/*",
    ),
    *("/a\\b", "/a/{*}", "/a/b#c", "/a/%5c", "/a/%3B", "/a/%25", "/%2e", "/a/..%2fb", "/a/%2F", "/a%3fb", "http://x/a"),
]
AUTHORITIES = ["orders.prod.svc", "web.prod.svc", "w.example", "other.svc", "ORDERS.prod.svc", "orders.prod.svc:8080"]
HOSTILE_AUTHORITIES = [
    *("", "orders.prod.svc.", "orders.prod.svc:", "orders.prod.svc:x", "orders.prod.svc:70000", "orders.prod.svc:80,x"),
    *("a@orders.prod.svc", "orders.prod.svc, web.prod.svc", "[::1]"),
]
CONTENT_TYPES = [
    *("application/grpc", "application/grpc+proto", "application/grpc;x=y", "application/grpcx", "Application/gRPC"),
    *("application/grpc+proto,text/html", "text/html", "application/grpc,application/grpc"),
]
ADDRESSES = ["10.0.0.1", "10.0.1.1", "10.1.0.1", "192.0.2.1", "2001:db8::1"]
METHODS = ["GET", "POST", "DELETE", "PURGE"]
RELEASES = [None, "canary", "stable", "canary2", "canary,canary"]


def uri(path: str) -> dict[str, str]:
    return {"uri": f"spiffe://{DOMAIN}/{path}"}


NAMES = ("ns/prod/sa/web", "ns/prod/sa/api", "ns/prod/sa/*", "ns/*/sa/web", "ns/test/**", "**", "*/*/sa/api")
leaves = st.sampled_from([*map(uri, NAMES), "authenticated", "unauthenticated", {"trust": "mesh"}, "web", "others"])
selectors = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)


def lists(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


KNOWN = {
    "hosts": lists("orders.prod.svc", "web.prod.svc", "*.prod.svc", "**.svc", "*.example", "{h}.prod.svc", "other.svc"),
    "methods": lists("GET", "POST", "DELETE"),
    "paths": lists(
        *("/", "/a", "/a/", "/a/*", "/a/**", "/a/b", "/*/b", "/{x}/a", "/x/*/a", "/a/*/**", "/*/*/", "/**", "/.a"),
    ),
    "headers": st.just({"x-release": ["canary", "stable"]}),
    "grpc": lists("acme.Orders/Get", "acme.Orders/*"),
}


@st.composite
def routes(draw: st.DrawFn) -> dict[str, Any]:
    shape = draw(st.sampled_from([("hosts",), ("paths",), ("hosts", "paths"), ("methods",), ("methods", "paths")]))
    more = draw(st.sampled_from([shape, shape, (*shape, "headers"), ("grpc",), ("hosts", "grpc")]))
    return {name: draw(KNOWN[name]) for name in more}


@st.composite
def rules(draw: st.DrawFn, number: int) -> dict[str, Any]:
    effect = draw(st.sampled_from(["allow", "allow", "deny"]))
    who = draw(st.lists(selectors, min_size=1, max_size=2))
    rule: dict[str, Any] = {"id": f"r{number}", effect: who, "to": draw(st.lists(routes(), min_size=1, max_size=2))}
    if draw(st.integers(0, 5)) == 0 and "unauthenticated" not in str(who):
        rule["to"] = "any"
    for name in draw(st.sampled_from([(), (), ("from",), ("not_from",), ("from", "not_from")])):
        rule[name] = draw(lists("10.0.0.0/16", "10.0.0.1", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0"))
    if draw(st.integers(0, 9)) == 0:
        rule["when"] = {"sni": draw(lists("orders.prod.svc", "web.prod.svc"))}
    if draw(st.integers(0, 9)) == 0:
        rule["mode"] = "shadow"
    return rule


@st.composite
def policies(draw: st.DrawFn) -> str:
    identities = {"web": uri("ns/prod/sa/web"), "others": {"not": "web"}}
    found = [draw(rules(number)) for number in range(draw(st.integers(1, 3)))]
    return HEAD + f"identities: {json.dumps(identities)}\nrules: {json.dumps(found)}\n"


@st.composite
def calls(draw: st.DrawFn) -> Call:
    hostile = draw(st.integers(0, 3)) == 0
    content_type = draw(st.sampled_from([None, *CONTENT_TYPES]))
    headers = {"x-release": draw(st.sampled_from(RELEASES)), "content-type": content_type}
    return Call(
        draw(st.sampled_from(PRINCIPALS)),
        draw(st.sampled_from(ADDRESSES)),
        draw(st.sampled_from([*METHODS, *(["CONNECT", "G" * 33, "G ET"] if hostile else [])])),
        draw(st.sampled_from([*AUTHORITIES, *AUTHORITIES[:3] * 2, *(HOSTILE_AUTHORITIES if hostile else [])])),
        draw(st.sampled_from([*PATHS, *(HOSTILE_PATHS * 3 if hostile else [])])),
        draw(st.sampled_from([None, "orders.prod.svc", "other.svc"])),
        {name: value for name, value in headers.items() if value is not None},
    )


@settings(
    max_examples=int(os.environ.get("PEERGATE_EXPORT_EXAMPLES", "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(policies(), st.lists(calls(), min_size=40, max_size=60))
def test_istio_decides_as_peergate_on_plain_requests_and_never_allows_more(text: str, asked: list[Call]) -> None:
    made = export(text)
    event("refused" if made.text is None else "exported")
    if made.text is None:
        assert made.exported.problems
        return
    for name, pod in PODS.items():
        for call in asked:
            by_istio, by_peergate = made.istio_allows(pod, call), made.allows(call)
            assert by_peergate or not by_istio, (name, call, text)
            if is_plain(call) and call.host.lower().partition(":")[0] in HOSTS_OF[name]:
                assert by_istio is by_peergate, (name, call, text)
                event(f"allowed: {by_istio}")
