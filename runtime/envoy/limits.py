"""How much Envoy takes from a client, and for how long. Envoy has none of these bounds by default, or wider ones."""

from policies.peer.limits import MAX_CHAIN_DEPTH

#: Seconds that ext_authz may take; Envoy's own default. Later is an error, and an error denies.
AUTHORIZATION_SECONDS = 0.2
#: Seconds for a TLS handshake.
HANDSHAKE_SECONDS = 10.0
#: Seconds from the first byte of a request's headers to the last (Envoy: none).
REQUEST_HEADERS_SECONDS = 10.0
#: Seconds without a request on a connection (Envoy: 3600).
CONNECTION_IDLE_SECONDS = 300.0
#: Seconds that one verdict can outlive its cause: a request still open after that is reset, however it is used.
STREAM_SECONDS = 300.0
#: Seconds after which a connection takes no new request: the peer proves again that it holds its key.
CONNECTION_SECONDS = 900.0
#: Seconds that a closing connection is given for its open requests (Envoy: 5).
DRAIN_SECONDS = 5.0
#: KiB of request headers; peergate reads up to 64 KiB of one value (Envoy: 60).
REQUEST_HEADERS_KB = 60
#: Request headers (Envoy: 100).
REQUEST_HEADERS_COUNT = 100
#: Requests at once on one HTTP/2 connection (Envoy: 2^29), and bytes in flight (RFC 9113 §6.9.2; Envoy: 16 and 24 MiB).
CONCURRENT_STREAMS = 100
STREAM_WINDOW_BYTES = 65_535
CONNECTION_WINDOW_BYTES = 1_048_576
#: Bytes buffered per connection (Envoy: 1 MiB).
BUFFER_BYTES = 32_768
#: Client connections at once over all listeners (Envoy: unlimited).
DOWNSTREAM_CONNECTIONS = 50_000
#: Requests at once to peergate (Envoy: 1024, and past it every request is an error, which denies).
AUTHORIZATION_REQUESTS = 16_384
#: CA certificates above the leaf, the anchor included (Envoy: 100): as many as peergate itself follows.
CHAIN_DEPTH = MAX_CHAIN_DEPTH + 1
#: Seconds between two pings to the discovery service, and for the answer to one; later it counts as gone.
DISCOVERY_PING_SECONDS = 10.0
DISCOVERY_PONG_SECONDS = 5.0
#: Seconds until a lost connection to the discovery service is tried again, doubled each time (Envoy: 0.5 to 30).
#: A policy may be that late after an outage.
DISCOVERY_RETRY_SECONDS = 0.25
DISCOVERY_MAX_RETRY_SECONDS = 5.0
