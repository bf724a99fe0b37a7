"""How much of a caller's input the ext_authz service takes, and for how long. Each limit is a number with its unit.

Who may connect is not limited here: the port belongs to Envoy alone. Put it on a Unix socket, or ask for a client
certificate (`--tls-client-ca`).
"""

#: Bytes of one CheckRequest. Envoy's largest with its defaults: 60 KiB of headers, shown twice, a certificate, a chain.
MAX_CHECK_BYTES = 1024 * 1024
#: Bytes of the metadata of one gRPC call; Envoy sends a few hundred.
MAX_METADATA_BYTES = 16 * 1024
#: Calls at one time on one connection, and in the whole process. Each of Envoy's workers has one connection; beyond
#: the second number a call is refused at once, instead of being answered when Envoy no longer waits.
MAX_CONCURRENT_STREAMS = 1024
MAX_CONCURRENT_CALLS = 2048
#: Threads that answer calls. Python runs one at a time, but each waits twice for gRPC in a call: with fewer, calls wait
#: for a thread; more only change hands more often.
ANSWERING_THREADS = 8

#: Threads that wait for the first OCSP answer about a certificate, while others answer in their place; beyond it a call
#: does not wait.
MAX_THREADS_ASIDE = 64

#: Milliseconds of silence after which a connection is asked whether it is still there, and for an answer.
KEEPALIVE_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
#: Milliseconds that a client must leave between its own pings, and how many too early ones end its connection.
MIN_PING_INTERVAL_MS = 10_000
MAX_PING_STRIKES = 3

#: Connections to the HTTP listener at one time; beyond it a request is answered with 503, which Envoy denies.
MAX_HTTP_CONNECTIONS = 4096
#: Connections that wait for the HTTP listener to accept them.
HTTP_BACKLOG = 2048
#: Bytes of the head of one request to the HTTP listener, and seconds that it may take.
MAX_HEAD_BYTES = 256 * 1024
HEAD_SECONDS = 10.0
#: Seconds for which an idle HTTP connection is kept; Envoy closes its own after an hour.
HTTP_IDLE_SECONDS = 300.0
#: Seconds between two looks at how long a connection has been waiting.
HTTP_WATCH_SECONDS = 5.0

#: Answers that are kept to be given again with another id, and their bytes together.
MAX_STENCILS = 16_384
MAX_STENCIL_BYTES = 32 * 1024 * 1024

#: Seconds between two looks at the certificate files of the listener.
TLS_RELOAD_SECONDS = 10.0
