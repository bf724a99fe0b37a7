"""`peergate policy replay`: JSON lines in, JSON lines out, in order; or a summary of what changes."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from time import time
from typing import BinaryIO

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from peergate.console import plain, stderr, stdout
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.formats import Format
from peergate.loading import loaded_policy, print_unusable
from peergate.reports.replay import json_from_summary, print_summary
from policies.authoring.limits import MAX_LINE_BYTES
from policies.authoring.replay import Answer, Replay
from policies.authoring.replay_summary import Summary

#: Bytes asked of the input at a time; what is there is taken, and nothing is waited for.
_CHUNK_BYTES = 64 * 1024
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def replay(path: str, file: str, form: Format, *, fail_on_changed: bool) -> ExitCode:
    """Answer every line of `file` (`-`: standard input) under the policy at `path`."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    answers = Replay(loaded.policy, time)
    written = _ENCODE if form is Format.JSON else _text
    found = Counter[object]()
    with opened(file) as stream:
        for lines in line_batches(stream):
            replies = [answers.answer(line) for line in lines]
            found.update(reply.get("changed") for reply in replies)
            sys.stdout.write("".join(f"{written(reply)}\n" for reply in replies))
            sys.stdout.flush()
    return _verdict(found[True], found[None], found.total()) if fail_on_changed else ExitCode.FINE


def summarise(path: str, file: str, form: Format, *, fail_on_changed: bool) -> ExitCode:
    """Say what the policy at `path` would have done to the traffic in `file` (`-`: standard input)."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    answers, summary = Replay(loaded.policy, time), Summary()
    with opened(file) as stream, _progress(stream, file) as advance:
        for lines in line_batches(stream):
            for line in lines:
                summary.add(answers.judged(line))
            advance(sum(map(len, lines)) + len(lines))
    if form is Format.JSON:
        print(json_from_summary(summary, loaded.policy.generation))
    else:
        print_summary(stdout(), summary, loaded.policy.generation)
    return _verdict(summary.changed, summary.undecided, summary.lines) if fail_on_changed else ExitCode.FINE


def _verdict(changed: int, uncompared: int, lines: int) -> ExitCode:
    """Fine if every line was compared and none has changed: what nobody compared is not unchanged."""
    if not lines:
        print("nothing was compared: there is no line", file=sys.stderr)
    elif uncompared:
        print(
            f"{uncompared} of {lines} lines carry no earlier `effect` that can be read, so they were not compared",
            file=sys.stderr,
        )
    return ExitCode.NO if changed or uncompared or not lines else ExitCode.FINE


@contextmanager
def _progress(stream: BinaryIO, file: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal that moves with the bytes read; on nothing else. A pipe has no end that could be known."""
    console = stderr()
    status = os.fstat(stream.fileno())
    total = status.st_size if S_ISREG(status.st_mode) else None
    name = "standard input" if file == "-" else Path(file).name
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(plain(name), total=total)
        yield lambda count: bar.advance(task, count)


def line_batches(stream: BinaryIO) -> Iterator[list[bytes]]:
    """The lines that each read brings, without their ends, so that answers leave as lines arrive.

    A line is kept up to one byte beyond `MAX_LINE_BYTES`, enough to see that it is too long; the rest of it is dropped.
    """
    rest = b""
    while chunk := stream.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]  # both inputs are buffered readers
        *lines, last = chunk.split(b"\n")
        if lines:
            lines[0] = (rest + lines[0])[: MAX_LINE_BYTES + 1]
            rest = b""
            yield lines
        if len(rest) <= MAX_LINE_BYTES:
            rest = (rest + last)[: MAX_LINE_BYTES + 1]
    if rest:
        yield [rest]


def opened(file: str) -> BinaryIO:
    """The bytes of `file`, or of standard input for `-`. Raises ArgumentError."""
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArgumentError(f"{file!r} cannot be read: {reason}") from None


def _text(reply: Answer) -> str:
    """An answer as one line for people."""
    rules = reply["rules"]
    by = f" by {', '.join(rules)}" if isinstance(rules, list) and rules else ""
    mark = "  CHANGED" if reply.get("changed") else ""
    problems = reply.get("problems")
    why = f"  ({'; '.join(map(str, problems))})" if isinstance(problems, list) else ""
    return plain(f"{reply['effect']:5}  {reply['reason']}{by}{why}{mark}")
