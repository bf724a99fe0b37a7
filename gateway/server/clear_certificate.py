"""The certificate in what a client sent before its handshake failed.

OpenSSL drops a certificate that it refuses (it fails before the session gets the chain), and the `ssl` module has no
callback that sees it. Up to TLS 1.2 it went over the wire in clear: RFC 5246 §6.2.1 (records), §7.4 and §7.4.2
(handshake messages, Certificate). In TLS 1.3 it is encrypted, and nobody but OpenSSL has the key.

Law: what is read here is for the log alone. That the client has its key was not proven.
"""

from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.errors import PeerError

_HANDSHAKE_RECORD = 22
_CERTIFICATE = 11
_RECORD_HEADER, _MESSAGE_HEADER, _LENGTH = 5, 4, 3


def leaf_from_clear(received: bytes) -> Certificate | None:
    """The first certificate of the first Certificate message in the records that a client sent; None if there is none.

    Records after the first that is no handshake are not read: they may be encrypted.
    """
    messages = _messages(received)
    while len(messages) >= _MESSAGE_HEADER:
        length = int.from_bytes(messages[1:_MESSAGE_HEADER])
        body, kind = messages[_MESSAGE_HEADER : _MESSAGE_HEADER + length], messages[0]
        if kind == _CERTIFICATE:
            return _leaf(body, length)
        messages = messages[_MESSAGE_HEADER + length :]
    return None


def _messages(received: bytes) -> bytes:
    """The handshake messages in the first records, joined: a message may span records."""
    found = bytearray()
    at = 0
    while len(received) - at >= _RECORD_HEADER and received[at] == _HANDSHAKE_RECORD:
        length = int.from_bytes(received[at + 3 : at + _RECORD_HEADER])
        found += received[at + _RECORD_HEADER : at + _RECORD_HEADER + length]
        at += _RECORD_HEADER + length
    return bytes(found)


def _leaf(body: bytes, length: int) -> Certificate | None:
    size = int.from_bytes(body[_LENGTH : 2 * _LENGTH])
    der = body[2 * _LENGTH : 2 * _LENGTH + size]
    if len(body) != length or not size or len(der) != size:
        return None
    try:
        return certificate_from_der(der)
    except PeerError:
        return None
