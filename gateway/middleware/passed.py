"""What an application sees of a request that may pass: the scope, without what the caller says of itself (law 7)."""

from functools import lru_cache

from gateway.middleware.judged import PEERGATE, Judged
from gateway.middleware.presented import Scope
from runtime.check import Verdict
from runtime.identity_headers import HeaderChanges, disguised_headers
from runtime.limits import MAX_REMEMBERED_HEADER_SETS

RawHeaders = list[tuple[bytes, bytes]]


def scope_from_verdict(scope: Scope, verdict: Verdict) -> Scope:
    """A copy of `scope` with the headers that the upstream may see, and `scope["peergate"]`."""
    if verdict.request is None:
        # It passes only because everything does (`--observe`); its names have not been looked at.
        names = [name.decode("latin-1").lower() for name, _ in scope["headers"]]
        verdict = verdict._replace(disguised=disguised_headers(verdict.settable, names))
    headers = changed_headers(scope["headers"], verdict.changes)
    return {**scope, "headers": headers, PEERGATE: Judged(verdict.peer, verdict.judgement)}


def changed_headers(headers: RawHeaders, changes: HeaderChanges) -> RawHeaders:
    """`headers` without those that are removed or replaced, and with those that are put, at the end.

    No name with `_` passes: servers that map headers to variables take it for the one with `-`, which is the one that
    was judged. nginx drops them by default, and Envoy as peergate configures it.
    """
    put = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in changes.put]
    dropped = _names(changes.removed, tuple([name for name, _ in put]))
    return [header for header in headers if b"_" not in header[0] and header[0].lower() not in dropped] + put


@lru_cache(maxsize=MAX_REMEMBERED_HEADER_SETS)
def _names(removed: tuple[str, ...], put: tuple[bytes, ...]) -> frozenset[bytes]:
    return frozenset(name.encode("latin-1") for name in removed).union(put)
