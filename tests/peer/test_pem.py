"""Strict PEM."""

from base64 import b64encode
from textwrap import wrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.errors import CertificateError
from policies.peer.pem import der_from_pem


def block(data: bytes = b"hello", label: str = "CERTIFICATE", newline: str = "\n") -> str:
    lines = wrap(b64encode(data).decode(), 64)
    return newline.join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))


EXPLAINED = f"""# Bundle of the mesh
subject=O = Acme, CN = root
issuer=O = Acme, CN = root
{block(b"one")}
    2 s:CN = café -- the second
-----------------------------
{block(b"two")}the end
"""


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_blocks_are_read_in_order(contents: list[bytes], newline: str) -> None:
    text = "".join(block(data, newline=newline) for data in contents)
    assert der_from_pem(text, limit=4) == tuple(contents)


@given(st.text(max_size=80))
def test_no_text_raises_anything_but_its_error(text: str) -> None:
    for candidate in (text, f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"):
        try:
            der_from_pem(candidate, limit=1, explained=True)
        except CertificateError:
            continue


def test_a_trust_file_may_hold_the_text_that_openssl_writes() -> None:
    assert der_from_pem(EXPLAINED, limit=2, explained=True) == (b"one", b"two")


def test_what_comes_from_a_wire_holds_nothing_beside_its_blocks() -> None:
    with pytest.raises(CertificateError, match="line 1"):
        der_from_pem(EXPLAINED, limit=2)


def test_blank_lines_around_blocks_are_nothing() -> None:
    assert der_from_pem(f"\n\n{block()}\n \n", limit=1) == (b"hello",)


def test_one_block_too_many_is_refused() -> None:
    with pytest.raises(CertificateError, match="more than 1"):
        der_from_pem(block() * 2, limit=1)


def test_a_private_key_is_named_and_refused() -> None:
    with pytest.raises(CertificateError, match=r"PRIVATE KEY where a CERTIFICATE.*keep keys out"):
        der_from_pem(block() + block(label="EC PRIVATE KEY"), limit=9, explained=True)


@pytest.mark.parametrize("label", ["TRUSTED CERTIFICATE", "X509 CRL", "CERTIFICATE REQUEST", "PUBLIC KEY"])
def test_another_label_is_refused(label: str) -> None:
    with pytest.raises(CertificateError, match="where a CERTIFICATE is expected"):
        der_from_pem(block(label=label), limit=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "hello",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\naGVsbG8=",
        "-----END CERTIFICATE-----",
        block() + "-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n" + block(),
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        block().replace("aGVsbG8=", "aGVsbG8"),
        block().replace("aGVsbG8=", "aGVs bG8="),
        block().replace("aGVsbG8=", "aGVsbG8=\nProc-Type: 4,ENCRYPTED"),
        block().replace("aGVsbG8=", "aGVsbG8_"),
        block().replace("-----END CERTIFICATE", "-----END X"),
    ],
)
def test_what_is_no_whole_block_is_refused(text: str) -> None:
    for explained in (False, True):
        with pytest.raises(CertificateError):
            der_from_pem(text, limit=9, explained=explained)


@pytest.mark.parametrize(
    "damaged",
    [
        "----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE----",
        "-----BEGIN  CERTIFICATE-----",
        " -----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE----- x",
        "-----begin certificate-----",
        "x-----BEGIN CERTIFICATE-----",
        "\ufeff-----BEGIN CERTIFICATE-----",
        "- BEGIN CERTIFICATE",
    ],
)
def test_a_damaged_boundary_is_an_error_and_never_a_comment(damaged: str) -> None:
    text = block() + damaged + "\n"
    with pytest.raises(CertificateError, match="line 4"):
        der_from_pem(text, limit=9, explained=True)


def test_a_nul_in_a_comment_is_refused() -> None:
    with pytest.raises(CertificateError):
        der_from_pem("a\x00b\n" + block(), limit=9, explained=True)
