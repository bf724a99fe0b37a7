"""What Envoy tells of a failed handshake, in words, whatever is in the line."""

import json

import pytest

from extauth.native.handshakes import cause_from_text, failed_handshake_from_line, is_of_handshake

EXPIRED = (
    "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509_verify_cert:"
    "_certificate_verification_error_at_depth_0:_certificate_has_expired:TLS_error_end"
)
TLS = "TLS_error:|1:SSL_routines:OPENSSL_internal:{}:TLS_error_end"
LINE = {"handshake": EXPIRED, "closed": None, "done": None, "peer": "127.0.0.1:4711", "sni": "h.example"}


def line(**changes: object) -> bytes:
    return json.dumps({**LINE, **changes}).encode()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (EXPIRED, "the client's certificate is refused: it, or a CA above it, has expired"),
        (EXPIRED.replace("certificate_has_expired", "no_news"), "the client's certificate is refused: no news"),
        (TLS.format("HTTP_REQUEST"), "plain HTTP was sent where TLS is spoken: use https://"),
        (TLS.format("NEVER_SEEN_THIS"), "TLS failed: never seen this"),
        (
            TLS.replace("SSL_routines", "system_library").format("Broken_pipe"),
            "the client went away during the handshake",
        ),
        ("CERTIFICATE_VERIFY_FAILED", "TLS failed: certificate verify failed"),
        ("anything else", "TLS failed: anything else"),
    ],
)
def test_a_reason_becomes_words(text: str, cause: str) -> None:
    assert cause_from_text(text) == cause


def test_a_deadline_is_named() -> None:
    found = failed_handshake_from_line(line(handshake=None, closed="transport socket timeout was reached"))
    assert found is not None
    assert found["cause"] == "the handshake took more than 10 s"


def test_what_broke_after_its_handshake_is_none() -> None:
    assert failed_handshake_from_line(line(done=3)) is None


def test_a_line_names_who_and_why_and_leaves_out_what_it_does_not_know() -> None:
    assert failed_handshake_from_line(line(sni=None, uri=None, dns="", subject="CN=x")) == {
        "peer": "127.0.0.1:4711",
        "cause": "the client's certificate is refused: it, or a CA above it, has expired",
        "subject": "CN=x",
    }


def test_names_of_a_client_are_cut() -> None:
    found = failed_handshake_from_line(line(uri="u" * 5000, sni="s" * 5000, handshake="x" * 5000))
    assert found is not None
    assert max(len(str(value)) for value in found.values()) <= 220


@pytest.mark.parametrize("bad", [b"", b"[]", b"{", b'{"handshake":"\xff"}', b'{"handshake":1,"peer":{}}'])
def test_a_line_that_is_none_is_a_value_error_or_says_little(bad: bytes) -> None:
    try:
        found = failed_handshake_from_line(bad)
    except ValueError:
        return
    assert found == {"cause": "the handshake failed, and Envoy does not say why"}


def test_no_client_can_write_a_line_that_is_taken_for_one_of_a_handshake() -> None:
    assert is_of_handshake(line())
    assert not is_of_handshake(json.dumps({"path": '/","handshake":"x', "decided": "allow:r@g"}).encode())
