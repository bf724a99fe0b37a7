"""Who calls, as the `from` of an Istio rule: compiled selectors as alternatives of principals and exclusions.

Of a certificate Istio sees the SPIFFE ID. What asks for anything else in it is refused.
"""

from collections.abc import Iterable, Sequence
from itertools import product

from policies.authoring.istio.exporting.accounts import EVERY_ACCOUNT, Callers, accounts_from_pattern, callers
from policies.authoring.istio.exporting.codes import ExportCode
from policies.authoring.istio.exporting.errors import UnsayableError
from policies.authoring.istio.exporting.limits import MAX_COMBINATIONS
from policies.authoring.selector_words import field_text
from policies.engine.rule import Identity
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    Not,
    Reference,
    Selector,
    TrustIs,
    Unauthenticated,
    UriIs,
)
from policies.language.wording import quoted

Source = dict[str, list[str]]
#: Alternatives.
_Ways = tuple[Callers, ...]
#: How an Istio source says that nobody has shown a certificate.
_ANY_PRINCIPAL = ["*"]
_ASK = "or ask peergate: --form ext-authz"
_FORM_HINT = f"they are called spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT; take it out, {_ASK}"


def callers_of_identity(identity: Identity, *, allowed: bool) -> _Ways:
    """The callers that `identity` means under `allow` or `deny`, as alternatives. Raises UnsayableError."""
    ways = _ways(identity.selector, is_true=True)
    if not allowed or identity.selector.admits_unauthenticated():
        return ways
    return _distinct(callers(True, way.within, way.outside) for way in ways if way.certified is not False)


def sources_of_callers(ways: Sequence[Callers], trust_domain: str) -> list[Source]:
    """The sources that mean just these callers; one without a field means anybody."""
    together: dict[tuple[bool | None, tuple[str, ...]], list[str]] = {}
    for way in ways:
        excluded = tuple(accounts.principal(trust_domain) for accounts in sorted(way.outside))
        principals = together.setdefault((way.certified, excluded), [])
        if way.certified and (principal := way.within.principal(trust_domain)) not in principals:
            principals.append(principal)
    return [_source(certified, principals, excluded) for (certified, excluded), principals in together.items()]


def _source(certified: bool | None, principals: list[str], excluded: tuple[str, ...]) -> Source:
    if certified is False:
        return {"notPrincipals": _ANY_PRINCIPAL}
    source: Source = {"principals": principals} if certified else {}
    return {**source, "notPrincipals": list(excluded)} if excluded else source


def _ways(selector: Selector, *, is_true: bool) -> _Ways:
    """The callers for whom `selector` is true, or false."""
    match selector:
        case Reference(target=target):
            return _ways(target, is_true=is_true)
        case Not(part):
            return _ways(part, is_true=not is_true)
        case AllOf(parts) | AnyOf(parts):
            each = [_ways(part, is_true=is_true) for part in parts]
            return (
                _common(each) if isinstance(selector, AllOf) is is_true else _distinct(w for ways in each for w in ways)
            )
        case Anyone():
            return (Callers(),) if is_true else ()
        case Authenticated() | TrustIs():
            return (Callers(is_true),)
        case Unauthenticated():
            return (Callers(not is_true),)
        case UriIs():
            return _of_uri(selector, is_true=is_true)
    kind = field_text(selector)
    message = f"of a certificate Istio compares the SPIFFE ID, not {quoted(kind)}"
    raise UnsayableError(ExportCode.CALLER, message, f"tell the callers by `uri`, {_ASK}")


def _of_uri(selector: UriIs, *, is_true: bool) -> _Ways:
    pattern = selector.pattern
    if len(pattern.places) != len(pattern.captures):
        message = f"Istio cannot compare two parts of {quoted(str(pattern))}"
        raise UnsayableError(ExportCode.CALLER, message, "name the callers one by one")
    accounts = None if selector.trust is None else accounts_from_pattern(pattern)
    if accounts is None:
        raise UnsayableError(
            ExportCode.CALLER, f"no workload of a mesh has the name {quoted(str(pattern))}", _FORM_HINT
        )
    found = callers(True, accounts) if is_true else callers(None, EVERY_ACCOUNT, (accounts,))
    return _distinct((found,))


def _common(each: Sequence[_Ways]) -> _Ways:
    """The callers that are in one alternative of each."""
    found: _Ways = (Callers(),)
    for ways in each:
        found = _distinct(one.meet(other) for one, other in product(found, ways))
    return found


def _distinct(ways: Iterable[Callers | None]) -> _Ways:
    found = tuple(dict.fromkeys(way for way in ways if way is not None))
    if len(found) > MAX_COMBINATIONS:
        message = f"its callers come down to more than {MAX_COMBINATIONS} combinations"
        raise UnsayableError(ExportCode.CALLER, message, "split it into several rules")
    return found
