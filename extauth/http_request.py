"""Extract: the HTTP form of ext_authz, an ASGI scope -> Request.

Envoy repeats the request to us: its method, target and Host, and of its headers those that `allowed_headers` lists
beside `authorization` and `content-length`. So this enforcement point is shown only what the operator says it is
(`--seen-headers`), and everything else is unknown to it. The certificate is the `Cert` of XFCC, whose writer must be a
trusted hop: from anybody else the whole message is hearsay.

What Envoy must be told for this form: `x-forwarded-client-cert` in `allowed_headers`, with SANITIZE_SET and `cert` and
`chain` in `set_current_client_cert_details`; no `path_prefix`; and for `from`, `x-forwarded-for` in `allowed_headers`
and `--seen-headers`, with `use_remote_address: true`. `!` stands for bytes that Envoy could not show, as in
`extauth.request`.
"""

from collections.abc import Iterable, MutableMapping
from typing import Any

from extauth.request import shown
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE
from policies.peer.reader import PresentedReader
from runtime.check import Received
from runtime.errors import MalformedQuestionError, UntrustedHopError
from runtime.hops import NO_HOPS, IpAddress, TrustedHops, address_from_text
from runtime.identity_headers import XFCC
from runtime.raw_headers import Headers, headers_from_raw
from runtime.trace import TRACEPARENT, trace_id_from_traceparent

#: Where our server keeps the request target as received, bytes: ASGI's `raw_path` has lost a fragment and a host.
RAW_TARGET = "peergate.raw_target"
_FORWARDED_FOR = "x-forwarded-for"
#: The headers that Envoy always shows (`envoy.extensions.filters.http.ext_authz.v3.HttpService`).
ALWAYS_SEEN = frozenset({"authorization", "content-length", "host"})
_ALWAYS_READ = frozenset({"host", XFCC, TRACEPARENT})

Scope = MutableMapping[str, Any]


class HttpReader:
    """Reads what Envoy repeats; configured with whom to believe and what Envoy was told to show."""

    def __init__(
        self,
        reader: PresentedReader,
        hops: TrustedHops,
        seen_headers: Iterable[str] = (),
        balancers: TrustedHops = NO_HOPS,
    ) -> None:
        self._reader = reader
        self._balancers = balancers
        self._hops = hops
        self._seen = ALWAYS_SEEN.union(seen_headers)
        self._read = self._seen | _ALWAYS_READ

    def received_from_scope(self, scope: Scope, policy: PolicySet | None, time: float) -> Received:
        """Read `scope` for `policy`, as of `time` (epoch seconds). Raises QuestionError if it cannot be judged."""
        self._require_trusted(scope["client"])
        names, found = self._headers(scope["headers"])
        forwarded = found.get(XFCC, ())
        if len(forwarded) > 1:
            raise MalformedQuestionError(
                f"{XFCC} was sent {len(forwarded)} times; the hop must replace it (SANITIZE_SET)"
            )
        xfcc = forwarded[0] if forwarded else ""
        conditions = self._seen if policy is None else policy.condition_headers & self._seen
        request = Request(
            self._reader.from_xfcc(xfcc) if xfcc else NO_CERTIFICATE,
            scope["method"],
            _target_from_scope(scope),
            ",".join(found.get("host", ())),
            {name: found[name] for name in conditions if name in found} or EMPTY_HEADERS,
            self._seen,
            self._source_ip(found),
            UNREPORTED,
            time,
        )
        trace_id = trace_id_from_traceparent(found[TRACEPARENT]) if TRACEPARENT in found else None
        return Received(request, names, xfcc, trace_id)

    def _require_trusted(self, client: tuple[str, int] | None) -> None:
        """`client`: ASGI's transport peer, None for a Unix socket."""
        if client is None:
            if not self._hops.unix:
                raise UntrustedHopError(
                    "the caller on the Unix socket is no trusted hop: start with --trusted-hop unix"
                )
            return
        address = address_from_text(client[0])
        if address is None or not self._hops.has(address):
            raise UntrustedHopError(f"the caller {client[0]} is no trusted hop: start with --trusted-hop CIDR")

    def _headers(self, headers: list[tuple[bytes, bytes]]) -> tuple[list[str], Headers]:
        """The names of all headers, and the values of those that are read, in order of receipt."""
        return headers_from_raw(headers, self._read, _shown_from_raw)

    def _source_ip(self, found: Headers) -> IpAddress | None:
        """What the hop appended to X-Forwarded-For, if the operator says that it is shown; our own peer is the hop."""
        forwarded = found.get(_FORWARDED_FOR, ())
        return self._balancers.client_address(",".join(forwarded)) if forwarded else None


def _target_from_scope(scope: Scope) -> str:
    target = scope.get(RAW_TARGET)
    if not isinstance(target, bytes):
        raise MalformedQuestionError("this server does not show the request target as received")
    return _shown_from_raw(target)


def _shown_from_raw(text: bytes) -> str:
    return shown(text.decode("utf-8", "surrogateescape"))
