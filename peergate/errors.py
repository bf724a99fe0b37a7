"""Why a command ends without an answer. Each is printed as one line.

CommandError
└── ArgumentError   the command line names something that is not there or cannot be read: exit 2
"""

from peergate.exit_code import ExitCode


class CommandError(Exception):
    """The command cannot do its work. The message is one line for people; `code` is what it exits with."""

    code = ExitCode.INTERNAL


class ArgumentError(CommandError):
    """An argument cannot be understood, or names a file that cannot be read."""

    code = ExitCode.USAGE
