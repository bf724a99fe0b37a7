"""How much a process reads, holds and waits for. Every limit is a number with its unit and the reason for it."""

#: Bytes of one policy file (law 3).
MAX_POLICY_FILE_BYTES = 8 * 1024 * 1024
#: Policy files in one folder.
MAX_POLICY_FILES = 1000
#: Files that one folder which a policy names (a folder of CRLs) may hold.
MAX_FOLDER_FILES = 4096
#: Folders that are watched for one policy; what lies beyond is still seen by the sweep.
MAX_WATCHED_FOLDERS = 64

#: Seconds for which a policy must lie still before it is read again (DESIGN §2, Files).
SETTLE_SECONDS = 0.2
#: Seconds between two looks at every file of a policy, for file systems that send no events.
SWEEP_SECONDS = 1.0
#: Seconds of unceasing change after which the log and the health detail say that the policy never lies still.
UNSETTLED_SECONDS = 10.0
#: Seconds for which another thread may hold the interpreter while a policy is compiled; CPython's default is 0.005.
LOAD_SWITCH_SECONDS = 0.0002
#: Objects that may stay frozen without use before a full collection is worth its pause; about 50 MB.
MAX_FROZEN_GARBAGE = 500_000
#: Seconds after a new policy is in force in which requests let go of the old one.
SET_ASIDE_SECONDS = 0.3
#: Problems of a failed reload that health detail and log show; `policy check` shows all.
MAX_SHOWN_PROBLEMS = 20

#: Objects made before the cycle collector looks at the young ones; CPython's 700 would be after twenty requests, which
#: leave no cycles.
YOUNG_OBJECTS = 10_000

#: Decision records that wait for the writer. At 10 000 decisions a second this is 1.6 s, and about 30 MB.
MAX_QUEUED_RECORDS = 16_384
#: Records written at once: about 128 KiB, which the processor's caches still hold when they are written.
MAX_BATCH_RECORDS = 128
#: Seconds for which the writer lets records gather before it writes them.
BATCH_SECONDS = 0.01
#: Records encoded in one go, and seconds of rest after them: the writer never holds the interpreter for long.
ENCODE_AT_ONCE = 64
ENCODE_REST_SECONDS = 5e-5
#: Seconds for which closing waits for the records that are still queued.
LOG_CLOSE_SECONDS = 5.0
#: Seconds between two lines in the log about the same trouble.
COMPLAINT_SECONDS = 10.0

#: Bytes of a Unix socket's path, without the closing zero (unix(7)).
MAX_SOCKET_PATH_BYTES = 107
#: Connections that wait in a listener's backlog; the kernel caps it at net.core.somaxconn.
LISTEN_BACKLOG = 2048
#: Seconds that a drain may be told to take at most.
MAX_DRAIN_SECONDS = 3600
#: Bytes of the configuration file.
MAX_CONFIGURATION_BYTES = 1024 * 1024

#: Connections to the ops listener at one time; beyond it is answered with 503.
MAX_OPS_CONNECTIONS = 256
#: Whole seconds for which stopping waits for an answer that is being sent.
OPS_STOP_SECONDS = 1

#: Worker processes of one service.
MAX_WORKERS = 256
#: Seconds between two reports of a worker, and without one after which it counts as silent (not ready).
REPORT_SECONDS = 1.0
SILENT_SECONDS = 5.0
#: Seconds before a dead worker is started again: doubled for each that died young, up to the second number.
RESTART_SECONDS = 0.1
MAX_RESTART_SECONDS = 5.0
#: Seconds after which a worker no longer counts as one that died young.
WORKER_PROVEN_SECONDS = 30.0
#: Seconds beyond the drain after which a process that has not ended is ended hard.
END_GRACE_SECONDS = 3.0

#: Headers of one request. Envoy's own default is 100.
MAX_HEADERS = 1000
#: Source addresses whose meaning is remembered.
MAX_REMEMBERED_ADDRESSES = 4096
#: Addresses of one X-Forwarded-For that are looked at, from the right.
MAX_FORWARDED_ADDRESSES = 32
#: Header names, and sets of header names, whose treatment is remembered (`runtime.identity_headers`).
MAX_REMEMBERED_HEADER_NAMES = 4096
MAX_REMEMBERED_HEADER_SETS = 1024

#: Trust entries and kinds that have a gauge of their soonest end; where there are more, those that end first.
MAX_EXPIRY_SERIES = 512
#: Objects near their end that a process reports, and that health detail shows.
MAX_NEAR_EXPIRIES = 256
MAX_SHOWN_EXPIRIES = 20
#: Objects near their end of which it is remembered what was said.
MAX_REMEMBERED_EXPIRIES = 4096
#: Characters of an object's name in reports; a name in a certificate may have thousands.
MAX_EXPIRY_NAME_CHARS = 200
#: Seconds before its end from which health detail lists an object: seven days.
NEAR_EXPIRY_SECONDS = 7 * 86_400.0
#: Seconds between two looks for warnings that are due, and for which stopping waits for a look.
EXPIRY_LOOK_SECONDS = 2.0
EXPIRY_STOP_SECONDS = 1.0

#: Bytes of one of the certificate files of a listener.
MAX_TLS_FILE_BYTES = 1024 * 1024

#: URLs of one policy that CRLs are fetched from, each by a thread of its own; what it names beyond is never fetched.
MAX_FETCHED_CRLS = 64
#: URLs that certificates name, beside these: one host has at most as many as are left free.
MAX_NAMED_CRLS = 128
#: URLs without a place that health detail names.
MAX_SHOWN_UNFETCHED = 20
#: Seconds after which the fetching ends that only a policy which could not be loaded asked for.
UNWANTED_CRL_SECONDS = 10.0
#: Seconds after which a CRL that a certificate named, and no policy fetches, may give way to another.
UNUSED_CRL_SECONDS = 600.0
#: Seconds that one fetch takes at most, from the first byte sent to the last received.
FETCH_SECONDS = 10.0
#: Bytes of a fetched CRL, about 400 000 entries: who answers an http URL is not known until the signature is verified.
MAX_FETCHED_CRL_BYTES = 16 * 1024 * 1024
#: Bytes that an answer grows by between two looks at whether there is room for it.
RECEIVE_BYTES = 64 * 1024
#: Bytes of all CRLs that certificates name together, about 800 000 entries; the trust entries have equal shares. Each
#: takes some seven times as much memory once it is read.
MAX_NAMED_CRL_BYTES = 32 * 1024 * 1024
#: Times as long as the last reading of the policy took for which no other is begun just because of CRLs that
#: certificates name: who issues the certificates has at most an eleventh of one processor for it.
NAMED_CRL_REST = 10.0
#: Addresses of one host that are tried.
MAX_TRIED_ADDRESSES = 4
#: Seconds between two fetches of a CRL: half of what is left until nextUpdate, within these bounds.
MIN_REFRESH_SECONDS = 10.0
MAX_REFRESH_SECONDS = 300.0
#: The lower bound for one that certificates name.
MIN_NAMED_REFRESH_SECONDS = 30.0
#: Workload APIs that are listened to, each by a thread of its own; what a policy names beyond is never asked.
MAX_WORKLOAD_APIS = 16
#: Bytes of one message of a Workload API: gRPC's own default, and several hundred bundles.
MAX_WORKLOAD_MESSAGE_BYTES = 4 * 1024 * 1024
#: Seconds before a Workload API that is gone is asked again: doubled from RETRY_SECONDS each time, up to this.
MAX_RECONNECT_SECONDS = 5.0
#: Milliseconds between two pings on a silent stream, and for the answer. Servers in Go end a connection with pings more
#: often than every five minutes.
WORKLOAD_KEEPALIVE_MS = 330_000
WORKLOAD_KEEPALIVE_TIMEOUT_MS = 20_000
#: Trust domains that a notice names.
MAX_SHOWN_TRUST_DOMAINS = 8
#: Seconds for which the start of a process waits for its first CRLs and bundles, each.
FIRST_FETCH_SECONDS = 5.0
#: Certificates that a process asks OCSP responders about; what was not seen for longest is forgotten first.
MAX_OCSP_ASKED = 8192
#: Responders, by scheme, host and port, that have a queue of their own, and requests from one queue at a time.
MAX_OCSP_RESPONDERS = 64
OCSP_THREADS = 4
#: Seconds that a responder may take for an answer.
OCSP_SECONDS = 5.0
#: Seconds for which a request waits for the first answer about its certificate under `revocation: require`. Envoy has
#: to wait longer for it: the timeout of ext_authz.
FIRST_ANSWER_SECONDS = 1.0
#: Seconds between two answers about one certificate: half of what is left until nextUpdate, from the first number up to
#: `MAX_REFRESH_SECONDS`.
MIN_OCSP_REFRESH_SECONDS = 1.0
#: Seconds before a responder that could not be reached is asked again, and before it is asked again about a certificate
#: it said nothing useful of: doubled each time, up to the second and third number.
OCSP_RETRY_SECONDS = 0.5
MAX_OCSP_OUTAGE_SECONDS = 10.0
MAX_OCSP_RETRY_SECONDS = 60.0
#: Seconds after its last request for which the answer about a certificate is kept fresh.
OCSP_IDLE_SECONDS = 600.0
#: Seconds between two looks for responders that nobody needs any more, where there are too many.
OCSP_RELEASE_SECONDS = 10.0
#: Seconds before a fetch that failed is tried again: doubled each time, up to the longest refresh.
RETRY_SECONDS = 1.0
#: Lines about failed handshakes in one second; the others are counted.
MAX_HANDSHAKE_LINES = 20
#: Characters of a name that a client chose, in such a line.
MAX_SHOWN_CHARS = 200
