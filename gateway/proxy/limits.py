"""How much of an upstream's time and of our memory one exchange may take. Each limit is a number with its unit."""

#: Seconds for a TCP connection and its TLS handshake to an upstream.
CONNECT_SECONDS = 5.0
#: Seconds without a byte of an answer, its head included, after the request is out; and for which an upstream may leave
#: a part of a body. nginx has 60 for both, too.
READ_SECONDS = 60.0
#: Seconds for which an idle connection to an upstream is kept. Most servers close theirs after 5 to 75.
IDLE_SECONDS = 4.0
#: Bytes of an answer that are read ahead of a client that does not take them; twice that is held at most.
READ_AHEAD_BYTES = 64 * 1024
#: Bytes of the status line and of one header of an answer.
MAX_HEADER_BYTES = 32 * 1024
#: Headers of an answer.
MAX_HEADERS = 500
#: Bytes of one WebSocket message of an upstream; `gateway.server.limits` has the same for clients.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
#: Seconds that an upstream has to take the Close of a client's WebSocket, and to answer it.
CLOSE_SECONDS = 0.5
#: Seconds for which an endpoint is asked last after it could not be connected to.
REST_SECONDS = 10.0
#: Seconds between two looks at the certificate files for upstreams.
TLS_LOOK_SECONDS = 10.0
#: Certificates whose form for a header is remembered.
MAX_REMEMBERED_CERTIFICATES = 4096
#: Lists of header names that are remembered, and the bytes that all of them take together, about.
MAX_REMEMBERED_HEADS = 4096
MAX_REMEMBERED_HEAD_BYTES = 16 * 1024 * 1024
#: Characters of an error that the log shows.
MAX_SHOWN_CHARS = 500
