"""Who calls, as the `from` of an Istio rule: compiled selectors as alternatives of principals and exclusions.

Of a certificate Istio sees the SPIFFE ID. What asks for anything else in it is refused.
"""

from collections.abc import Iterable, Sequence
from itertools import product

from policies.authoring.istio.exporting.accounts import (
    EVERY_ACCOUNT,
    Callers,
    accounts_from_pattern,
    callers,
    common_callers,
)
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
Ways = tuple[Callers, ...]
#: How an Istio source says that nobody has shown a certificate.
_ANY_PRINCIPAL = ["*"]
_ASK = "or ask peergate: --form ext-authz"
_FORM_HINT = f"they are called spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT; take it out, {_ASK}"


def sources_of_callers(ways: Sequence[Callers], trust_domain: str) -> list[Source]:
    """The sources that mean just these callers; one without a field means anybody."""
    together: dict[tuple[bool | None, tuple[str, ...]], dict[str, None]] = {}
    for way in ways:
        excluded = tuple(accounts.principal(trust_domain) for accounts in sorted(way.outside))
        principals = together.setdefault((way.certified, excluded), {})
        if way.certified:
            principals[way.within.principal(trust_domain)] = None
    return [_source(certified, list(principals), excluded) for (certified, excluded), principals in together.items()]


def _source(certified: bool | None, principals: list[str], excluded: tuple[str, ...]) -> Source:
    if certified is False:
        return {"notPrincipals": _ANY_PRINCIPAL}
    source: Source = {"principals": principals} if certified else {}
    return {**source, "notPrincipals": list(excluded)} if excluded else source


class CallersOf:
    """Says of identities which callers they mean; what a named one means is found out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], Ways] = {}

    def identity(self, identity: Identity, *, allowed: bool) -> Ways:
        """The callers that `identity` means under `allow` or `deny`, as alternatives. Raises UnsayableError."""
        ways = self._ways(identity.selector, is_true=True)
        if not allowed or identity.selector.admits_unauthenticated():
            return ways
        return _distinct(callers(True, way.within, way.outside) for way in ways if way.certified is not False)

    def _ways(self, selector: Selector, *, is_true: bool) -> Ways:
        """The callers for whom `selector` is true, or false."""
        match selector:
            case Reference(name=name, target=target):
                if (name, is_true) not in self._known:
                    self._known[name, is_true] = self._ways(target, is_true=is_true)
                return self._known[name, is_true]
            case Not(part):
                return self._ways(part, is_true=not is_true)
            case AllOf(parts) | AnyOf(parts):
                each = [self._ways(part, is_true=is_true) for part in parts]
                return _all_of(each) if isinstance(selector, AllOf) is is_true else _any_of(each)
            case Anyone():
                return (Callers(),) if is_true else ()
            case Authenticated() | TrustIs():
                return (Callers(is_true),)
            case Unauthenticated():
                return (Callers(not is_true),)
            case UriIs():
                return _of_uri(selector, is_true=is_true)
        message = f"of a certificate Istio compares the SPIFFE ID, not {quoted(field_text(selector))}"
        raise UnsayableError(ExportCode.CALLER, message, f"tell the callers by `uri`, {_ASK}")


def _of_uri(selector: UriIs, *, is_true: bool) -> Ways:
    pattern = selector.pattern
    if len(pattern.places) != len(pattern.captures):
        message = f"Istio cannot compare two parts of {quoted(str(pattern))}"
        raise UnsayableError(ExportCode.CALLER, message, f"name the callers one by one, {_ASK}")
    accounts = None if selector.trust is None else accounts_from_pattern(pattern)
    if accounts is None:
        message = f"no workload of a mesh has the name {quoted(str(pattern))}"
        raise UnsayableError(ExportCode.CALLER, message, _FORM_HINT)
    return _distinct([callers(True, accounts) if is_true else callers(None, EVERY_ACCOUNT, (accounts,))])


def _all_of(each: Sequence[Ways]) -> Ways:
    """The callers that are in one alternative of each."""
    found = _distinct([common_callers(ways[0] for ways in each if len(ways) == 1)])
    for ways in each:
        if len(ways) != 1:
            if len(found) * len(ways) > MAX_COMBINATIONS:
                message = f"its callers come down to more than {MAX_COMBINATIONS} combinations"
                raise UnsayableError(ExportCode.CALLER, message, f"split it into several rules, {_ASK}")
            found = _distinct(common_callers(pair) for pair in product(found, ways))
    return found


def _any_of(each: Iterable[Ways]) -> Ways:
    return _distinct(way for ways in each for way in ways)


def _distinct(ways: Iterable[Callers | None]) -> Ways:
    return tuple(dict.fromkeys(way for way in ways if way is not None))
