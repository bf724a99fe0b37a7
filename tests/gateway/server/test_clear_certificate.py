"""What a client sent is read to its certificate, or to none; never to an error."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from gateway.server.clear_certificate import leaf_from_clear
from tests.gateway.server.world import billing

DER = billing().der


def long(number: int) -> bytes:
    return number.to_bytes(3)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + long(len(body)) + body


def certificate(*ders: bytes) -> bytes:
    entries = b"".join(long(len(der)) + der for der in ders)
    return message(11, long(len(entries)) + entries)


def records(data: bytes, size: int = 16_384, kind: int = 22) -> bytes:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(bytes([kind, 3, 3]) + struct.pack("!H", len(piece)) + piece for piece in pieces)


HELLO = message(1, bytes(200))


def test_the_leaf_is_found_after_the_hello_however_the_records_are_cut() -> None:
    for size in (16_384, 300, 7, 1):
        found = leaf_from_clear(records(HELLO + certificate(DER, b"an issuer") + message(16, b"key"), size))
        assert found is not None
        assert found.der == DER


def test_without_one_there_is_none() -> None:
    assert leaf_from_clear(b"") is None
    assert leaf_from_clear(records(HELLO)) is None
    assert leaf_from_clear(records(HELLO + certificate())) is None
    assert leaf_from_clear(records(HELLO + certificate(b"junk"))) is None
    assert leaf_from_clear(records(HELLO + certificate(DER))[:-1]) is None


def test_what_follows_a_record_of_another_kind_is_encrypted_and_not_read() -> None:
    assert leaf_from_clear(records(HELLO) + records(b"\x01", kind=20) + records(certificate(DER))) is None
    assert leaf_from_clear(records(certificate(DER), kind=23)) is None


@given(st.binary(max_size=400), st.integers(0, 2000), st.integers(0, 255))
def test_junk_is_never_an_error(junk: bytes, at: int, byte: int) -> None:
    leaf_from_clear(junk)
    leaf_from_clear(b"\x16\x03\x03" + struct.pack("!H", len(junk)) + junk)
    whole = bytearray(records(HELLO + certificate(DER)))
    whole[at % len(whole)] = byte
    leaf_from_clear(bytes(whole))
