"""Certification paths from a leaf to an anchor (RFC 5280 §6.1), whatever the time.

Why not the verifier of cryptography or of OpenSSL: both answer yes or no at one instant. We need every path with the
time over which it holds, so that a verdict is known until it changes, and a reason from a closed list. cryptography's
also refuses Ed25519, names that are equal by §7.1 only, and name constraints on URIs and directory names; OpenSSL's
builds one path and tries no other when that one is revoked or constrained (docs/trust.md shows what was measured). So
the search and the rules are here, and keys and signatures stay with cryptography; the tests hold the verdicts against
its verifier.

Laws: an anchor may be any CA, and is held to the same rules as every CA save for the signature on itself. A leaf is
never its own anchor. The work is bounded, whatever is presented, and names are held against constraints only on a path
that an anchor vouches for.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from policies.peer.certificate import Certificate
from policies.peer.constraints import Name, names_of
from policies.peer.errors import DistinguishedNameError
from policies.peer.limits import (
    MAX_CHAIN_DEPTH,
    MAX_NAME_COMPARISONS,
    MAX_PATH_STEPS,
    MAX_PATHS,
    MAX_PRESENTED_SIGNATURES,
    MIN_RSA_BITS,
)
from policies.peer.name import DistinguishedName
from policies.peer.signature import rsa_shortness

#: Whether the second certificate's key made the signature on the first.
Verify = Callable[[Certificate, Certificate], bool]


@dataclass(frozen=True, slots=True)
class Path:
    """A verified path: leaf first, anchor last. All of it is valid from `valid_from` to `valid_until`, inclusive."""

    certificates: tuple[Certificate, ...]
    valid_from: float
    valid_until: float


@dataclass(frozen=True, slots=True)
class Authorities:
    """The CAs that one trust entry knows, by name."""

    anchors: frozenset[Certificate]
    by_name: Mapping[DistinguishedName, tuple[Certificate, ...]]

    @classmethod
    def of(cls, anchors: Iterable[Certificate], intermediates: Iterable[Certificate]) -> "Authorities":
        """Anchors come first where one name has several certificates."""
        anchors = tuple(anchors)
        found: defaultdict[DistinguishedName, dict[Certificate, None]] = defaultdict(dict)
        for certificate in (*anchors, *intermediates):
            found[certificate.subject][certificate] = None
        return cls(frozenset(anchors), {name: tuple(known) for name, known in found.items()})


@dataclass(slots=True)
class PathSearch:
    """One search. `presented`: what came with the leaf, trusted for nothing. `problem`: what ended the best attempt.

    `min_rsa_bits`: of every CA on a path.
    """

    authorities: Authorities
    presented: Sequence[Certificate]
    verify: Verify
    min_rsa_bits: int = MIN_RSA_BITS
    paths: list[Path] = field(default_factory=list)
    problem: str = ""
    _depth: int = -1
    _steps: int = MAX_PATH_STEPS
    _presented_signatures: int = MAX_PRESENTED_SIGNATURES
    _comparisons: int = MAX_NAME_COMPARISONS
    _names: dict[Certificate, tuple[Name, ...]] = field(default_factory=dict)

    def run(self, leaf: Certificate) -> None:
        """Find the paths of `leaf`, at most MAX_PATHS."""
        self._extend((leaf,))

    def run_below(self, ca: Certificate) -> None:
        """Find the paths of whatever `ca` issues, of which nothing else is known: `ca` itself stands for it."""
        self._extend((ca, ca))

    def _extend(self, path: tuple[Certificate, ...]) -> None:
        child = path[-1]
        if child.signature.weakness:
            self._note(path, f"{_called(child)}: {child.signature.weakness}")
            return
        issuers = self._issuers(child)
        if not issuers:
            self._note(
                path,
                f"no CA among the anchors, the intermediates and {len(self.presented)} presented certificates has the "
                f"name (and key identifier) of {child.issuer.text!r}, the issuer of {_called(child)}",
            )
        for issuer, presented in issuers:
            if self._steps == 0 or len(self.paths) == MAX_PATHS:
                return
            self._steps -= 1
            self._try(path, issuer, presented=presented)

    def _try(self, path: tuple[Certificate, ...], issuer: Certificate, *, presented: bool) -> None:
        """Go on with `issuer` above `path` if it may and did issue the last certificate of it."""
        problem = (
            _loop(path, issuer)
            or authority_problem(issuer)
            or rsa_shortness(issuer.public_key, self.min_rsa_bits)
            or _length_problem(path, issuer)
            or self._signature_problem(path[-1], issuer, presented=presented)
        )
        if problem:
            self._note(path, f"{_called(issuer)}: {problem}")
        elif issuer in self.authorities.anchors:
            self._finish((*path, issuer))
        elif len(path) > MAX_CHAIN_DEPTH:
            self._note(path, f"more than {MAX_CHAIN_DEPTH} CA certificates below an anchor")
        else:
            self._extend((*path, issuer))

    def _finish(self, certificates: tuple[Certificate, ...]) -> None:
        """Keep a path that leads to an anchor if the names on it keep the constraints of every CA above them."""
        for height, ca in enumerate(certificates):
            problem = self._constraint_problem(certificates[:height], ca)
            if problem:
                self._note(certificates[:-1], f"{_called(ca)}: {problem}")
                return
        self.paths.append(_path(certificates))

    def _constraint_problem(self, below: tuple[Certificate, ...], issuer: Certificate) -> str:
        """§6.1.3 (b), (c): the names of all below keep the constraints; self-issued CAs are exempt, the leaf is not."""
        constraints = issuer.extensions.name_constraints
        if constraints is None:
            return ""
        try:
            for certificate in below:
                if certificate is below[0] or not _self_issued(certificate):
                    names = self._names_of(certificate)
                    self._comparisons -= constraints.comparisons(names)
                    if self._comparisons < 0:
                        return f"names and name constraints take more than {MAX_NAME_COMPARISONS} comparisons"
                    violation = constraints.violation(names)
                    if violation:
                        return violation
        except DistinguishedNameError as error:
            return str(error)
        return ""

    def _names_of(self, certificate: Certificate) -> tuple[Name, ...]:
        names = self._names.get(certificate)
        if names is None:
            names = self._names[certificate] = names_of(certificate.subject, certificate.extensions.san)
        return names

    def _signature_problem(self, child: Certificate, issuer: Certificate, *, presented: bool) -> str:
        """Verify, but only so many signatures by keys that nobody configured."""
        if presented:
            if self._presented_signatures == 0:
                return "too many presented certificates could be the issuer"
            self._presented_signatures -= 1
        return "" if self.verify(child, issuer) else f"its key did not sign {_called(child)}"

    def _issuers(self, child: Certificate) -> list[tuple[Certificate, bool]]:
        """Candidates by name and, where both sides have one, key identifier; what is configured first."""
        known = self.authorities.by_name.get(child.issuer, ())
        found = [(issuer, False) for issuer in known]
        found += [(issuer, True) for issuer in self.presented if issuer.subject == child.issuer and issuer not in known]
        return [(issuer, presented) for issuer, presented in found if _key_ids_agree(child, issuer)]

    def _note(self, path: tuple[Certificate, ...], problem: str) -> None:
        """Keep the problem of the longest attempt; the first of equals."""
        if len(path) > self._depth:
            self._depth, self.problem = len(path), problem


def authority_problem(certificate: Certificate) -> str:
    """Why `certificate` can never issue client certificates, in words; empty if it can. Says nothing of dates."""
    if certificate.problems:
        return certificate.problems[0]
    if not certificate.is_ca:
        return "it is not a CA (basicConstraints)"
    if certificate.key_usage is not None and "keyCertSign" not in certificate.key_usage:
        return "its key usage lacks keyCertSign"
    purposes = certificate.extended_key_usage
    if purposes is not None and not purposes & {"clientAuth", "anyExtendedKeyUsage"}:
        return "its extended key usage lacks clientAuth"
    return ""


def _loop(path: tuple[Certificate, ...], issuer: Certificate) -> str:
    """One CA, by name and key, occurs once; nor does the leaf occur above itself."""
    again = any(
        issuer.spki_sha256 == certificate.spki_sha256 and issuer.subject == certificate.subject for certificate in path
    )
    return "it is already in the path" if again else ""


def _length_problem(path: tuple[Certificate, ...], issuer: Certificate) -> str:
    """§4.2.1.9: pathLenConstraint counts the CAs between issuer and leaf that are not self-issued."""
    limit = issuer.extensions.path_length
    between = sum(not _self_issued(certificate) for certificate in path[1:])
    return f"its path length is {limit}, {between} CAs are below it" if limit is not None and between > limit else ""


def _key_ids_agree(child: Certificate, issuer: Certificate) -> bool:
    wanted, found = child.extensions.authority_key_id, issuer.extensions.subject_key_id
    return wanted is None or found is None or wanted == found


def _self_issued(certificate: Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _path(certificates: tuple[Certificate, ...]) -> Path:
    return Path(
        certificates,
        max(certificate.not_before for certificate in certificates),
        min(certificate.not_after for certificate in certificates),
    )


def _called(certificate: Certificate) -> str:
    return f"{certificate.subject.text!r}" if certificate.subject.rdns else "the certificate"
