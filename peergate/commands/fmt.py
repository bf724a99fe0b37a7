"""`peergate policy fmt`: policy files and their tests in one style."""

import sys
from collections.abc import Mapping

from peergate.console import stderr, stdout, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.reports.problems import problem_text
from peergate.writing import rewrite
from policies.authoring.formatting.format import formatted
from policies.language.limits import MAX_FILE_BYTES
from policies.language.problem import Problem
from runtime.policy_source import PolicySource

_STDIN = "-"


def fmt(path: str, *, check: bool) -> ExitCode:
    """Format the file or folder at `path`, or standard input to standard output.

    `check`: change nothing, say what would change. Raises ArgumentError.
    """
    before = {_STDIN: sys.stdin.buffer.read(MAX_FILE_BYTES + 1)} if path == _STDIN else _files(path)
    after: dict[str, bytes] = {}
    problems: list[Problem] = []
    for file, data in sorted(before.items()):
        new, found = formatted(file, data)
        problems.extend(found)
        if new is not None and (new != data or (path == _STDIN and not check)):
            after[file] = new
    if problems:
        return _refused(problems)
    if check:
        return _checked(before, after)
    if path == _STDIN:
        sys.stdout.write(after[_STDIN].decode())
        return ExitCode.FINE
    rewrite(before, after)
    for file in after:
        stdout().print(styled(f"formatted: {file}"), soft_wrap=True)
    return ExitCode.FINE


def _files(path: str) -> Mapping[str, bytes]:
    """Policy files and tests of a folder, or the one file that is named."""
    try:
        files = PolicySource(path).yaml_files()
    except OSError as error:
        raise ArgumentError(f"{path!r} cannot be read: {error.strerror or error}") from None
    if not files:
        raise ArgumentError(f"{path!r} holds no *.yaml file")
    return files


def _refused(problems: list[Problem]) -> ExitCode:
    for problem in problems:
        stderr().print(problem_text(problem), soft_wrap=True)
    stderr().print(styled(("nothing was formatted", "bold red")), soft_wrap=True)
    return ExitCode.NO


def _checked(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> ExitCode:
    for file in after:
        stdout().print(styled(f"would be formatted: {file}"), soft_wrap=True)
    if after:
        said = f"{len(after)} of {len(before)} files are not formatted; run `peergate policy fmt`"
        stderr().print(styled((said, "bold red")), soft_wrap=True)
    return ExitCode.NO if after else ExitCode.FINE
