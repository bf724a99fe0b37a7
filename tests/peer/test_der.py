"""The strict DER reader."""

import pytest
from cryptography.x509 import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from policies.peer import der
from tests.peer.forge import tlv


@given(st.lists(st.tuples(st.integers(0, 0xFF).filter(lambda tag: tag & 0x1F != 0x1F), st.binary(max_size=300))))
def test_elements_are_read_as_they_were_written(items: list[tuple[int, bytes]]) -> None:
    data = b"".join(tlv(tag, value) for tag, value in items)
    assert [(element.tag, element.value) for element in der.elements(data)] == items
    assert b"".join(element.raw for element in der.elements(data)) == data


@given(st.binary())
def test_no_bytes_raise_anything_but_the_error(data: bytes) -> None:
    for reader in (
        lambda: list(der.elements(data)),
        lambda: der.integer(data),
        lambda: der.oid(data),
        lambda: der.bits(data),
    ):
        try:
            reader()
        except der.DerError:
            continue


@pytest.mark.parametrize(
    "data",
    [
        b"\x30",
        b"\x30\x80\x00\x00",
        b"\x30\x81\x01\x00",
        b"\x30\x82\x00\x80" + b"\x00" * 128,
        b"\x30\x85\x01\x00\x00\x00\x00",
        b"\x30\xff",
        b"\x30\x02\x00",
        b"\x1f\x81\x01\x00",
        b"\x30\x82\x01",
    ],
)
def test_lengths_that_are_not_shortest_definite_and_whole_are_refused(data: bytes) -> None:
    with pytest.raises(der.DerError):
        list(der.elements(data))


def test_one_element_and_nothing_after_it_is_only_that() -> None:
    assert der.only(b"\x30\x01a", der.SEQUENCE) == b"a"
    for data in (b"", b"\x30\x00\x30\x00", b"\x31\x00"):
        with pytest.raises(der.DerError):
            der.only(data, der.SEQUENCE)


def test_more_children_than_allowed_are_refused() -> None:
    assert len(der.children(b"\x05\x00" * 3, 3)) == 3
    with pytest.raises(der.DerError, match="more than 3"):
        der.children(b"\x05\x00" * 4, 3)


@pytest.mark.parametrize("value", [b"", b"\x01", b"\xff\xff"])
def test_a_boolean_is_00_or_ff(value: bytes) -> None:
    assert der.boolean(b"\xff")
    assert not der.boolean(b"\x00")
    with pytest.raises(der.DerError):
        der.boolean(value)


@given(st.integers())
def test_an_integer_is_read_in_its_shortest_form_only(number: int) -> None:
    value = number.to_bytes((number if number >= 0 else ~number).bit_length() // 8 + 1, "big", signed=True)
    assert der.integer(value) == number
    with pytest.raises(der.DerError):
        der.integer((b"\xff" if number < 0 else b"\x00") + value)


@pytest.mark.parametrize("text", ["0.0", "1.39", "2.40", "2.999", "1.2.840.113549.1.9.1", "2.5.29.37.0"])
def test_an_object_identifier_is_read_dotted(text: str) -> None:
    encoded = {"0.0": "00", "1.39": "4f", "2.40": "78", "2.999": "8837", "2.5.29.37.0": "551d2500"}
    value = bytes.fromhex(encoded.get(text, "2a864886f70d010901"))
    assert der.oid(value) == text == ObjectIdentifier(text).dotted_string


@pytest.mark.parametrize("value", [b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x86", b"\x01" * 65])
def test_an_object_identifier_that_is_padded_cut_off_or_huge_is_refused(value: bytes) -> None:
    with pytest.raises(der.DerError):
        der.oid(value)


def test_named_bits_are_counted_from_the_left() -> None:
    assert der.bits(b"\x07\x80") == {0}
    assert der.bits(b"\x01\x06") == {5, 6}
    assert der.bits(b"\x07\x00\x80") == {8}
    assert der.bits(b"\x00") == frozenset()


@pytest.mark.parametrize("value", [b"", b"\x08\x00", b"\x01", b"\x01\x01", b"\x00" * 10])
def test_a_bit_string_with_impossible_unused_bits_is_refused(value: bytes) -> None:
    with pytest.raises(der.DerError):
        der.bits(value)
