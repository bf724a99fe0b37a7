"""How much of a policy file is read before it is refused. Every limit is checked before the work it bounds."""

#: Bytes of one policy file; 10 000 identities, routes and rules are about 2 MiB.
MAX_FILE_BYTES = 8 * 1024 * 1024
#: Levels of lists and mappings, the outermost counted as 1; the language itself needs about 8.
MAX_DEPTH = 32
#: Texts, lists and mappings in one file: what 8 MiB of ordinary policy hold. Bounds memory to about 250 MiB.
MAX_VALUES = 1_000_000
#: Problems listed for one file; a file with more is not a policy.
MAX_PROBLEMS = 10_000
#: Bytes handed to the YAML scanner at a time, so that other threads run within about 50 µs.
SCANNER_CHUNK_BYTES = 1024
#: Characters of a quoted word in a message.
MAX_QUOTED_CHARS = 80
#: Characters beyond which a word is no misspelling of anything.
MAX_SUGGESTED_CHARS = 128
