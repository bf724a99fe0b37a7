"""What the server tells an application of a connection, and how an application finds it in an ASGI scope.

The certificate is in the ASGI TLS extension, `scope["extensions"]["tls"]`, as its specification has it
(https://asgi.readthedocs.io/en/latest/specs/tls.html), with every key set:

- `client_cert_chain`: tuple of PEM texts, leaf first, as the client sent them; empty if it sent none. They are
  *presented*: the client proved that it has the leaf's key, and the policy judges all else on each request (law 8, 9).
- `client_cert_error`: None; a handshake that failed has no request. `client_cert_name`: None; the leaf has the subject.
- `server_cert`: PEM of the certificate that was shown. `tls_version`, `cipher_suite`: numbers as on the wire.

What the extension has no key for is under `CONNECTION` beside it. Under `TARGET` stands the request target, bytes as
they were received: `raw_path` has lost the host of an absolute form, a fragment, and an empty query. `scope["client"]`
is the transport peer: the source that a PROXY header of a trusted balancer names, else the address of the socket; None
on a Unix socket without such a header.

Under `END` stands a function without arguments that ends the connection within `gateway.server.limits.END_SECONDS`,
whatever the client does. What ends in an orderly way waits for the client, and a client may never answer.
"""

from collections.abc import Mapping
from typing import Any, Never, NotRequired, TypedDict

#: Keys of `scope["extensions"]`: of the TLS extension, a `ConnectionFacts`, the request target as received, and the
#: function that ends the connection.
TLS = "tls"
CONNECTION = "peergate.connection"
TARGET = "peergate.target"
END = "peergate.end"


class Told(dict[str, Any]):
    """A mapping that never changes, as our server tells it with each request of a connection: equal once, equal always.

    Whoever wants to tell an application something else puts another mapping in its place. Changing it raises TypeError.
    `read`: what a reader has made of it, and by what else; it ends with the connection.
    """

    __slots__ = ("read",)

    def __init__(self, *told: Mapping[str, Any], **more: Any) -> None:
        super().__init__(*told, **more)
        self.read: tuple[Any, ...] | None = None

    def _fixed(self, *_: object, **__: object) -> Never:
        raise TypeError("what the server tells of a connection cannot be changed; put another mapping in its place")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _fixed


class ConnectionFacts(TypedDict):
    """`sni`: the server name of the ClientHello, None if it had none, left out if it was not our server that saw it.

    `source`: as `scope["client"]`.
    """

    sni: NotRequired[str | None]
    source: tuple[str, int] | None


class TlsExtension(TypedDict):
    """The value of `scope["extensions"]["tls"]` as our server sets it; other servers leave keys out."""

    server_cert: str | None
    client_cert_chain: tuple[str, ...]
    client_cert_name: str | None
    client_cert_error: str | None
    tls_version: int | None
    cipher_suite: int | None
