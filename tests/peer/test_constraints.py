"""Name constraints (RFC 5280 §4.2.1.10)."""

from ipaddress import ip_network

import pytest
from cryptography import x509

from policies.peer.constraints import NameConstraints, name_constraints_from_der, names_of
from policies.peer.der import DerError
from policies.peer.errors import CertificateError
from policies.peer.general_name import NO_SUBJECT_ALT_NAMES, SubjectAltNames
from policies.peer.name import DistinguishedName
from tests.peer.forge import alternative_names, authority, certificate, named, raw_extension, tlv

EMPTY = DistinguishedName.parse("")


def constraints(
    permitted: list[x509.GeneralName] | None = None, excluded: list[x509.GeneralName] | None = None
) -> NameConstraints:
    extension = x509.NameConstraints(permitted, excluded)
    found = authority(extra=[(extension, True)]).parsed.extensions.name_constraints
    assert found is not None
    return found


def san(**names: list[str]) -> SubjectAltNames:
    return certificate(extensions=[alternative_names(**names)]).parsed.extensions.san


def violation(of: NameConstraints, subject: DistinguishedName, names: SubjectAltNames) -> str:
    return of.violation(names_of(subject, names))


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


@pytest.mark.parametrize(
    ("base", "name", "inside"),
    [
        (x509.DNSName("acme.example"), {"dns": ["acme.example"]}, True),
        (x509.DNSName("acme.example"), {"dns": ["A.ACME.example"]}, True),
        (x509.DNSName("acme.example"), {"dns": ["xacme.example"]}, False),
        (x509.DNSName("acme.example"), {"dns": ["example"]}, False),
        (x509.DNSName(".acme.example"), {"dns": ["a.acme.example"]}, True),
        (x509.DNSName(".acme.example"), {"dns": ["acme.example"]}, False),
        (x509.DNSName(""), {"dns": ["anything"]}, True),
        (uri("acme.internal"), {"uri": ["spiffe://acme.internal/a"]}, True),
        (uri("acme.internal"), {"uri": ["https://u@acme.internal:443/a"]}, True),
        (uri("acme.internal"), {"uri": ["spiffe://a.acme.internal/a"]}, False),
        (uri(".acme.internal"), {"uri": ["spiffe://a.acme.internal/a"]}, True),
        (uri(".acme.internal"), {"uri": ["spiffe://acme.internal/a"]}, False),
        (uri("acme.internal"), {"uri": ["spiffe://evil/acme.internal"]}, False),
        (x509.RFC822Name("a@acme.example"), {"email": ["a@ACME.example"]}, True),
        (x509.RFC822Name("a@acme.example"), {"email": ["b@acme.example"]}, False),
        (x509.RFC822Name("acme.example"), {"email": ["b@acme.example"]}, True),
        (x509.RFC822Name("acme.example"), {"email": ["b@x.acme.example"]}, False),
        (x509.RFC822Name(".acme.example"), {"email": ["b@x.acme.example"]}, True),
        (x509.IPAddress(ip_network("10.0.0.0/8")), {"ip": ["10.1.2.3"]}, True),
        (x509.IPAddress(ip_network("10.0.0.0/8")), {"ip": ["11.1.2.3"]}, False),
        (x509.IPAddress(ip_network("10.0.0.0/8")), {"ip": ["::a00:1"]}, False),
        (x509.IPAddress(ip_network("fd00::/8")), {"ip": ["fd00::1"]}, True),
        (x509.DNSName("acme.example."), {"dns": ["a.acme.example"]}, True),
        (x509.DNSName("acme.example"), {"dns": ["a.acme.example."]}, True),
        (uri("acme.internal."), {"uri": ["spiffe://acme.internal/a"]}, True),
        (x509.RFC822Name("acme.example."), {"email": ["b@acme.example"]}, True),
        (x509.RFC822Name("a@acme.example."), {"email": ["a@acme.example"]}, True),
        (x509.RFC822Name("a@acme.example"), {"email": ["a@acme.example."]}, True),
    ],
)
def test_a_name_within_a_subtree_is_permitted_by_it_and_excluded_by_it(
    base: x509.GeneralName, name: dict[str, list[str]], inside: bool
) -> None:
    names = san(**name)
    assert (violation(constraints(permitted=[base]), EMPTY, names) == "") is inside
    assert (violation(constraints(excluded=[base]), EMPTY, names) != "") is inside


@pytest.mark.parametrize(
    "name",
    [
        *("urn:a:b", "spiffe:acme.internal", "spiffe://1.2.3.4/a", "spiffe://[::1]/a", "a"),
        *("https://%61cme.internal/a", "https://acme.internal\\@b.example/a", "https://acme.internal../a"),
    ],
)
@pytest.mark.parametrize("excluded", [False, True])
def test_law_a_uri_without_a_host_name_violates_any_uri_constraint(name: str, excluded: bool) -> None:
    base = [uri("acme.internal")]
    found = constraints(excluded=base) if excluded else constraints(permitted=base)
    assert violation(found, EMPTY, san(uri=[name]))


@pytest.mark.parametrize("name", ["acme.example..", "a..acme.example", " acme.example", "acme.example:1", "."])
@pytest.mark.parametrize("excluded", [False, True])
def test_law_a_dns_name_that_is_none_violates_any_dns_constraint(name: str, excluded: bool) -> None:
    base: list[x509.GeneralName] = [x509.DNSName("acme.example")]
    assert violation(constraints(excluded=base) if excluded else constraints(base), EMPTY, SubjectAltNames(dns=(name,)))


def test_law_an_ipv4_address_written_as_ipv6_is_held_against_the_constraints_of_both() -> None:
    mapped = san(ip=["::ffff:10.1.2.3"])
    for network in ("10.0.0.0/8", "::ffff:0:0/96"):
        assert violation(constraints(excluded=[x509.IPAddress(ip_network(network))]), EMPTY, mapped)
        assert violation(constraints([x509.IPAddress(ip_network(network))]), EMPTY, mapped)
    both: list[x509.GeneralName] = [x509.IPAddress(ip_network(network)) for network in ("10.0.0.0/8", "::/0")]
    assert not violation(constraints(both), EMPTY, mapped)


def test_law_an_address_without_exactly_one_at_violates_any_email_constraint() -> None:
    for text in ("a", "a@b@acme.example"):
        assert violation(constraints([x509.RFC822Name("acme.example")]), EMPTY, SubjectAltNames(email=(text,)))


def test_the_subject_is_held_against_directory_names() -> None:
    acme = x509.DirectoryName(x509.Name(list(named("x", organization_name="ACME"))[:1]))
    inside, outside = DistinguishedName.parse("CN=a,O=Acme"), DistinguishedName.parse("O=Acme,CN=a")
    assert not violation(constraints([acme]), inside, NO_SUBJECT_ALT_NAMES)
    assert violation(constraints([acme]), outside, NO_SUBJECT_ALT_NAMES)
    assert violation(constraints(None, [acme]), inside, NO_SUBJECT_ALT_NAMES)
    assert not violation(constraints([acme]), EMPTY, NO_SUBJECT_ALT_NAMES)


def test_without_an_email_san_the_email_address_of_the_subject_is_held_against_email_constraints() -> None:
    found = constraints([x509.RFC822Name("acme.example")])
    subject = DistinguishedName.parse("emailAddress=a@evil.example")
    assert violation(found, subject, NO_SUBJECT_ALT_NAMES)
    assert not violation(found, subject, SubjectAltNames(email=("a@acme.example",)))


def test_a_type_without_constraints_is_free() -> None:
    assert not violation(
        constraints([x509.DNSName("acme.example")]), EMPTY, san(uri=["spiffe://evil/a"], ip=["1.2.3.4"])
    )


def test_every_name_of_a_type_must_be_permitted_and_none_excluded() -> None:
    found = constraints([x509.DNSName("a.example"), x509.DNSName("b.example")], [x509.DNSName("x.a.example")])
    assert not violation(found, EMPTY, san(dns=["a.example", "y.b.example"]))
    assert violation(found, EMPTY, san(dns=["a.example", "c.example"]))
    assert violation(found, EMPTY, san(dns=["y.x.a.example"]))


def test_law_a_constrained_type_that_nothing_reads_is_a_violation_where_it_occurs() -> None:
    found = constraints([x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))])
    assert violation(found, EMPTY, SubjectAltNames(other=frozenset({0x88})))
    assert not violation(found, EMPTY, NO_SUBJECT_ALT_NAMES)


def test_only_names_of_a_constrained_type_cost_comparisons() -> None:
    found = constraints([x509.DNSName("a.example"), x509.DNSName("b.example")], [x509.DNSName("x.a.example")])
    assert found.comparisons(names_of(EMPTY, san(dns=["a", "b"], uri=["spiffe://c/d"]))) == 6


def test_constraints_of_a_certificate_that_is_no_ca_are_read_and_not_kept() -> None:
    extension = x509.NameConstraints([x509.DNSName("acme.example")], None)
    assert certificate(extensions=[(extension, True)]).parsed.extensions.name_constraints is None
    with pytest.raises(CertificateError):
        _ = certificate(extensions=[raw_extension("2.5.29.30", tlv(0x30))]).parsed


DNS_A = tlv(0x82, b"a")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        tlv(0x30),
        tlv(0x30, tlv(0xA2)),
        tlv(0x30, tlv(0xA1), tlv(0xA0)),
        tlv(0x30, tlv(0xA0, DNS_A)),
        tlv(0x30, tlv(0xA0, tlv(0x30))),
        tlv(0x30, tlv(0xA0, tlv(0x30, DNS_A, tlv(0x80, b"\x01")))),
        tlv(0x30, tlv(0xA0, tlv(0x30, DNS_A, tlv(0x81, b"\x01")))),
        tlv(0x30, tlv(0xA0, tlv(0x30, tlv(0x87, bytes(7))))),
        tlv(0x30, tlv(0xA0, tlv(0x30, tlv(0x87, b"\x0a\x00\x00\x00\xff\x00\xff\x00")))),
        tlv(0x30, tlv(0xA0, tlv(0x30, tlv(0x82, b"a\x00b")))),
    ],
)
def test_malformed_constraints_are_refused(value: bytes) -> None:
    with pytest.raises(DerError):
        name_constraints_from_der(value)


@pytest.mark.parametrize(
    ("tag", "base"),
    [
        *((0x82, base) for base in (b"*.acme.example", b"https://acme.example", b"a@acme.example", b" a", b"a..b")),
        *((0x86, base) for base in (b"spiffe://acme", b"acme:443", b"acme/a", b"u@acme", b"[::1]", b".")),
        *((0x81, base) for base in (b"@acme.example", b"a@", b"a@.acme.example", b"a@acme.example/", b"..")),
    ],
)
def test_law_a_base_that_no_name_could_match_is_malformed_instead_of_excluding_nothing(tag: int, base: bytes) -> None:
    for of in (0xA0, 0xA1):
        with pytest.raises(DerError, match="no host or domain"):
            name_constraints_from_der(tlv(0x30, tlv(of, tlv(0x30, tlv(tag, base)))))
