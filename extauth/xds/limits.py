"""How much of an Envoy's input the discovery service takes, and for how long. Each limit is a number with its unit."""

#: Bytes of one request. Envoy names every extension it was built with: about 100 KiB.
MAX_REQUEST_BYTES = 1024 * 1024
#: Bytes of the metadata of one call.
MAX_METADATA_BYTES = 16 * 1024
#: Streams at one time: in the process, on one connection, and of one Envoy, whose oldest ends when there is one more
#: (it connects again before we know that the old connection is dead). A stream takes two threads.
MAX_STREAMS = 1024
MAX_CONNECTION_STREAMS = 16
MAX_NODE_STREAMS = 4
#: Envoys that are remembered; of those that are not connected the longest silent is forgotten first.
MAX_NODES = 4096

#: Characters of what an Envoy calls itself, of a resource name, and of a version.
MAX_NODE_CHARS = 256
MAX_NAME_CHARS = 256
MAX_VERSION_CHARS = 256
#: Resource names that one stream subscribes to for one type.
MAX_NAMES = 1024
#: Characters of an Envoy's complaint that are read (it sends no more), and that are kept.
MAX_READ_ERROR_CHARS = 8192
MAX_ERROR_CHARS = 1000
#: Types that are asked for and not served, which are remembered of one Envoy.
MAX_OTHER_TYPES = 8

#: Requests that one stream may send at once, and per second from then on. Envoy sends one for each new watch at its
#: start, and afterwards one for each answer.
REQUEST_BURST = 512
REQUESTS_PER_SECOND = 20.0
#: Seconds in which the first request must come, and an answer to what was sent: Envoy takes seconds for a large tree.
FIRST_REQUEST_SECONDS = 15.0
ANSWER_SECONDS = 60.0
#: Seconds after its beginning for which a stream is expected to ask for filters, before trust is sent without any.
FILTERS_FIRST_SECONDS = 2.0
#: Seconds for which a stream that was ended may take to read so.
LEAVE_SECONDS = 2.0
#: Seconds between two looks at the certificates and deadlines of all streams (law 9 allows 5).
LOOK_SECONDS = 1.0

#: Seconds for which a policy must have been unchanged before it is compiled, and the longest that a change waits.
DEBOUNCE_SECONDS = 0.1
MAX_DEBOUNCE_SECONDS = 1.0
#: Seconds between two looks whether the filters in force have ended.
RENEW_LOOK_SECONDS = 10.0
#: Earlier snapshots that are kept, for an Envoy that refuses the current one.
KEPT_SNAPSHOTS = 4
#: Selections of a snapshot (one for each set of names) whose encoded form is kept.
MAX_SELECTIONS = 64
#: Bytes of all resources of one snapshot.
MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024

#: Answers that are being written at one time (each may have megabytes, and is copied), and seconds for which one waits
#: for its turn: who reads slowly holds up the others no longer than that.
PARALLEL_SENDS = 16
SEND_WAIT_SECONDS = 2.0

#: Connections at one time, milliseconds for a handshake, and for which a connection without a stream is kept.
MAX_CONNECTIONS = 2048
HANDSHAKE_MS = 10_000
IDLE_MS = 60_000
#: Milliseconds of silence after which a connection is asked whether it is still there, and for an answer.
KEEPALIVE_MS = 20_000
KEEPALIVE_TIMEOUT_MS = 10_000
#: Milliseconds that a client must leave between its own pings, and how many too early ones end its connection.
MIN_PING_INTERVAL_MS = 5_000
MAX_PING_STRIKES = 3
