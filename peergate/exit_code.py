"""What the `peergate` command tells its caller when it ends. Scripts rely on these numbers."""

from enum import IntEnum


class ExitCode(IntEnum):
    """0 is the only one that means yes."""

    FINE = 0
    #: The answer is "no": problems, failing tests, denied, changed.
    NO = 1
    #: The command line cannot be understood, or names something that is not there.
    USAGE = 2
    #: A bug of peergate (EX_SOFTWARE of sysexits.h).
    INTERNAL = 70
    #: A file, a pipe or a terminal failed while it was used (EX_IOERR).
    INPUT_OUTPUT = 74
    #: Flags, variables or configuration are refused (EX_CONFIG of sysexits.h).
    CONFIGURATION = 78
    #: 128 + SIGINT and 128 + SIGPIPE, as shells count them.
    INTERRUPTED = 130
    BROKEN_PIPE = 141
