"""`policy replay`: one answer a line, in order, as the lines arrive."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from peergate.commands.replay import line_batches
from policies.authoring.limits import MAX_LINE_BYTES
from tests.peergate.commands import ROOT, STARTER, WEB, Peergate, program

GOOD: dict[str, Any] = {"identity": {"uri": WEB}, "method": "GET", "host": "orders.prod.svc", "path": "/v1/orders"}
HOSTILE = [
    b"",
    b"null",
    b"{",
    b"\xff\xfe\x00",
    b"[" * 50_000,
    b'{"method": "GET", "method": "GET"}',
    b'{"time": NaN}',
    b'{"path": "\\ud800", "method": "GET", "host": "h"}',
    b"x" * (MAX_LINE_BYTES + 100_000),
    b'{"time": ' + b"9" * 5000 + b"}",
]


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_good_and_hostile_lines_are_answered_in_order_one_by_one(tmp_path: Path) -> None:
    lines: list[bytes] = []
    for number, hostile in enumerate(HOSTILE * 20):
        lines += [json.dumps({**GOOD, "path": f"/v1/orders/{number}"}).encode(), hostile]
    file = tmp_path / "traffic.jsonl"
    file.write_bytes(b"\n".join(lines))
    ended = program("policy", "replay", STARTER, str(file))
    assert (ended.code, ended.err) == (0, "")
    answers = lines_of(ended.out)
    assert len(answers) == len(lines)
    assert [answer["captures"]["id"] for answer in answers[::2]] == [str(number) for number in range(len(lines) // 2)]
    assert {answer["effect"] for answer in answers[::2]} == {"allow"}
    assert {answer["reason"] for answer in answers[1::2]} == {"request_malformed"}


def test_standard_input_is_read(peergate: Peergate) -> None:
    ended = program("policy", "replay", STARTER, "-", stdin=json.dumps(GOOD).encode())
    assert lines_of(ended.out)[0]["effect"] == "allow"


def test_nothing_in_is_nothing_out() -> None:
    ended = program("policy", "replay", STARTER, "-")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Two lines, the second of which was decided otherwise before."""
    path = tmp_path / "two.jsonl"
    path.write_text("".join(json.dumps({**GOOD, "effect": effect}) + "\n" for effect in ("allow", "deny")))
    return str(path)


def test_a_change_is_marked_and_is_0(peergate: Peergate, file: str) -> None:
    ended = peergate("policy", "replay", STARTER, file)
    assert ended.code == 0
    assert [answer["changed"] for answer in lines_of(ended.out)] == [False, True]


def test_a_change_is_1_if_that_is_asked_for(peergate: Peergate, file: str) -> None:
    assert peergate("policy", "replay", STARTER, file, "--fail-on", "changed").code == 1


def test_no_change_is_0_even_if_it_is_asked_for(peergate: Peergate, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps({**GOOD, "effect": "allow"}))
    assert peergate("policy", "replay", STARTER, str(path), "--fail-on", "changed").code == 0


@pytest.mark.parametrize("form", [(), ("--summary",)])
@pytest.mark.parametrize("log", [b"", b"\x1f\x8b\x08\x00gz\n", json.dumps(GOOD).encode(), b'{"effect": "allow'])
def test_what_was_not_compared_is_not_unchanged(
    peergate: Peergate, tmp_path: Path, log: bytes, form: tuple[str, ...]
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(log)
    ended = peergate("policy", "replay", STARTER, str(path), "--fail-on", "changed", *form)
    assert ended.code == 1
    assert "compared" in ended.err
    assert peergate("policy", "replay", STARTER, str(path), *form).code == 0


def test_text_is_a_line_for_people(peergate: Peergate, file: str) -> None:
    assert peergate("policy", "replay", STARTER, file, "--format", "text").out.splitlines() == [
        "allow  allowed_by_rule by callers-read-orders",
        "allow  allowed_by_rule by callers-read-orders  CHANGED",
    ]


def test_a_policy_with_problems_answers_nothing(peergate: Peergate, tmp_path: Path, file: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\n")
    ended = peergate("policy", "replay", str(policy), file)
    assert (ended.code, ended.out) == (1, "")
    assert "no_rule" in ended.err


@contextmanager
def running_replay() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "peergate", "policy", "replay", STARTER, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    with process:
        yield process
        process.kill()


def asked(process: subprocess.Popen[bytes], line: bytes) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_an_answer_leaves_while_the_input_is_still_open() -> None:
    with running_replay() as process:
        assert asked(process, json.dumps(GOOD).encode() + b"\n")["effect"] == "allow"
        assert asked(process, b"garbage\n")["reason"] == "request_malformed"


def test_an_interrupt_ends_it_with_130_and_no_word() -> None:
    with running_replay() as process:
        asked(process, b"\n")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors.strip()) == (130, b"")


def test_a_reader_that_leaves_ends_it_quietly_with_141(tmp_path: Path) -> None:
    with running_replay() as process:
        asked(process, b"\n")
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""


def test_a_thousand_lines_take_less_than_a_second_after_the_start(tmp_path: Path) -> None:
    """With a margin of two for busy machines."""
    file = tmp_path / "traffic.jsonl"
    with file.open("wb") as traffic:
        for number in range(10_000):
            line = {**GOOD, "path": f"/v1/orders/{number}", "headers": {"user-agent": "x" * 100}}
            traffic.write(json.dumps(line).encode() + b"\n" if number % 10 else b'{"method": 1}\n')
    began = time.monotonic()
    ended = program("policy", "replay", STARTER, str(file))
    assert len(ended.out.splitlines()) == 10_000
    assert time.monotonic() - began < 1 + 2 * 10


class Dribble(BytesIO):
    """An input that brings a few bytes at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(7)


@pytest.mark.parametrize("kind", [BytesIO, Dribble])
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"\n", [b""]),
        (b"a\n\nlong line of text\nb", [b"a", b"", b"long line of text", b"b"]),
        (b"a\r\nb\x0bc\x1cd\n", [b"a\r", b"b\x0bc\x1cd"]),
    ],
)
def test_only_a_line_feed_ends_a_line(kind: type[BytesIO], data: bytes, lines: list[bytes]) -> None:
    assert [line for batch in line_batches(kind(data)) for line in batch] == lines


def test_a_line_without_an_end_is_never_held_in_full() -> None:
    data = b"x" * (3 * MAX_LINE_BYTES) + b"\nshort\n"
    first, second = [line for batch in line_batches(BytesIO(data)) for line in batch]
    assert (len(first), second) == (MAX_LINE_BYTES + 1, b"short")


def test_a_summary_says_what_changes_and_by_which_rules(peergate: Peergate, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    denied = GOOD | {"effect": "deny", "rules": ["closed"], "decision_id": "ab12"}
    log.write_text("".join(json.dumps(line) + "\n" for line in (GOOD | {"effect": "allow"}, denied, denied)))
    ended = peergate("policy", "replay", STARTER, str(log), "--summary", "--fail-on", "changed")
    assert ended.code == 1
    assert "2  deny by closed -> allow by " in ended.out
    assert "line 2" in ended.out
    assert "ab12" in ended.out
    assert "2 of 3 decisions would change" in ended.out


def test_a_summary_as_json_has_every_count(peergate: Peergate, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(GOOD | {"effect": "deny"}) + "\n{\n" + json.dumps(GOOD) + "\n")
    ended = peergate("policy", "replay", STARTER, str(log), "--summary", "--format", "json")
    said = json.loads(ended.out)
    assert ended.code == 0
    assert (said["lines"], said["changed"], said["unreadable"]) == (3, {"deny_to_allow": 1, "allow_to_deny": 0}, 1)
    assert said["first_unreadable"]["line"] == 2
    assert said["groups"][0]["examples"][0]["line"] == 1


def test_a_summary_of_nothing_and_of_hostile_lines_ends_well() -> None:
    assert "0 of 0 decisions" in program("policy", "replay", STARTER, "-", "--summary").out
    ended = program("policy", "replay", STARTER, "-", "--summary", stdin=b"\n".join(HOSTILE))
    assert (ended.code, ended.err) == (0, "")
    assert re.search(rf"unreadable, so denied +{len(HOSTILE)}, first line 1: the line is empty", ended.out)


def test_the_bar_of_a_summary_is_drawn_on_a_terminal_only(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(f"{json.dumps(GOOD)}\n" * 2000)
    arguments = [sys.executable, "-m", "peergate", "policy", "replay", STARTER, str(log), "--summary"]
    ours, theirs = os.openpty()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=theirs, cwd=ROOT)
    os.close(theirs)
    drawn = bytearray()
    try:
        while chunk := os.read(ours, 4096):
            drawn += chunk
    except OSError:
        pass  # Linux answers EIO when the other end is closed
    finally:
        os.close(ours)
    out = process.communicate(timeout=60)[0]
    assert b"log.jsonl" in drawn
    assert b"\x1b" not in out
    assert program(*arguments[3:]).err == ""
