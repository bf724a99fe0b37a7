"""Who an Istio source means, as identities of peergate.

Istio takes namespace and service account from a SPIFFE ID of the form `TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, in any
trust domain. Patterns that lean on the form are exact for callers who have it; `Identities.leans_on_form` says whether
a policy must refuse the others.
"""

import hashlib
import re
from collections.abc import Callable, Iterable

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.errors import NotCarriedError
from policies.authoring.istio.resource import Texts
from policies.language.names import RESERVED_NAMES
from policies.language.node import Scalar
from policies.language.problem import Problems
from policies.language.wording import quoted

#: What Istio writes for the trust domain of the mesh, whatever that is called.
ISTIO_DEFAULT_DOMAIN = "cluster.local"
AUTHENTICATED = "authenticated"
#: SPIFFE ID §2.1 and §2.2.
TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
_MAX_NAME_CHARS = 100
_FORM_PARTS = 4
_WHOLE = "write whole segments, such as cluster.local/ns/NAMESPACE/sa/ACCOUNT or cluster.local/ns/NAMESPACE/*"

Selector = str | dict[str, object]


class Identities:
    """The identities that an import has needed so far, each under one name. `domains`: all trust domains of it."""

    def __init__(self, mesh_domain: str, domains: Iterable[str]) -> None:
        self._mesh = mesh_domain
        self._domains = tuple(domains)
        self.named: dict[str, tuple[str, ...]] = {}
        self.leans_on_form = False

    def of_principals(self, values: Texts, problems: Problems) -> tuple[str, ...]:
        """The names of `principals`."""
        return self._each(values, self._principal, problems)

    def of_namespaces(self, values: Texts, problems: Problems) -> tuple[str, ...]:
        """The names of `namespaces`."""
        return self._each(values, self._namespace, problems)

    def of_service_accounts(self, namespace: str, values: Texts, problems: Problems) -> tuple[str, ...]:
        """The names of `serviceAccounts`; one without a namespace is of the policy's own."""
        return self._each(values, lambda value: self._service_account(namespace, value), problems)

    def of_form(self) -> str:
        """Every caller whose name has the form."""
        return self._named("istio-workload", [f"spiffe://{domain}/ns/*/sa/*" for domain in self._domains])

    def _each(self, values: Texts, name: Callable[[Scalar], str], problems: Problems) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for value in values:
            try:
                names[name(value)] = None
            except NotCarriedError as error:
                problems.add(error.word.at, error.code, error.message, error.hint)
        return tuple(names)

    def _principal(self, value: Scalar) -> str:
        text = value.text
        if text == "*":
            return AUTHENTICATED
        if text.startswith("*/"):
            return self._any_domain(value)
        start = text.removesuffix("/*")
        domain, *segments = start.split("/")
        is_prefix = start != text
        if not TRUST_DOMAIN.fullmatch(domain) or not all(map(_is_segment, segments)) or not (segments or is_prefix):
            message, hint = f"peergate compares whole segments of a principal, not {quoted(text)}", _WHOLE
            if text.startswith("spiffe://"):
                message = f"{quoted(text)}: Istio's principals have no spiffe://, so no caller has this one"
                hint = "leave spiffe:// out"
            raise NotCarriedError(value, ImportCode.INEXACT, message, hint)
        domain = self._mesh if domain == ISTIO_DEFAULT_DOMAIN else domain
        tail = "/*/**" if is_prefix else ""
        return self._named(
            self._title(domain, segments, is_prefix), [f"spiffe://{'/'.join([domain, *segments])}{tail}"]
        )

    def _any_domain(self, value: Scalar) -> str:
        """`*/sa/ACCOUNT` or `*/ns/NAMESPACE/sa/ACCOUNT`: the end of a name of the form."""
        segments = value.text.split("/")[1:]
        parts = ["ns", "*", *segments] if segments[:1] == ["sa"] else segments
        if parts[0] != "ns" or len(parts) != _FORM_PARTS or parts[2] != "sa" or not all(map(_is_segment, segments)):
            message = f"{quoted(value.text)}: peergate's identities start at the trust domain"
            hint = "of a principal's end it knows */ns/NAMESPACE/sa/ACCOUNT and */sa/ACCOUNT"
            raise NotCarriedError(value, ImportCode.INEXACT, message, hint)
        return self._of_form(f"{'any' if parts[1] == '*' else parts[1]}.{parts[3]}", "/".join(parts))

    def _namespace(self, value: Scalar) -> str:
        if value.text == "*":
            self.leans_on_form = True
            return self.of_form()
        if not _is_segment(value.text):
            message = f"peergate compares whole segments of a name, not the namespace {quoted(value.text)}"
            raise NotCarriedError(value, ImportCode.INEXACT, message, "list the namespaces")
        return self._of_form(f"namespace-{value.text}", f"ns/{value.text}/sa/*")

    def _service_account(self, namespace: str, value: Scalar) -> str:
        before, slash, account = value.text.rpartition("/")
        space = before if slash else namespace
        if not _is_segment(space) or not _is_segment(account):
            message = f"{quoted(value.text)} is no service account"
            raise NotCarriedError(value, ImportCode.INVALID, message, "write NAMESPACE/ACCOUNT, without wildcards")
        return self._of_form(f"{space}.{account}", f"ns/{space}/sa/{account}")

    def _of_form(self, title: str, path: str) -> str:
        self.leans_on_form = True
        return self._named(title, [f"spiffe://{domain}/{path}" for domain in self._domains])

    def _title(self, domain: str, segments: list[str], is_prefix: bool) -> str:
        is_form = len(segments) == _FORM_PARTS and segments[0] == "ns" and segments[2] == "sa"
        words = [segments[1], segments[3]] if is_form else segments
        words = words if domain == self._mesh and words else [domain, *words]
        return ".".join([*words, "any"] if is_prefix else words)

    def _named(self, title: str, uris: list[str]) -> str:
        """The name of what `uris` mean: `title`, or with a number if that is taken by something else."""
        title = short_name(title)
        name, number = title, 1
        while self.named.get(name, tuple(uris)) != tuple(uris):
            number += 1
            name = f"{title}-{number}"
        self.named[name] = tuple(uris)
        return name


def selectors(groups: list[tuple[str, ...]], excluded: tuple[str, ...], *, denied: bool) -> list[Selector]:
    """Callers that are in every one of `groups` and in none of `excluded`, for `deny` or for `allow`.

    Without a group a caller without a certificate is meant too, as Istio has it. Empty: nobody.
    """
    if AUTHENTICATED in excluded:
        return [] if groups else ["unauthenticated"]
    others: Selector = {"not": _any_of(excluded)}
    if not groups:
        if denied:
            return [others] if excluded else ["anyone"]
        return ["unauthenticated", others if excluded else AUTHENTICATED]
    named = [group for group in groups if AUTHENTICATED not in group]
    if len(named) == 1 and not excluded:
        return list(named[0])
    parts = [*map(_any_of, named)] or [AUTHENTICATED]
    if excluded:
        parts.append(others)
    return [parts[0] if len(parts) == 1 else {"all": parts}]


def short_name(text: str) -> str:
    """`text` as a name of the language; what is too long is cut, and told from others by a hash."""
    if not text[0].isalnum() or text in RESERVED_NAMES:
        text = f"istio-{text}"
    if len(text) <= _MAX_NAME_CHARS:
        return text
    return f"{text[:_MAX_NAME_CHARS]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _any_of(names: tuple[str, ...]) -> Selector:
    return names[0] if len(names) == 1 else {"any": list(names)}


def _is_segment(text: str) -> bool:
    return _SEGMENT.fullmatch(text) is not None and text not in {".", ".."}
