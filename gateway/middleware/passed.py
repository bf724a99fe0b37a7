"""What an application sees of a request that may pass: the scope, without what the caller says of itself (law 7)."""

from typing import NamedTuple

from gateway.middleware.judged import PEERGATE, Judged
from gateway.middleware.limits import MAX_REMEMBERED_PASSAGE_BYTES, MAX_REMEMBERED_PASSAGES
from gateway.middleware.presented import Scope
from policies.peer.cache import BoundedCache
from policies.peer.presented import PresentedCertificate
from runtime.check import Verdict
from runtime.identity_headers import DECISION_ID, disguised_headers, header_changes

RawHeaders = list[tuple[bytes, bytes]]

_DECISION_ID = DECISION_ID.encode()


class _Passage(NamedTuple):
    """`passing`: positions of the received headers that pass, None if all do. `put`: what is set, less the id."""

    passing: tuple[int, ...] | None
    put: RawHeaders
    bytes: int


#: By everything that it depends on.
_PASSAGES: BoundedCache[tuple[object, ...], _Passage] = BoundedCache(
    MAX_REMEMBERED_PASSAGES, MAX_REMEMBERED_PASSAGE_BYTES
)


def scope_from_verdict(scope: Scope, verdict: Verdict) -> Scope:
    """A copy of `scope` with the headers that the upstream may see, and `scope["peergate"]`."""
    judgement, settable, peer, xfcc_passes, names, request = verdict
    headers = scope["headers"]
    if request is None:
        # It passes only because everything does (`--observe`); its names have not been looked at.
        names = [name.decode("latin-1").lower() for name, _ in headers]
        verdict = verdict._replace(names=names)
    decision, decision_id, _ = judgement
    # A certificate by its digest, which is quick; whoever else it is, by all that is known.
    presented = peer.key if type(peer) is PresentedCertificate else peer
    key = (tuple(names), settable, presented, xfcc_passes, decision.identities, decision.trust, decision.headers)
    passage = _PASSAGES.get(key)
    if passage is None:
        passage = _passage_from_verdict(verdict)
        _PASSAGES.put(key, passage, passage.bytes)
    passing, put, _ = passage
    passed = list(headers) if passing is None else [headers[position] for position in passing]
    passed += put
    passed.append((_DECISION_ID, decision_id.encode()))
    judged = tuple.__new__(Judged, (peer, judgement, request and request.source_ip))
    return {**scope, "headers": passed, PEERGATE: judged}


def _passage_from_verdict(verdict: Verdict) -> _Passage:
    """What `header_changes` does to the headers of a request, the decision's id apart.

    No name with `_` passes: servers that map headers to variables take it for the one with `-`, which is the one that
    was judged. nginx drops them by default, and Envoy as peergate configures it.
    """
    judgement, settable, peer, xfcc_passes, names, _ = verdict
    changes = header_changes(settable, (), peer, judgement.decision, "", xfcc_passes=xfcc_passes)
    dropped = {*changes.removed, *(name for name, _ in changes.put), *disguised_headers(settable, names)}
    put = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in changes.put if name != DECISION_ID]
    passing = tuple([at for at, name in enumerate(names) if "_" not in name and name not in dropped])
    whole = len(passing) == len(names)
    size = sum(map(len, names)) + 100 * len(names) + sum(len(value) for _, value in put) + 1000
    return _Passage(None if whole else passing, put, size)
