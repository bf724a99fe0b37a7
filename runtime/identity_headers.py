"""Law 7: what reaches the upstream about a caller is said by peergate, and nothing that the caller said itself.

Every enforcement point asks `header_changes` for the headers of a request that may pass. A header that any rule of the
generation may set, every identity header, and every header that makes a framework see another path or method is
removed, also under a name that servers cannot tell from it (`x_peergate_identity`). The one that is let through is
x-forwarded-client-cert, if it is a single element about the judged certificate and says nothing that is not in it.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from policies.engine.decision import Decision
from policies.engine.header_names import (
    IDENTITY_HEADERS,
    REWRITING_HEADERS,
    folded_name,
    is_identity_header,
)
from policies.peer.presented import NamedCaller, Presented, PresentedCertificate
from runtime.limits import MAX_REMEMBERED_HEADER_NAMES, MAX_REMEMBERED_HEADER_SETS

XFCC = "x-forwarded-client-cert"
IDENTITY = "x-peergate-identity"
SPIFFE_ID = "x-peergate-spiffe-id"
DECISION_ID = "x-peergate-decision-id"
REASON = "x-peergate-reason"

#: Members of the header families that proxies and peergate itself use: removed even where an enforcement point is not
#: shown them. Others of a family are removed where they are seen.
_FAMILY_MEMBERS = frozenset(
    {
        *(IDENTITY, SPIFFE_ID, DECISION_ID, REASON),
        *("ssl-client-cert", "ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn"),
        *("x-forwarded-tls-client-cert", "x-forwarded-tls-client-cert-info"),
    }
)
#: Every name that is known from the start to be removed, whatever the policy says.
CLAIMS = tuple(sorted(IDENTITY_HEADERS | REWRITING_HEADERS | _FAMILY_MEMBERS))


class HeaderChanges(NamedTuple):
    """What is done to the headers of a request that may pass. Names are lower case, and none is in both parts.

    `put`: (name, value), each replacing whatever was received under that name. `removed`: names, present or not.
    """

    put: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]


NO_CHANGES = HeaderChanges((), ())


def header_changes(
    settable: frozenset[str],
    received: Collection[str],
    presented: Presented,
    decision: Decision,
    decision_id: str,
    *,
    xfcc_passes: bool,
) -> HeaderChanges:
    """What the upstream of a permitted request is told, and what must not reach it.

    - `settable`: `PolicySet.settable_headers`, or nothing without a policy.
    - `received`: the names in the request, lower case, as far as this enforcement point is shown them.
    - `xfcc_passes`: whether `PresentedReader.xfcc_may_pass` holds for what was received.
    """
    put = dict(decision.headers)
    if decision.identities:
        put[IDENTITY] = ",".join(decision.identities)
    if decision.trust and (spiffe_id := _spiffe_id(presented)):
        put[SPIFFE_ID] = spiffe_id
    put[DECISION_ID] = decision_id
    guard = _guard_of(settable)
    removed = guard.removed_beside(frozenset(put), xfcc_passes=xfcc_passes)
    disguised = tuple(name for name in guard.disguised(received) if name not in put)
    return HeaderChanges(tuple(put.items()), removed + disguised)


def disguised_headers(settable: frozenset[str], received: Collection[str]) -> tuple[str, ...]:
    """Those of the `received` names, lower case, that must be removed and that nobody could have listed beforehand.

    They are a spelling of an untouchable name that servers cannot tell from it, or an odd member of an identity family.
    """
    return _guard_of(settable).disguised(received)


def untouchable_headers(settable: frozenset[str], received: Collection[str]) -> list[str]:
    """Those of the `received` names, lower case, that must not reach an upstream as the client sent them."""
    return _guard_of(settable).untouchable(received)


class _Guard:
    """The names that one set of settable headers makes untouchable, with what was found out about received names."""

    def __init__(self, settable: frozenset[str]) -> None:
        untouchable = settable.union(CLAIMS)
        self._always = tuple(sorted(untouchable.union(map(folded_name, settable))))
        self._fixed = frozenset(self._always)
        self._harmless: set[str] = set()
        self._beside: dict[tuple[frozenset[str], bool], tuple[str, ...]] = {}

    def removed_beside(self, put: frozenset[str], *, xfcc_passes: bool) -> tuple[str, ...]:
        """The names to remove from every request, without those that are `put`: a proxy removes after it sets."""
        key = (put, xfcc_passes)
        found = self._beside.get(key)
        if found is None:
            kept = put | {XFCC} if xfcc_passes else put
            found = tuple(name for name in self._always if name not in kept)
            if len(self._beside) >= MAX_REMEMBERED_HEADER_SETS:
                self._beside.clear()
            self._beside[key] = found
        return found

    def disguised(self, received: Collection[str]) -> tuple[str, ...]:
        """The received names that mean an untouchable header without being in the fixed list."""
        if self._harmless.issuperset(received):
            return ()
        return tuple(name for name in received if self._is_disguised(name))

    def untouchable(self, received: Collection[str]) -> list[str]:
        """The received names in the fixed list, or that mean a header of it."""
        disguised = self.disguised(received)
        return [name for name in received if name in self._fixed or name in disguised]

    def _is_disguised(self, name: str) -> bool:
        folded = folded_name(name)
        if name not in self._fixed and (folded in self._fixed or is_identity_header(folded)):
            return True
        if len(self._harmless) >= MAX_REMEMBERED_HEADER_NAMES:
            self._harmless = set()
        self._harmless.add(name)
        return False


#: One guard for each generation that is still in use; a new generation with the same settable headers shares it.
_guard_of = lru_cache(maxsize=8)(_Guard)


def _spiffe_id(presented: Presented) -> str | None:
    """The SPIFFE ID of the leaf; one that passed a trust entry has at most one."""
    if isinstance(presented, PresentedCertificate):
        uris = presented.leaf.identity.uri
    else:
        uris = presented.facts.uri if isinstance(presented, NamedCaller) else None
    return next((uri for uri in uris or () if uri.startswith("spiffe://")), None)
