"""Several trust entries inside Envoy: the issuer tells the entry, and nobody gets in under another one's name."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from extauth.native.issuers import trust_by_issuer
from fuzz.native.cases import Call, Question, Scenario
from fuzz.native.compare import Outcome, compared, policy_of
from fuzz.native.world import Caller, World
from pki.authority import Authority, Issued

SPIFFE = (
    "{mesh: {spiffe_trust_domain: td, anchors: [mesh.pem], intermediates: [issuing.pem]}, "
    "partners: {spiffe_trust_domain: other, anchors: [partners.pem], intermediates: [branch.pem]}}"
)
DNS = "{mesh: {anchors: [mesh.pem]}, partners: {anchors: [partners.pem]}}"
BY_ENTRY = (
    "{id: ours, allow: {trust: mesh}, to: {paths: [/ours]}}",
    "{id: theirs, allow: {trust: partners}, to: {paths: [/theirs]}}",
)
OURS, THEIRS = ("spiffe://td/a",), ("spiffe://other/a",)


class AttackWorld(World):
    """With authorities whose names are odd, or that write another's name as the issuer of what they sign."""

    def __init__(self, names: dict[str, x509.Name] | None = None) -> None:
        super().__init__()
        for name, subject in (names or {}).items():
            self.authorities[name] = Authority.root(subject)
        ours, theirs = self.authorities["mesh"], self.authorities["partners"]
        self.authorities["forging"] = _says(theirs, ours.issued.certificate.subject)
        self.authorities["shouting"] = _says(ours, _name("MESH"))
        self.authorities["shouting-theirs"] = _says(theirs, _name("PARTNERS"))


def _says(authority: Authority, issuer: x509.Name) -> Authority:
    """`authority`, whose leaves say that `issuer` has issued them. It presents no CA."""
    root = Authority.root(issuer)
    return Authority(Issued(root.issued.certificate, authority.issued.key), authority.now)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@pytest.fixture(scope="module")
def world() -> World:
    return AttackWorld()


def asked(binary: Path, folder: Path, world: World, trust: str, callers: Sequence[Caller | None]) -> Outcome:
    """Each caller asks for what is ours and what is theirs. Whatever differs from the engine fails."""
    questions = (Question("GET", "/ours", ("h.x",)), Question("GET", "/theirs", ("h.x",)))
    calls = tuple(Call(caller, "127.0.0.2", questions) for caller in callers)
    outcome = compared(binary, world, [Scenario(trust, BY_ENTRY, calls)], folder)
    assert [seed.text for seed in outcome.differences] == []
    assert outcome.cases == 2 * len(callers)
    return outcome


def test_envoy_decides_about_the_callers_of_each_entry(envoy_binary: Path, tmp_path: Path, world: World) -> None:
    callers = [Caller(by, uri=OURS) for by in ("mesh", "issuing")] + [
        Caller(by, uri=THEIRS) for by in ("partners", "branch")
    ]
    outcome = asked(envoy_binary, tmp_path, world, SPIFFE, [*callers, None])
    assert (outcome.decided, outcome.allowed) == (10, 4)


def test_envoy_tells_entries_apart_that_have_callers_of_the_same_dns_names(
    envoy_binary: Path, tmp_path: Path, world: World
) -> None:
    outcome = asked(envoy_binary, tmp_path, world, DNS, [Caller(by, dns=("a.x",)) for by in ("mesh", "partners")])
    assert (outcome.decided, outcome.allowed) == (4, 2)


@pytest.mark.parametrize(
    "caller",
    [
        Caller("partners", uri=OURS),
        Caller("branch", uri=OURS),
        Caller("mesh", uri=THEIRS),
        # A CA below the partner's that has the name of ours, presented with the leaf.
        Caller("posing", uri=OURS),
        Caller("posing", uri=THEIRS),
        # Our own CA, with a certificate that the partner has made for it.
        Caller("crossed", uri=THEIRS),
        Caller("crossed", dns=("a.x",)),
        # The partner's key, under our name as the issuer.
        Caller("forging", uri=OURS, bare=True),
        Caller("forging", uri=THEIRS, bare=True),
        Caller("stranger", uri=OURS),
        Caller("partners", uri=(*OURS, *THEIRS)),
        Caller("partners", uri=THEIRS, server_only=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("trust", [SPIFFE, DNS], ids=["spiffe", "dns"])
def test_envoy_lets_nobody_in_under_the_name_of_another_entry(
    envoy_binary: Path, tmp_path: Path, world: World, trust: str, caller: Caller
) -> None:
    assert asked(envoy_binary, tmp_path, world, trust, [caller]).allowed == 0


def test_a_ca_that_writes_its_name_in_another_way_is_asked_about(
    envoy_binary: Path, tmp_path: Path, world: World
) -> None:
    """Envoy's TLS library takes `CN=MESH` for `CN=mesh`, as the engine does; the look-up does not."""
    callers = [Caller("shouting", uri=OURS, bare=True), Caller("shouting-theirs", uri=THEIRS, bare=True)]
    outcome = asked(envoy_binary, tmp_path, world, SPIFFE, callers)
    assert (outcome.asked, outcome.decided) == (4, 0)


@pytest.mark.parametrize(
    "partners",
    [
        # One CA in both, one above the other, and a CA of one by the name of another's.
        "anchors: [mesh.pem]",
        "anchors: [issuing.pem]",
        "anchors: [partners.pem], intermediates: [posing.pem]",
        "anchors: [partners.pem], intermediates: [crossed.pem]",
    ],
)
def test_entries_whose_cas_are_related_are_asked_about(
    envoy_binary: Path, tmp_path: Path, world: World, partners: str
) -> None:
    trust = f"{{mesh: {{spiffe_trust_domain: td, anchors: [mesh.pem]}}, partners: {{{partners}}}}}"
    callers = [Caller(by, uri=OURS) for by in ("mesh", "issuing", "posing", "crossed", "partners")]
    callers += [Caller(by, dns=("a.x",)) for by in ("mesh", "issuing", "posing", "crossed", "partners")]
    assert asked(envoy_binary, tmp_path, world, trust, callers).decided == 0


def test_of_related_entries_only_those_are_asked_about(envoy_binary: Path, tmp_path: Path, world: World) -> None:
    trust = (
        "{mesh: {spiffe_trust_domain: td, anchors: [mesh.pem]}, again: {anchors: [issuing.pem]}, "
        "partners: {spiffe_trust_domain: other, anchors: [partners.pem]}}"
    )
    callers = [Caller("mesh", uri=OURS), Caller("issuing", dns=("a.x",)), Caller("partners", uri=THEIRS)]
    outcome = asked(envoy_binary, tmp_path, world, trust, callers)
    assert (outcome.asked, outcome.decided, outcome.allowed) == (4, 2, 1)


ODD_NAMES = {
    "comma": [(NameOID.ORGANIZATION_NAME, "Acme, Inc. + Sons; (West)"), (NameOID.COMMON_NAME, "Issuing's CA: 2/B @ *")],
    "serial": [(NameOID.COUNTRY_NAME, "US"), (NameOID.ORGANIZATION_NAME, "SPIFFE"), (NameOID.SERIAL_NUMBER, "17")],
    "mail": [(NameOID.DOMAIN_COMPONENT, "example"), (NameOID.EMAIL_ADDRESS, "ca@x.example"), (NameOID.USER_ID, "u")],
    "blanks": [(NameOID.COMMON_NAME, "two  blanks")],
}
UNSAID_NAMES = {
    "umlaut": [(NameOID.COMMON_NAME, "Zürich CA")],
    "equals": [(NameOID.COMMON_NAME, "a=b")],
    "hash": [(NameOID.COMMON_NAME, "#a")],
    "quoted": [(NameOID.COMMON_NAME, 'the "CA" <1>')],
    "backslash": [(NameOID.COMMON_NAME, "a\\b")],
    "blank-at-the-end": [(NameOID.COMMON_NAME, "a ")],
    "surname": [(NameOID.SURNAME, "a"), (NameOID.COMMON_NAME, "a")],
}


@pytest.mark.parametrize(("name", "native"), [*((n, True) for n in ODD_NAMES), *((n, False) for n in UNSAID_NAMES)])
def test_the_name_of_a_ca_is_looked_up_as_envoy_writes_it_or_asked_about(
    envoy_binary: Path, tmp_path: Path, name: str, native: bool
) -> None:
    parts = (ODD_NAMES | UNSAID_NAMES)[name]
    world = AttackWorld({name: x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])})
    trust = f"{{mesh: {{anchors: [mesh.pem]}}, partners: {{anchors: [{name}.pem]}}}}"
    outcome = asked(envoy_binary, tmp_path, world, trust, [Caller(name, dns=("a.x",))])
    assert (outcome.decided, outcome.asked) == ((2, 0) if native else (0, 2))


def test_a_record_names_the_entry_of_the_issuer(world: World) -> None:
    policy = policy_of(Scenario(SPIFFE, BY_ENTRY, ()), world)
    assert policy is not None
    of_issuer = trust_by_issuer(policy.trust.entries)
    assert [of_issuer(issuer) for issuer in ("CN=mesh", "CN=issuing", "CN=branch", "CN=MESH", "CN=stranger", "")] == [
        *(("mesh",), ("mesh",), ("partners",), (), (), ()),
    ]
