"""Extensions from their bytes."""

from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.der import DerError
from policies.peer.errors import CertificateError, DistinguishedNameError
from policies.peer.extensions import Extensions, extensions_from_der
from policies.peer.general_name import subject_alt_names_from_der
from policies.peer.limits import MAX_SANS
from tests.peer.forge import Extension, alternative_names, certificate, key_usage, raw_extension, tlv

SAN, BASIC, KEY_USAGE, EXTENDED = "2.5.29.17", "2.5.29.19", "2.5.29.15", "2.5.29.37"


def read(*extensions: Extension) -> Extensions:
    return certificate(extensions=extensions).parsed.extensions


def refused(*extensions: Extension) -> str:
    with pytest.raises(CertificateError) as caught:
        certificate_from_der(certificate(extensions=extensions).der)
    return str(caught.value)


def general_names(*names: bytes) -> bytes:
    return tlv(0x30, *names)


def test_every_type_of_san_is_read_in_order_and_byte_for_byte() -> None:
    san = read(
        alternative_names(
            uri=["spiffe://td/a", "https://x/%41?q;a,b"],
            dns=["B.example", "a."],
            email=["A@B.c"],
            ip=["1.2.3.4", "::1"],
        )
    ).san
    assert san.uri == ("spiffe://td/a", "https://x/%41?q;a,b")
    assert san.dns == ("B.example", "a.")
    assert san.email == ("A@B.c",)
    assert san.ip == (ip_address("1.2.3.4"), ip_address("::1"))


def test_types_of_san_that_nothing_reads_are_only_noticed() -> None:
    other = x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")
    registered = x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))
    directory = x509.DirectoryName(x509.Name([]))
    san = read((x509.SubjectAlternativeName([other, registered, directory]), False)).san
    assert san.other == {0xA0, 0x88}
    assert san.directory == (b"\x30\x00",)


@pytest.mark.parametrize("value", [b"a\x00b", b"a\nb", b"\x7f", b"a\xe9", b"\xc3\xa9", b""])
@pytest.mark.parametrize("tag", [0x81, 0x82, 0x86])
def test_a_san_with_nul_control_or_non_ascii_bytes_or_none_is_refused(tag: int, value: bytes) -> None:
    assert "control or non-ASCII" in refused(raw_extension(SAN, general_names(tlv(tag, value))))


@pytest.mark.parametrize("size", [0, 3, 5, 8, 15, 17, 32])
def test_an_ip_san_has_4_or_16_bytes(size: int) -> None:
    with pytest.raises(DerError):
        subject_alt_names_from_der(general_names(tlv(0x87, bytes(size))))


def test_64_sans_are_read_and_one_more_is_refused() -> None:
    names = [f"a{number}" for number in range(MAX_SANS)]
    assert len(read(alternative_names(dns=names)).san.dns) == MAX_SANS
    assert "more than 64" in refused(alternative_names(dns=[*names, "b"]))


@pytest.mark.parametrize(
    "value", [b"", b"\x30\x00", b"\x31\x00", b"\x30\x02\x89\x00", b"\x30\x00\x00", b"\x30\x02\x06\x00"]
)
def test_a_malformed_san_extension_is_refused(value: bytes) -> None:
    refused(raw_extension(SAN, value))


def test_an_extension_that_occurs_twice_is_refused() -> None:
    one = tlv(0x30, bytes.fromhex("0603551d13"), tlv(0x04, b"\x30\x00"))
    assert extensions_from_der(tlv(0x30, one)) == Extensions()
    with pytest.raises(DerError, match="twice"):
        extensions_from_der(tlv(0x30, one, one))


def test_basic_constraints_say_ca_and_path_length() -> None:
    assert not read().is_ca
    ca = read((x509.BasicConstraints(ca=True, path_length=2), True))
    assert (ca.is_ca, ca.path_length) == (True, 2)
    assert not read((x509.BasicConstraints(ca=False, path_length=None), False)).is_ca


@pytest.mark.parametrize(
    "value",
    ["", "05 00", "30 03 01 01 01", "30 03 02 01 ff", "30 06 02 01 00 01 01 ff", "30 02 05 00", "30 03 01 01 ff 00"],
)
def test_malformed_basic_constraints_are_refused(value: str) -> None:
    refused(raw_extension(BASIC, bytes.fromhex(value)))


def test_key_usage_is_read_by_name() -> None:
    assert read().key_usage is None
    bits = ("digital_signature", "key_agreement", "key_cert_sign", "crl_sign", "decipher_only")
    found = read((key_usage(*bits), True)).key_usage
    assert found == frozenset({"digitalSignature", "keyAgreement", "keyCertSign", "cRLSign", "decipherOnly"})


def test_extended_key_usage_is_read_by_name_or_oid() -> None:
    assert read().extended_key_usage is None
    purposes = [
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        x509.ObjectIdentifier("1.2.3"),
    ]
    found = read((x509.ExtendedKeyUsage(purposes), False)).extended_key_usage
    assert found == frozenset({"clientAuth", "anyExtendedKeyUsage", "1.2.3"})


@pytest.mark.parametrize("oid", [KEY_USAGE, EXTENDED, "2.5.29.30", "2.5.29.14", "2.5.29.35"])
@pytest.mark.parametrize("value", [b"", b"\x05\x00", b"\x30\x02\x02\x00", b"\xff"])
def test_a_malformed_known_extension_is_refused(oid: str, value: bytes) -> None:
    if (oid, value) == ("2.5.29.35", b"\x30\x02\x02\x00"):
        return  # an authorityKeyIdentifier without a key identifier is well-formed
    refused(raw_extension(oid, value))


def test_an_unknown_critical_extension_is_kept_as_a_problem_and_an_uncritical_one_is_not() -> None:
    assert read(raw_extension("1.2.3.4", b"x")).unknown_critical == ()
    assert read(raw_extension("1.2.3.4", b"x", critical=True)).unknown_critical == ("1.2.3.4",)


def test_critical_policies_are_processed_and_critical_policy_constraints_are_not() -> None:
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)])
    assert read((policies, True)).unknown_critical == ()
    constraints = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    assert read((constraints, True)).unknown_critical == ("2.5.29.36",)


@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_but_the_documented_errors(data: bytes) -> None:
    for candidate in (data, tlv(0x30, data), tlv(0x30, tlv(0x30, bytes.fromhex("0603551d1e"), tlv(0x04, data)))):
        try:
            extensions_from_der(candidate)
        except (DerError, DistinguishedNameError):
            continue


def facts_by_cryptography(source: x509.Certificate) -> tuple[object, ...]:
    found = {item.oid.dotted_string: item.value for item in source.extensions}
    san, basic = found.get(SAN), found.get(BASIC)
    assert san is None or isinstance(san, x509.SubjectAlternativeName)
    assert basic is None or isinstance(basic, x509.BasicConstraints)
    usage = found.get(EXTENDED)
    assert usage is None or isinstance(usage, x509.ExtendedKeyUsage)
    return (
        tuple(san.get_values_for_type(x509.UniformResourceIdentifier)) if san else (),
        tuple(san.get_values_for_type(x509.DNSName)) if san else (),
        tuple(san.get_values_for_type(x509.RFC822Name)) if san else (),
        tuple(san.get_values_for_type(x509.IPAddress)) if san else (),
        (basic.ca, basic.path_length) if basic else (False, None),
        None if usage is None else len(usage),
    )


def facts(parsed: Certificate) -> tuple[object, ...]:
    extensions = parsed.extensions
    usage = extensions.extended_key_usage
    return (
        *(extensions.san.uri, extensions.san.dns, extensions.san.email, extensions.san.ip),
        (extensions.is_ca, extensions.path_length),
        None if usage is None else len(usage),
    )


ascii_names = st.lists(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40), max_size=3
)


@given(
    uri=ascii_names,
    dns=ascii_names,
    email=ascii_names,
    ip=st.lists(st.ip_addresses().map(str), max_size=3),
    ca=st.booleans(),
    length=st.none() | st.integers(0, 9),
    purposes=st.sets(st.sampled_from(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0", "1.2.3"])),
)
def test_our_reading_agrees_with_cryptography(
    uri: list[str], dns: list[str], email: list[str], ip: list[str], ca: bool, length: int | None, purposes: set[str]
) -> None:
    extensions: list[Extension] = [(x509.BasicConstraints(ca=ca, path_length=length if ca else None), True)]
    # cryptography builds no e-mail name with a display part, so the bytes are written here.
    names = [(0x86, uri), (0x82, dns), (0x81, email)]
    sans = [tlv(tag, text.encode()) for tag, texts in names for text in texts]
    sans += [tlv(0x87, ip_address(address).packed) for address in ip]
    if sans:
        extensions.append(raw_extension(SAN, tlv(0x30, *sans)))
    if purposes:
        extensions.append((x509.ExtendedKeyUsage([x509.ObjectIdentifier(text) for text in sorted(purposes)]), False))
    forged = certificate(extensions=extensions)
    source = x509.load_der_x509_certificate(forged.der)
    assert facts(forged.parsed) == facts_by_cryptography(source)
