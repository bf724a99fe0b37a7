"""How much of a policy is compiled into Envoy. What lies beyond is asked of peergate, never approximated."""

#: Wildcard patterns of callers that Envoy tells apart: each is a regular expression for every caller without an exact
#: entry.
MAX_CALLER_PATTERNS = 24
#: Overlaps of such patterns that are worked out.
MAX_CALLER_OVERLAPS = 128
#: Route patterns that are tried one after the other in one place.
MAX_PATTERNS_IN_A_ROW = 64
#: Characters of a path, without its query, that Envoy judges; peergate reads up to 8 KiB.
MAX_PATH_CHARS = 4096
#: Labels of a host and characters of a label that Envoy judges: 7 x 32 stays within 253.
MAX_LABELS = 7
MAX_LABEL_CHARS = 31
#: Headers that a line of Envoy's access log tells for the conditions of policies.
MAX_TOLD_HEADERS = 32
#: Pairs of rules that `policy check --native` compares.
MAX_COMPARED_RULES = 200_000
#: Serial numbers, and callers by name, of a change that Envoy asks about until it has the new policy: a file of some
#: 10 MB, which it takes in a fraction of the time that a policy of as many rules needs.
MAX_CHANGED_SERIALS = 50_000
MAX_CHANGED_CALLERS = 5_000
