"""The standing of one certificate over time: facts that do not change, and the instants at which the verdict may.

Laws: a certificate is judged under each trust entry on its own, and the first failure in the order of `Reason` counts.
The verdict is constant between two boundaries, so it is computed once for each stretch of time that is asked about.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from policies.peer.certificate import Certificate, IdentityFacts
from policies.peer.chain import Path
from policies.peer.crl import Crl
from policies.peer.ocsp import OcspAnswer, OcspQuestion, OcspStatus
from policies.reason import CERTIFICATE_ORDER, Reason


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict on what was presented, constant over the closed interval [valid_from, valid_until] (epoch seconds).

    `reason` None: either no certificate (`facts` None, `trust` empty) or one that passes the entries in `trust`.
    Otherwise the certificate is refused for `reason`, and `problem` says it in words. `asked`: what was asked of OCSP
    responders; the verdict also ends when an answer to one of these changes. `maybe`: entries of which it is
    unknown whether the certificate passes them.
    """

    trust: frozenset[str]
    facts: IdentityFacts | None
    reason: Reason | None
    problem: str
    valid_from: float
    valid_until: float
    asked: tuple[OcspQuestion, ...] = ()
    maybe: frozenset[str] = frozenset()


#: A refusal: the reason, and the problem in words.
Failure = tuple[Reason, str]


@dataclass(frozen=True, slots=True)
class Candidacy:
    """What holds of one leaf under one trust entry, whatever the time.

    - `paths`: the verified paths, of which `revoked` tells those with a revoked certificate.
    - `untrusted`, `svid_invalid`: problems in words, empty if there is none.
    - `no_path`: what ended the best attempt at a path.
    - `skew`: seconds by which every date is widened at both ends; none where there is no path, as an entry that has
      nothing to say of a leaf does not prolong its life.
    - `proofs`: None, or the lists of which one must be current to prove the leaf good, unless an answer does.
    - `questions`: what is asked of the entry's responders; `answers`: what is known of each, None where nothing is.
    - `unnamed`: whether the leaf names no responder that the entry would ask.
    - `denounced`: that a responder of any entry calls the leaf revoked, in words; empty if none does.
    - `verified`: a proxy has built a path for this entry, so that none is needed here (law 8); `listed`: then, whether
      a CRL lists the leaf.
    """

    entry: str
    skew: float
    untrusted: str
    paths: tuple[Path, ...]
    no_path: str
    svid_invalid: str
    revoked: frozenset[Path]
    proofs: tuple[Crl, ...] | None
    questions: tuple[OcspQuestion, ...] = ()
    answers: tuple[OcspAnswer | None, ...] = ()
    unnamed: bool = False
    denounced: str = ""
    verified: bool = False
    listed: bool = False

    def failure(self, leaf: Certificate, time: float) -> Failure | None:
        """The first reason, in order, for which the entry refuses `leaf` at `time`; None if it passes."""
        if out_of_date := _leaf_out_of_date(leaf, time, self.skew):
            return out_of_date
        if self.untrusted or not (self.paths or self.verified):
            return Reason.CERTIFICATE_UNTRUSTED, self.untrusted or self.no_path
        live = [path for path in self.paths if within(path.valid_from, time, path.valid_until, self.skew)]
        if not (live or self.verified):
            return Reason.CERTIFICATE_UNTRUSTED, _out_of_date(self.paths[0], time, self.skew)
        if self.svid_invalid:
            return Reason.SVID_INVALID, self.svid_invalid
        if self.denounced:
            return Reason.CERTIFICATE_REVOKED, self.denounced
        if self.listed or (live and self.revoked.issuperset(live)):
            return Reason.CERTIFICATE_REVOKED, "a CRL lists the certificate or a CA above it"
        if self.proofs is not None and not any(within(span[0], time, span[1], self.skew) for span in self.good_spans):
            return Reason.REVOCATION_UNKNOWN, f"revocation is required, and {self._what_is_unknown()}"
        return None

    @property
    def good_spans(self) -> tuple[tuple[float, float], ...]:
        """The times for which a list or an answer proves the leaf good, inclusive."""
        answers = (answer for answer in self.answers if answer is not None and answer.status is OcspStatus.GOOD)
        return (
            *((crl.this_update, crl.next_update) for crl in self.proofs or ()),
            *((answer.valid_from, answer.valid_until) for answer in answers),
        )

    def answered(self, known: Mapping[OcspQuestion, OcspAnswer | None], denounced: str) -> "Candidacy":
        """The same with these answers."""
        return replace(self, answers=tuple(known[question] for question in self.questions), denounced=denounced)

    def _what_is_unknown(self) -> str:
        lists = "no CRL of its issuer is current" if self.proofs else "there is no CRL of its issuer"
        if self.unnamed:
            return f"it names no OCSP responder that the policy lets through; {lists}"
        if not self.questions:
            return lists
        states = dict.fromkeys(map(_answer_state, self.questions, self.answers or (None,) * len(self.questions)))
        return "; ".join((*states, lists) if self.proofs else states)


class Timeline:
    """The standings of one leaf, by time."""

    __slots__ = ("_candidacies", "_leaf", "_problem", "_standings", "_starts", "answers", "questions")

    def __init__(
        self,
        leaf: Certificate,
        problem: str,
        candidacies: Sequence[Candidacy],
        answers: tuple[OcspAnswer | None, ...] = (),
    ) -> None:
        """`problem`: why every entry refuses the leaf as untrusted, in words; empty if none does for itself.

        `answers`: to the `questions` of all candidacies, if responders are asked and were.
        """
        self.questions = tuple(dict.fromkeys(item for candidacy in candidacies for item in candidacy.questions))
        self.answers = answers
        self._leaf = leaf
        self._problem = problem
        self._candidacies = candidacies
        self._starts = _starts(leaf, candidacies)
        # A race computes one standing twice, with equal results.
        self._standings: list[Standing | None] = [None] * (len(self._starts) + 1)

    @property
    def vouched(self) -> bool:
        """Whether a path leads from the leaf to an anchor."""
        return any(candidacy.paths for candidacy in self._candidacies)

    def anchors_above(self, issuer: Certificate) -> frozenset[Certificate]:
        """The anchors of the paths on which `issuer` has signed the leaf."""
        paths = (path.certificates for candidacy in self._candidacies for path in candidacy.paths)
        return frozenset(path[-1] for path in paths if path[1] == issuer)

    @property
    def text_size(self) -> int:
        """Bytes that the problems of the entries take at most: each names certificates, and each is its own text."""
        return 4 * sum(len(candidacy.no_path) for candidacy in self._candidacies)

    def answered(self, answers: tuple[OcspAnswer | None, ...]) -> "Timeline":
        """The same leaf with these answers to `questions`. Who is revoked by one responder is so under every entry."""
        known = dict(zip(self.questions, answers, strict=True))
        denouncing = [question for question, answer in known.items() if answer and answer.status is OcspStatus.REVOKED]
        denounced = f"the OCSP responder {denouncing[0].source.url.text} says it is revoked" if denouncing else ""
        candidacies = [candidacy.answered(known, denounced) for candidacy in self._candidacies]
        return Timeline(self._leaf, self._problem, candidacies, answers)

    def at(self, time: float) -> Standing:
        """The standing at `time`, epoch seconds. What is no number counts as after all boundaries."""
        index = bisect_right(self._starts, time)
        standing = self._standings[index]
        if standing is None:
            standing = self._standings[index] = self._computed(index)
        return standing

    def _computed(self, index: int) -> Standing:
        start = self._starts[index - 1] if index else -math.inf
        end = math.nextafter(self._starts[index], -math.inf) if index < len(self._starts) else math.inf
        time = start if index else end
        failures = [(candidacy.entry, candidacy.failure(self._leaf, time)) for candidacy in self._candidacies]
        passed = frozenset(entry for entry, failure in failures if failure is None)
        if passed and not self._problem:
            return Standing(passed, self._leaf.identity, None, "", start, end, self.questions)
        reason, problem = self._failure_of_all(time) or _furthest(failures)
        return Standing(frozenset(), self._leaf.identity, reason, problem, start, end, self.questions)

    def _failure_of_all(self, time: float) -> Failure | None:
        """What refuses the leaf under every entry alike."""
        widest = max((candidacy.skew for candidacy in self._candidacies), default=0.0)
        if out_of_date := _leaf_out_of_date(self._leaf, time, widest):
            return out_of_date
        return (Reason.CERTIFICATE_UNTRUSTED, self._problem) if self._problem else None


def within(start: float, time: float, end: float, skew: float) -> bool:
    """Whether `time` is in a span that is widened by `skew` at both ends, which are inside. No number is outside."""
    return start - skew <= time <= end + skew


def _answer_state(question: OcspQuestion, answer: OcspAnswer | None) -> str:
    responder = f"the OCSP responder {question.source.url.text}"
    if answer is None:
        return f"{responder} has not told of it"
    return f"{responder} does not know it" if answer.status is OcspStatus.UNKNOWN else f"{responder}'s answer is stale"


def _leaf_out_of_date(leaf: Certificate, time: float, skew: float) -> Failure | None:
    if not leaf.not_before - skew <= time:
        return Reason.CERTIFICATE_NOT_YET_VALID, "the certificate is not valid yet"
    if not time <= leaf.not_after + skew:
        return Reason.CERTIFICATE_EXPIRED, "the certificate has expired"
    return None


def _furthest(failures: Iterable[tuple[str, Failure | None]]) -> Failure:
    """The failure of the entry where the certificate got furthest; the first of equals."""
    found = [(failure[0], f"{entry}: {failure[1]}") for entry, failure in failures if failure is not None]
    nowhere = (Reason.CERTIFICATE_UNTRUSTED, "the policy has no trust entry")
    return max(found, key=lambda failure: CERTIFICATE_ORDER.index(failure[0]), default=nowhere)


def _starts(leaf: Certificate, candidacies: Iterable[Candidacy]) -> list[float]:
    """Every instant from which something may differ from just before it: a start, or the first moment after an end."""
    spans = {(leaf.not_before, leaf.not_after)}
    for candidacy in candidacies:
        dates = {(leaf.not_before, leaf.not_after)}
        dates.update((path.valid_from, path.valid_until) for path in candidacy.paths)
        dates.update((ca.not_before, ca.not_after) for path in candidacy.paths[:1] for ca in path.certificates)
        dates.update(candidacy.good_spans)
        spans.update((start - candidacy.skew, end + candidacy.skew) for start, end in dates)
    return sorted({start for start, _ in spans} | {math.nextafter(end, math.inf) for _, end in spans})


def _out_of_date(path: Path, time: float, skew: float) -> str:
    """Which certificate of `path` is not valid at `time`; its leaf is."""
    for ca in path.certificates[1:]:
        if time < ca.not_before - skew:
            return f"the CA {ca.subject.text!r} is not valid yet"
        if time > ca.not_after + skew:
            return f"the CA {ca.subject.text!r} has expired"
    return "no certification path is valid at this time"
