"""The callers that a mesh has, and sets of them that an Istio source can name.

Istio names every workload `TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT` and requires that form of other issuers, too (Istio's
page on SPIRE). So a caller is a namespace and an account, or nobody; within these callers every set here is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from policies.engine.pattern import SegmentPattern, Wild

#: Between `TRUST_DOMAIN` and the names.
_FORM: tuple[str | Wild, ...] = ("ns", Wild(), "sa", Wild())
#: A word that is itself to Istio, without a wildcard.
_WORD = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, order=True)
class Accounts:
    """Service accounts by namespace and name; empty means any."""

    namespace: str = ""
    name: str = ""

    def meet(self, other: Accounts) -> Accounts | None:
        """The accounts that are in both; None if there are none."""
        for mine, its in ((self.namespace, other.namespace), (self.name, other.name)):
            if mine and its and mine != its:
                return None
        return Accounts(self.namespace or other.namespace, self.name or other.name)

    def covers(self, other: Accounts) -> bool:
        """Whether every account of `other` is one of these."""
        return self.namespace in ("", other.namespace) and self.name in ("", other.name)

    def principal(self, trust_domain: str) -> str:
        """As `principals` names them."""
        if not self.namespace:
            return f"*/sa/{self.name}" if self.name else f"{trust_domain}/*"
        return f"{trust_domain}/ns/{self.namespace}/sa/{self.name or '*'}"


EVERY_ACCOUNT = Accounts()


def accounts_from_pattern(pattern: SegmentPattern) -> Accounts | None:
    """The accounts whose SPIFFE ID matches `pattern`, its first segment apart; None if no workload of a mesh does."""
    tail = pattern.segments[1:]
    if len(tail) > len(_FORM) or (len(tail) < len(_FORM) and not pattern.rest):
        return None
    words: list[str] = []
    for at, of_form in enumerate(_FORM):
        part = tail[at] if at < len(tail) else Wild()
        if isinstance(of_form, str):
            if isinstance(part, str) and part != of_form:
                return None
        else:
            words.append(part if isinstance(part, str) else "")
    if any(word and not _WORD.fullmatch(word) for word in words):
        return None
    return Accounts(*words)


@dataclass(frozen=True, slots=True)
class Callers:
    """Callers with a certificate who are `within` and none of `outside`, callers without one, or both.

    `certified`: True, False, or None for both.
    """

    certified: bool | None = None
    within: Accounts = EVERY_ACCOUNT
    outside: frozenset[Accounts] = frozenset()


def callers(certified: bool | None, within: Accounts | None, outside: Iterable[Accounts] = ()) -> Callers | None:
    """What these words come down to; None if nobody is meant. `within` None: no account."""
    if certified is not False and within is not None:
        left = {common for each in outside if (common := each.meet(within)) is not None}
        if within not in left:
            patterns = [each for each in left if not (each.namespace and each.name)]
            return Callers(certified, within, frozenset(each for each in left if not _is_said(each, patterns)))
    return None if certified else Callers(False)


def common_callers(several: Iterable[Callers]) -> Callers | None:
    """The callers that are in every one of these; None if there are none."""
    certified: bool | None = None
    within: Accounts | None = EVERY_ACCOUNT
    outside: set[Accounts] = set()
    for each in several:
        if certified is not None and each.certified is not None and certified != each.certified:
            return None
        certified = each.certified if certified is None else certified
        within = None if within is None else within.meet(each.within)
        outside |= each.outside
    return callers(certified, within, outside)


def _is_said(accounts: Accounts, patterns: Iterable[Accounts]) -> bool:
    return any(pattern != accounts and pattern.covers(accounts) for pattern in patterns)
