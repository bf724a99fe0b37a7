"""What stands before Istio's own filters: only plainly written requests pass, those that every reader reads in one way.

peergate judges a path decoded and refuses what is ambiguous (law 6). An AuthorizationPolicy compares bytes and refuses
nothing: `/v1/*` lets `/v1/x%2f..%2fadmin` pass, and a `DENY` of `/admin/*` overlooks `/admin%2fx`. Behind this filter
such requests do not occur, and a character that can stand for itself is never escaped: a literal has one spelling.

The second filter removes what a client says of its own identity (law 7).
"""

from extauth.istio.manifest import NETWORKING, Manifest, Resource, named
from policies.authoring.istio.exporting.exporting import Pods
from policies.engine.limits import MAX_METHOD_CHARS
from runtime.identity_headers import CLAIMS, XFCC

FILTER, CLAIMS_FILTER = "peergate.plain-requests", "peergate.claims"
#: What stands for itself in a segment. `=` and `*` are missing: some versions of Envoy do not count them to the
#: characters of a segment that a template matches.
_PLAIN = r"A-Za-z0-9_~!$&'()+,:@.-"
#: Escapes of bytes from 80 on in sequences of shortest-form UTF-8 (RFC 3629 §4), less C1 controls.
_MORE = "%[89AB][0-9A-F]"
_UTF8 = (
    rf"%(?i:C2%[AB][0-9A-F]|(?:C[3-9A-F]|D[0-9A-F]){_MORE}|(?:E0%[AB]|E[1-9A-CEF]%[89AB]|ED%[89])[0-9A-F]{_MORE}|"
    rf"(?:F0%[9AB]|F[1-3]%[89AB]|F4%8)[0-9A-F]{_MORE}{_MORE})"
)
#: What a target must be like, each of these; a program of RE2 may have 100 instructions in Envoy.
PLAIN_TARGET = (
    rf"(?:(?:/(?:[{_PLAIN}]|%[2-9A-Fa-f][0-9A-Fa-f])+)+/?|/)(?:\?.*)?",
    rf"(?:[^%?]|%[2-7][0-9A-Fa-f]|{_UTF8})*(?:\?.*)?",
)
#: What none of it may be like: a segment `.` or `..`; an escape of an ASCII character that stands for itself, or that
#: law 6 refuses; one of a character whose compatibility form (NFKC) has a dot, slash, `%`, `;`, `?` or `#`.
REFUSED_TARGET = (
    r"[^?]*/\.\.?(?:[/?].*)?",
    r"[^?]*%(?:2[13-9A-Fa-f]|3[0-9ABDFabdf]|4|5[0-9ACFacf]|6[1-9A-Fa-f]|7[0-9AEFaef]).*",
    r"[^?]*%(?i:CD%BE|E2%80%A[4-6]|E2%81%8[7-9]|E2%84%8[0156]|E2%92%(?:8[89A-F]|9[0-9AB])|E3%8F%(?:82|87|98)).*",
    r"[^?]*%(?i:EF%B8%(?:94|96|99|B0)|EF%B9%(?:92|94|96|9F|A8|AA)|EF%BC%(?:83|85|8E|8F|9B|9F|BC)|F0%9F%84%80).*",
)
#: A name, and a port below 65536. Which names is what the policies say.
PLAIN_AUTHORITY = (
    r"[A-Za-z0-9._-]+(?::(?:[0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
)
PLAIN_METHOD = r"[!#$%&'*+.^_`|~0-9A-Z-]+"
LONG_METHOD = rf"[!-~]{{{MAX_METHOD_CHARS + 1}}}.*"
_COMMENT = """Only requests that are written plainly get to the policies below: a path without segments that are empty,
`.` or `..`, without `;` `=` `*` `\\`, and without escapes of characters that need none; a host with a port at most; a
method in capitals; a content type without a comma. Without this filter they would allow what peergate refuses as
ambiguous. The second filter removes headers by which a client could claim to be somebody, or to ask for something
else."""


def plain_requests(name: str, pods: Pods) -> Manifest:
    """The EnvoyFilter that puts both filters first at `pods`."""
    config: Resource = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {
            "action": "ALLOW",
            "policies": {"plain": {"permissions": [{"and_rules": {"rules": _conditions()}}], "principals": [_ANY]}},
        },
    }
    claims: Resource = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": [{"remove": name} for name in _REMOVED]},
    }
    # The last one comes first.
    spec: Resource = {"configPatches": [_first(CLAIMS_FILTER, claims), _first(FILTER, config)]}
    return Manifest(_COMMENT, named(NETWORKING, "EnvoyFilter", name, pods, spec, selector="workloadSelector"))


_ANY: Resource = {"any": True}
#: Istio itself writes x-forwarded-client-cert anew. Its proxies pass names with `_`, which many servers take for `-`.
_REMOVED = sorted({*CLAIMS, *(name.replace("-", "_") for name in CLAIMS)} - {XFCC})


def _first(name: str, config: Resource) -> Resource:
    manager = {"name": "envoy.filters.network.http_connection_manager"}
    return {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": manager}}},
        "patch": {"operation": "INSERT_FIRST", "value": {"name": name, "typed_config": config}},
    }


def _conditions() -> list[Resource]:
    grpc: Resource = {"prefix": "application/grpc"}
    return [
        *(_header(":path", _expression(plain)) for plain in PLAIN_TARGET),
        *(_not(_header(":path", _expression(refused))) for refused in REFUSED_TARGET),
        _header(":authority", _expression(PLAIN_AUTHORITY)),
        _header(":method", _expression(PLAIN_METHOD)),
        _not(_header(":method", _expression(LONG_METHOD))),
        _not(_header(":method", {"exact": "CONNECT"})),
        _not(_header("content-type", {"contains": ","})),
        # gRPC is told by its content type, which Istio compares with its case.
        _not(_both(_header("content-type", {**grpc, "ignore_case": True}), _not(_header("content-type", grpc)))),
    ]


def _header(name: str, match: Resource) -> Resource:
    return {"header": {"name": name, "string_match": match}}


def _expression(expression: str) -> Resource:
    return {"safe_regex": {"regex": expression}}


def _not(permission: Resource) -> Resource:
    return {"not_rule": permission}


def _both(one: Resource, other: Resource) -> Resource:
    return {"and_rules": {"rules": [one, other]}}
