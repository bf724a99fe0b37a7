"""How much of strangers' time, memory and connections the server takes. Each limit is a number with its unit.

What a user may set is a setting of `peergate gateway serve` with one of these as its default.
"""

#: Seconds from accepting a connection to the end of its TLS handshake, a PROXY header included.
HANDSHAKE_SECONDS = 10.0
#: TLS handshakes at one time. One more connection is closed at once: who waits is served before who comes.
MAX_HANDSHAKES = 2048
#: Seconds that a request head may take from its first byte, and a new connection to send one. nginx has 60, Apache 20.
HEAD_SECONDS = 15.0
#: Bytes of a request head, and of the trailers after a body. nginx has 32 KiB, Envoy 60 KiB.
MAX_HEAD_BYTES = 64 * 1024
#: Headers of one request. Envoy has 100.
MAX_HEADERS = 200
#: A request body brings so many bytes in each window of so many seconds, unless it is the upstream that does not read.
BODY_WINDOW_SECONDS = 10.0
MIN_BODY_BYTES = 2400
#: Bytes of one WebSocket message of a client.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
#: Seconds for which a client may leave an answer unread, once the buffers are full.
UNREAD_SECONDS = 30.0
#: Seconds that closing a TLS connection may take: sending what is left, and the client's own end.
CLOSE_SECONDS = 5.0
#: Seconds from the verdict that ends what is open to the end of its connection: for what was sent to be taken, and a
#: WebSocket's Close to be answered.
END_SECONDS = 0.5
#: Seconds in which the deadlines of all connections are looked at, and in how many shares: requests wait for one.
LOOK_SECONDS = 0.5
LOOK_SHARES = 20
#: Sessions of TLS 1.2 that are remembered so as not to be resumed: as many as OpenSSL keeps.
MAX_SESSIONS = 20_480
#: Seconds between two looks at the certificate files.
TLS_LOOK_SECONDS = 1.0

#: Defaults of settings: connections in all and of one address (of an IPv6 client: of its /64), seconds for which an
#: idle connection is kept, and after which any is ended at the next answer; bytes of one request body.
MAX_CONNECTIONS = 10_000
MAX_ADDRESS_CONNECTIONS = 2_000
IDLE_SECONDS = 75
MAX_AGE_SECONDS = 3600
MAX_BODY_BYTES = 16 * 1024**3
#: Of the descriptors that the process may have, this share is for clients: the others are for upstreams and files.
CLIENT_DESCRIPTOR_SHARE = 0.45

#: Connections that are accepted in one go, before others are served.
ACCEPT_AT_ONCE = 64
#: Seconds for which nothing is accepted after the system had no descriptor left.
ACCEPT_REST_SECONDS = 0.1

#: Bytes of the addresses and TLVs of a PROXY header. The specification's own advice is 216 for addresses.
MAX_PROXY_BYTES = 2048

#: Bytes of a client's side of a handshake that are kept until it ends, to name a certificate that is refused.
MAX_CLEAR_BYTES = 32 * 1024
