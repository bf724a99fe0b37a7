"""How much of a request is read before it is refused, and how much a policy set remembers."""

#: Characters of a request target's path; Envoy and nginx default to 8 KiB and more for a whole request line.
MAX_PATH_CHARS = 8 * 1024
#: Characters of a host name (RFC 1035 §2.3.4) and of one label.
MAX_HOST_CHARS = 253
MAX_LABEL_CHARS = 63
#: Characters of a method; the longest registered one is UPDATEREDIRECTREF (17).
MAX_METHOD_CHARS = 32
#: Pairs of ways to satisfy two conditions that bind names; 64 SANs against 64 others.
MAX_JOINED_PAIRS = 4096
#: Hosts whose canonical form is remembered.
MAX_CACHED_HOSTS = 4096
#: Callers whose standing and identities are remembered in one generation.
MAX_CACHED_CALLERS = 8192
#: Decisions remembered of one of them: one for each set of rules that decided together.
MAX_VERDICTS_OF_CALLER = 16
#: Targets of one of them whose decision is remembered, and characters of such a target's path.
MAX_TARGETS_OF_CALLER = 16
MAX_REMEMBERED_PATH_CHARS = 200
