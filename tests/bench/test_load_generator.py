"""The load generator as its caller sees it."""

import os
from pathlib import Path

import pytest

from bench.http2 import grpc_request
from bench.load_generator import Http2Load, load_generator
from bench.processes import cores, on_cores, serving
from extauth.health import AUTHORIZATION
from runtime.address import UnixAddress

ALL = frozenset(os.sched_getaffinity(0))


def test_answers_are_counted_round_by_round(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with serving(["-m", "bench.allow_all", "grpc", str(path)], path, ALL):
        load = Http2Load(UnixAddress(str(path)), (grpc_request(f"/{AUTHORIZATION}/Check", b""),), 4, b"\x0a\x00")
        with load_generator([load], ALL) as generator:
            first, second = generator.run(0.05), generator.run(0.05)
    assert first.wanted > 0
    assert generator.answered == first.wanted + first.late + second.wanted + second.late


def test_a_server_that_does_not_listen_is_an_error(tmp_path: Path) -> None:
    load = Http2Load(UnixAddress(str(tmp_path / "nobody")), (grpc_request("/a/b", b""),), 1)
    with load_generator([load], ALL) as generator, pytest.raises(ConnectionError, match="No such file"):
        generator.run(0.05)


def test_a_server_that_ends_at_once_is_an_error_with_its_words(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="no such place"),
        serving(["-c", "raise SystemExit('no such place')"], tmp_path / "s.sock", ALL),
    ):
        pass


def test_a_server_runs_on_its_cores_and_its_starter_stays_where_it_was() -> None:
    before = os.sched_getaffinity(0)
    with on_cores(cores()[0]):
        assert os.sched_getaffinity(0) == cores()[0]
    assert os.sched_getaffinity(0) == before
