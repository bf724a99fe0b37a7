"""Extract: what a proxy asks -> Request. The question is a request of its own; what is judged is in its headers.

Laws: a fact that is missing, or was sent twice, is not guessed: the question is refused. What must not reach the
upstream as the client sent it (law 7) the proxy removes before it asks, as we cannot: a question that still shows it is
refused. So is every other header with `_`, which the upstream may take for one that was judged.
"""

import re
from collections.abc import Iterable

from gateway.forward_auth.proxies import Asking
from gateway.middleware.forwarded import ForwardedPeers
from gateway.middleware.presented import Scope, presented_from_scope
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, UNREPORTED, Request, Unreported
from policies.peer.reader import PresentedReader
from runtime.check import Received
from runtime.errors import MalformedQuestionError
from runtime.hops import IpAddress, address_from_text
from runtime.identity_headers import untouchable_headers
from runtime.raw_headers import Headers, headers_from_raw
from runtime.trace import TRACEPARENT, trace_id_from_traceparent

#: nginx's `$remote_addr` of a client on a Unix socket.
_NO_ADDRESS = "unix:"
_SERVER_NAME = re.compile(r'"([!#-~]{0,255})"')
_NOTHING: frozenset[str] = frozenset()


class QuestionReader:
    """Reads the questions of one kind of proxy. `seen_headers`: the client's headers that it is told to pass on."""

    def __init__(
        self, asking: Asking, peers: ForwardedPeers, reader: PresentedReader, seen_headers: Iterable[str] = ()
    ) -> None:
        self._asking = asking
        self._peers = peers
        self._reader = reader
        self._facts = asking.names
        self._seen = frozenset(seen_headers) - asking.names
        self._read = self._seen | asking.names | {TRACEPARENT}

    def received_from_scope(self, scope: Scope, policy: PolicySet | None, time: float) -> Received:
        """Read `scope` for `policy`, as of `time` (epoch seconds). Raises QuestionError if it cannot be judged."""
        asking = self._asking
        names, found = headers_from_raw(scope["headers"], self._read)
        hop = presented_from_scope(self._reader, scope)
        peer = self._peers.presented(scope, hop, found, policy, time)
        self._refuse_untouchable(names, policy)
        conditions = self._seen if policy is None else policy.condition_headers & self._seen
        request = Request(
            peer,
            _sole(found, asking.method),
            _sole(found, asking.target),
            _sole(found, asking.host, may_be_empty=True),
            {name: found[name] for name in conditions if name in found} or EMPTY_HEADERS,
            self._seen,
            _address(_sole(found, asking.address)),
            _server_name(_sole(found, asking.sni)) if asking.sni else UNREPORTED,
            time,
        )
        trace_id = trace_id_from_traceparent(found[TRACEPARENT]) if TRACEPARENT in found else None
        return Received(request, names, "", trace_id)

    def _refuse_untouchable(self, names: list[str], policy: PolicySet | None) -> None:
        settable = _NOTHING if policy is None else policy.settable_headers
        shown = [name for name in names if name not in self._facts]
        passed = [name for name in shown if "_" in name] or untouchable_headers(settable, shown)
        if passed:
            raise MalformedQuestionError(
                f"the proxy lets the client's {passed[0][:80]!r} through: remove it before asking, as deploy/ does"
            )


def _sole(found: Headers, name: str, *, may_be_empty: bool = False) -> str:
    values = found.get(name, ())
    if len(values) > 1:
        raise MalformedQuestionError(f"{name} was sent {len(values)} times; the proxy must replace the client's")
    if not values and not may_be_empty:
        raise MalformedQuestionError(f"the proxy does not send {name}; configure it as deploy/ does")
    return values[0] if values else ""


def _address(text: str) -> IpAddress | None:
    if text == _NO_ADDRESS:
        return None
    address = address_from_text(text)
    if address is None:
        raise MalformedQuestionError(f"the client's address is {text[:80]!r}; the proxy must send one IP address")
    return address


def _server_name(text: str) -> str | Unreported | None:
    match = _SERVER_NAME.fullmatch(text)
    if match is None:
        raise MalformedQuestionError(f'the server name is {text[:80]!r}; the proxy must send "NAME", or ""')
    return match[1] or None
