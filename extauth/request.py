"""Extract: CheckRequest -> Request. Total: every message becomes a `Received` or one `MalformedQuestionError`.

Envoy replaces bytes that are not UTF-8 by `!` in every text it sends, and forwards the bytes themselves: a path that
ends in the byte 0xff, which it accepts over HTTP/2, is shown as `/a!`. Only `header_map` (`encode_raw_headers: true`)
carries bytes. Without it a `!` in a path or in the value of a header is therefore read as a byte that could not be read
(laws 2 and 6): the path is ambiguous, the header is unknown.
"""

from functools import lru_cache
from operator import attrgetter

from google.protobuf.message import DecodeError

from extauth.peer import presented_from_source
from extauth.wire.messages import AttributeContext, CheckRequest
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, UNREPORTED, Request, Unreported
from policies.peer.reader import PresentedReader
from runtime.check import Received
from runtime.errors import MalformedQuestionError
from runtime.hops import IpAddress, TrustedHops, address_from_text
from runtime.identity_headers import XFCC
from runtime.limits import MAX_HEADERS
from runtime.raw_headers import Headers
from runtime.trace import TRACEPARENT, trace_id_from_traceparent

#: What an unreadable byte is decoded to (`surrogateescape` gives U+DC80 to U+DCFF).
UNREADABLE = "\udcff"
WRITTEN_FOR_UNREADABLE = "!"
_FORWARDED_FOR = "x-forwarded-for"
_ALWAYS_READ = frozenset({":authority", ":path", "host", XFCC, _FORWARDED_FOR, TRACEPARENT})
_KEY = attrgetter("key")
_CONTENT_TYPE_ONLY = frozenset({"content-type"})


def check_from_bytes(message: bytes) -> CheckRequest:
    """Read the wire form. Raises MalformedQuestionError, also for text that is not UTF-8 (Envoy never sends such)."""
    try:
        return CheckRequest.FromString(message)
    except DecodeError as error:
        raise MalformedQuestionError(f"not an envoy.service.auth.v3.CheckRequest: {error}") from None


def received_from_check(
    check: CheckRequest, policy: PolicySet | None, reader: PresentedReader, balancers: TrustedHops, time: float
) -> Received:
    """Read `envoy.service.auth.v3.CheckRequest` for `policy`, as of `time` (epoch seconds, our clock, not Envoy's).

    Raises MalformedQuestionError if it does not describe one HTTP request.
    """
    attributes = check.attributes
    asked = attributes.request
    if not asked.HasField("http"):
        raise MalformedQuestionError("the CheckRequest describes no HTTP request (attributes.request.http)")
    http, source = asked.http, attributes.source
    conditions = policy.condition_headers if policy is not None else _CONTENT_TYPE_ONLY
    names, found = _headers_from_http(http, _read_names(conditions))
    xfcc = ",".join(found[XFCC]) if XFCC in found else ""
    request = Request(
        presented_from_source(reader, source.certificate, source.principal, xfcc),
        http.method,
        _target_from_http(http, found),
        _host_from_http(http, found),
        {name: found[name] for name in conditions if name in found} or EMPTY_HEADERS,
        None,
        _source_ip(source, found, balancers),
        _sni_from_attributes(attributes),
        time,
    )
    trace_id = trace_id_from_traceparent(found[TRACEPARENT]) if TRACEPARENT in found else None
    return Received(request, names, xfcc, trace_id)


@lru_cache(maxsize=8)
def _read_names(conditions: frozenset[str]) -> frozenset[str]:
    return conditions | _ALWAYS_READ


def _headers_from_http(http: AttributeContext.HttpRequest, wanted: frozenset[str]) -> tuple[list[str], Headers]:
    """The names of all headers, and the values of the wanted ones in order of receipt, from both places Envoy uses."""
    combined, raw = http.headers, http.header_map.headers
    if len(combined) + len(raw) > MAX_HEADERS:
        raise MalformedQuestionError(f"the request has more than {MAX_HEADERS} headers")
    names = list(combined)
    found: dict[str, tuple[str, ...]] = {name: (shown(combined[name]),) for name in names if name in wanted}
    headers = list(raw)
    raw_names = list(map(_KEY, headers))
    names += raw_names
    for name, header in zip(raw_names, headers, strict=True):
        if name in wanted:
            # Envoy fills `raw_value` only.
            received = header.raw_value
            value = received.decode("utf-8", "surrogateescape") if received else shown(header.value)
            found[name] = (*found[name], value) if name in found else (value,)
    return names, found


def shown(text: str) -> str:
    """A text of Envoy, with what stands for unreadable bytes made unreadable."""
    return text.replace(WRITTEN_FOR_UNREADABLE, UNREADABLE)


def _target_from_http(http: AttributeContext.HttpRequest, found: Headers) -> str:
    """The request target. `http.path` and `:path` are one fact, but only a raw `:path` has all its bytes."""
    paths = found.get(":path", ())
    if len(paths) > 1:
        raise MalformedQuestionError("the request has more than one :path")
    if paths:
        return paths[0]
    return shown(http.path)


def _host_from_http(http: AttributeContext.HttpRequest, found: Headers) -> str:
    """The one host that `:authority`, `Host` and `http.host` agree on, else all of them joined with a comma."""
    hosts = found.get(":authority", ())
    if "host" in found and found["host"] != hosts:
        hosts += found["host"]
    if http.host and http.host not in hosts:
        hosts += (http.host,)
    return hosts[0] if len(hosts) == 1 else ",".join(hosts)


def _source_ip(source: AttributeContext.Peer, found: Headers, balancers: TrustedHops) -> IpAddress | None:
    """The transport peer, or behind a balancer the address that it forwarded for; None for a Unix socket."""
    address = address_from_text(source.address.socket_address.address)
    if balancers and address is not None and balancers.has(address):
        return balancers.client_address(",".join(found.get(_FORWARDED_FOR, ())))
    return address


def _sni_from_attributes(attributes: AttributeContext) -> str | Unreported | None:
    """Envoy sends `tls_session` if the connection is TLS and `include_tls_session` is set; no SNI is an empty one."""
    if not attributes.HasField("tls_session"):
        return UNREPORTED
    return attributes.tls_session.sni or None
