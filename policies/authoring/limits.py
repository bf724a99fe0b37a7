"""How much of what authors and replayed traffic hand over is read before it is refused."""

#: Bytes of one replayed line: a chain of nine certificates as PEM and 64 KiB of headers are about 300 KiB.
MAX_LINE_BYTES = 1024 * 1024
#: Characters of a number on a replayed line; a time in nanoseconds has 19.
MAX_LINE_NUMBER_CHARS = 40
#: Headers of one replayed request and their values; Envoy's default is 100 headers.
MAX_LINE_HEADERS = 256
#: Seconds since the epoch from which on a time is refused (the year 9999): calendars end there.
MAX_TIME = 253_370_764_800
#: Certificates that a replay remembers in parsed form.
MAX_REMEMBERED_CERTIFICATES = 4096
#: Values of one field of an asserted identity: as many as a certificate may have SANs.
MAX_CLAIM_VALUES = 64
#: Characters of one value of an asserted identity: as many as a name (RFC 4514) may have.
MAX_CLAIM_CHARS = 4096
#: Requests of one file of policy tests: callers times requests, of all tests.
MAX_TEST_CASES = 100_000
#: Characters of one `expect`.
MAX_EXPECTATION_CHARS = 4096
#: Pairs of rules that the linter compares: about two seconds. A policy of 10 000 rules needs a few per rule.
MAX_LINT_COMPARISONS = 250_000
#: Seconds before its end from which the linter reports a CA of a trust entry (thirty days), and at most half its life.
ANCHOR_EXPIRY_SECONDS = 30 * 86_400.0
#: Seconds before its nextUpdate from which the linter reports a CRL (one day), and at most half its life.
CRL_EXPIRY_SECONDS = 86_400.0
#: Rules of which an explanation says why they did not match; those with the fewest failed conditions come first.
MAX_TRACED_RULES = 20
#: Rules in the cells of a matrix, of all cells together: fifteen seconds at most, and 30 MB of JSON. A policy of 10 000
#: rules, each about one identity and one route, has 10 000.
MAX_MATRIX_USES = 100_000
#: Kinds of change that a replay keeps apart, and lines that it shows of each.
MAX_CHANGE_GROUPS = 1000
MAX_CHANGE_EXAMPLES = 3
#: Characters of one text of such a line, and rules that it names of the decision before.
MAX_EXAMPLE_CHARS = 300
MAX_EXAMPLE_RULES = 50
