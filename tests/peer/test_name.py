"""Distinguished names: RFC 4514 text, DER, and comparison by RFC 5280 §7.1."""

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type  # the encodings of one value are the point of a test
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.attribute import ATTRIBUTE_OIDS, attribute_oid
from policies.peer.errors import DistinguishedNameError
from policies.peer.limits import MAX_NAME_ATTRIBUTES, MAX_NAME_CHARS
from policies.peer.name import DistinguishedName
from tests.peer.forge import tlv

CN, O, OU = "2.5.4.3", "2.5.4.10", "2.5.4.11"  # noqa: E741  the field's own name


def parse(text: str) -> DistinguishedName:
    return DistinguishedName.parse(text)


def name_der(*rdns: tuple[bytes, ...]) -> bytes:
    """A Name of RDNs whose attributes are given as (OID and value) DER."""
    return tlv(0x30, *(tlv(0x31, *(tlv(0x30, attribute) for attribute in rdn)) for rdn in rdns))


CN_DER = bytes.fromhex("0603550403")

values = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)
types = st.sampled_from([*ATTRIBUTE_OIDS, "1.2.3.4", "2.999.1"])


def escaped(value: str) -> str:
    """The bluntest spelling of a value: every byte escaped."""
    return "".join(f"\\{octet:02x}" for octet in value.encode())


names = st.lists(st.lists(st.tuples(types, values), min_size=1, max_size=3), max_size=5).map(
    lambda rdns: ",".join("+".join(f"{kind}={escaped(value)}" for kind, value in rdn) for rdn in rdns)
)


@given(names)
def test_law_parse_of_the_text_of_a_name_is_that_name(text: str) -> None:
    try:
        name = parse(text)
    except DistinguishedNameError:
        return
    assert parse(name.text) == name
    assert parse(name.text).text == name.text


@given(st.text(max_size=60))
def test_no_text_raises_anything_but_its_error(text: str) -> None:
    for candidate in (text, f"CN={text}", f"CN=a+{text}", f"CN=a,O=\\{text}"):
        try:
            name = parse(candidate)
        except DistinguishedNameError:
            continue
        assert parse(name.text) == name


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_the_error(data: bytes) -> None:
    for candidate in (data, tlv(0x30, data), name_der((CN_DER + data,))):
        try:
            name = DistinguishedName.from_der(candidate)
        except DistinguishedNameError:
            continue
        assert parse(name.text) == name


@given(values, values)
def test_text_of_a_built_name_and_of_its_der_agree(common_name: str, organization: str) -> None:
    if not common_name or len(common_name.encode()) > 64 or not organization or len(organization.encode()) > 64:
        return
    built = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    assert DistinguishedName.from_x509(built) == parse(f"CN={escaped(common_name)},O={escaped(organization)}")


def test_rdns_stand_most_significant_first_and_text_the_other_way_round() -> None:
    name = parse("CN=x,OU=y,O=Acme")
    assert name.rdns == (frozenset({(O, "acme")}), frozenset({(OU, "y")}), frozenset({(CN, "x")}))
    assert name.text == "CN=x,OU=y,O=Acme"


def test_a_comma_in_a_value_is_not_another_attribute() -> None:
    assert parse(r"CN=a\,O=b") != parse("CN=a,O=b")


def test_an_equals_sign_or_plus_in_a_value_is_not_another_attribute() -> None:
    assert parse(r"CN=a\+OU=b") != parse("CN=a+OU=b")


def test_order_of_rdns_counts() -> None:
    assert parse("CN=a,O=b") != parse("O=b,CN=a")


def test_order_within_a_multi_valued_rdn_does_not_count() -> None:
    assert parse("CN=a+OU=b,O=c") == parse("OU=b+CN=a,O=c")


def test_a_multi_valued_rdn_is_not_two_rdns() -> None:
    assert parse("CN=a+OU=b") != parse("CN=a,OU=b")


def test_case_and_blanks_do_not_count() -> None:
    assert parse("CN=Foo  Bar,O=ACME") == parse("cn=foo bar,o=acme")


def test_equal_names_have_equal_hashes_and_keep_their_own_text() -> None:
    left, right = parse("CN=Foo"), parse("CN=FOO")
    assert hash(left) == hash(right)
    assert (left.text, right.text) == ("CN=Foo", "CN=FOO")


@pytest.mark.parametrize("kind", [_ASN1Type.UTF8String, _ASN1Type.PrintableString, _ASN1Type.BMPString])
def test_the_string_type_does_not_count(kind: _ASN1Type) -> None:
    built = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Foo", _type=kind)])
    assert DistinguishedName.from_x509(built) == parse("CN=foo")


def test_the_empty_name_is_the_empty_text() -> None:
    assert parse("") == DistinguishedName.from_x509(x509.Name([]))


@pytest.mark.parametrize(
    ("text", "oid"),
    [
        *(
            ("CN", CN),
            ("O", O),
            ("OU", OU),
            ("C", "2.5.4.6"),
            ("L", "2.5.4.7"),
            ("ST", "2.5.4.8"),
            ("title", "2.5.4.12"),
        ),
        *(("DC", "0.9.2342.19200300.100.1.25"), ("UID", "0.9.2342.19200300.100.1.1"), ("serialNumber", "2.5.4.5")),
        *(
            ("emailAddress", "1.2.840.113549.1.9.1"),
            ("STREET", "2.5.4.9"),
            ("GN", "2.5.4.42"),
            ("givenName", "2.5.4.42"),
        ),
        *(("SN", "2.5.4.4"), ("surname", "2.5.4.4"), ("cn", CN), ("1.2.3.4", "1.2.3.4")),
    ],
)
def test_an_attribute_is_known_by_short_name_in_any_case_or_by_oid(text: str, oid: str) -> None:
    assert attribute_oid(text) == oid
    assert parse(f"{text}=x").values(oid) == {"x"}


@pytest.mark.parametrize("text", ["", "FOO", "3.1", "1", "1.", "1..2", "1.02", "-1.2", "CN ", "1.2\n"])
def test_an_unknown_attribute_is_refused(text: str) -> None:
    with pytest.raises(DistinguishedNameError):
        attribute_oid(text)


@pytest.mark.parametrize(
    "text",
    [
        *(",", "+", "=x", "CN", "CN=x,", "CN=x,,O=y", "CN=x+", ",CN=x", "CN=x, O=y", "CN =x", "CN= x", "CN=x ", "CN=#"),
        *("CN=#0", "CN=#zz", "CN=#0c0161zz", 'CN="x"', 'CN=x"', "CN=x;O=y", "CN=<x", "CN=x>", "CN=x\\", "CN=\\zz"),
        *("CN=\\ff", "CN=\\c3", "CN=x\x00", "CN=\\00", "CN=\\0a", "CN=#0c01", "CN=#0c016161", "CN=a+CN=A", "/CN=x/O=y"),
        *("FOO=x", "CN=\ud800", "CN=#0c02c328"),
    ],
)
def test_text_that_is_not_rfc_4514_is_refused(text: str) -> None:
    with pytest.raises(DistinguishedNameError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"CN=\ a\ ", "a"),
        (r"CN=\#a", "#a"),
        (r"CN=a\,b\+c\"d\\e\<f\>g\;h\=i", 'a,b+c"d\\e<f>g;h=i'),
        (r"CN=Lu\C4\8Di\C4\87", "lučić"),
        ("CN=Lučić", "lučić"),
        ("CN=a=b", "a=b"),
        ("CN=#0c0141", "a"),
        ("CN=#130141", "a"),
        ("CN=", ""),
    ],
)
def test_values_are_unescaped_and_hex_strings_are_decoded(text: str, value: str) -> None:
    assert parse(text).values(CN) == {value}


def test_a_value_that_is_no_string_is_compared_by_its_bytes() -> None:
    unique = name_der((bytes.fromhex("060355042d") + bytes.fromhex("030200ff"),))
    name = DistinguishedName.from_der(unique)
    assert name.text == "2.5.4.45=#030200ff"
    assert parse(name.text) == name
    assert name != parse(r"2.5.4.45=\#030200ff")


def test_what_would_not_show_on_a_console_is_written_as_bytes() -> None:
    assert parse("CN=a\u202eb").text == r"CN=a\E2\80\AEb"


def test_all_values_of_one_attribute_are_found_prepared() -> None:
    name = parse("OU=Payments,OU=Treasury,O=Partner  Inc")
    assert name.values(OU) == {"payments", "treasury"}
    assert name.values(O) == {"partner inc"}
    assert name.values(CN) == frozenset()


def test_a_nul_in_a_certificate_name_is_refused() -> None:
    with pytest.raises(DistinguishedNameError, match="control"):
        DistinguishedName.from_der(name_der((CN_DER + tlv(0x0C, b"adm\x00in"),)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30\x80\x00\x00",
        tlv(0x31),
        tlv(0x30, tlv(0x31)),
        tlv(0x30, tlv(0x30)),
        tlv(0x30) + b"\x00",
        name_der((CN_DER,)),
        name_der((CN_DER + tlv(0x0C, b"a") + tlv(0x0C, b"b"),)),
        name_der((CN_DER + tlv(0x0C, b"a"), CN_DER + tlv(0x13, b"A"))),
        name_der((CN_DER + tlv(0x0C, b"\xff"),)),
        name_der((CN_DER + tlv(0x13, b"\xe9"),)),
        name_der((CN_DER + tlv(0x1E, b"a"),)),
        name_der((CN_DER + b"\x1f\x81\x01\x00",)),
    ],
)
def test_der_that_is_no_name_is_refused(data: bytes) -> None:
    with pytest.raises(DistinguishedNameError):
        DistinguishedName.from_der(data)


def test_a_name_with_too_many_attributes_or_characters_is_refused() -> None:
    for text in (",".join(["CN=a"] * (MAX_NAME_ATTRIBUTES + 1)), "CN=" + "a" * MAX_NAME_CHARS):
        with pytest.raises(DistinguishedNameError, match="more than"):
            parse(text)
    assert parse(",".join(["CN=a"] * MAX_NAME_ATTRIBUTES))


def test_a_name_whose_text_would_be_too_long_is_refused_as_der() -> None:
    with pytest.raises(DistinguishedNameError, match="more than"):
        DistinguishedName.from_der(name_der((CN_DER + tlv(0x0C, b"," * (MAX_NAME_CHARS // 2 + 1)),)))
