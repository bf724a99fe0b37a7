"""The executor does what gRPC relies on: every call is run, told once when done, and none stops the others."""

import threading
from concurrent.futures import Executor

import pytest

from extauth.answering_threads import AnsweringThreads, Call


def test_what_is_submitted_is_run_by_another_thread() -> None:
    ran: list[str] = []
    threads = AnsweringThreads(1)
    threads.submit(lambda name: ran.append(f"{name} in {threading.current_thread().name}"), "call")
    threads.shutdown()
    assert ran == ["call in check-0"]


def test_calls_run_beside_each_other() -> None:
    both = threading.Barrier(2, timeout=5)
    threads = AnsweringThreads(2)
    for _ in range(2):
        threads.submit(both.wait)
    threads.shutdown()
    assert not both.broken


def test_shutdown_waits_for_what_was_submitted_before() -> None:
    done: list[int] = []
    threads = AnsweringThreads(1)
    for number in range(50):
        threads.submit(done.append, number)
    threads.shutdown()
    assert done == list(range(50))


def test_a_callback_added_before_the_end_is_called_once() -> None:
    told: list[Call] = []
    call = Call(lambda: None, ())
    call.add_done_callback(told.append)
    assert told == []
    call.run()
    assert told == [call]


def test_a_callback_added_after_the_end_is_called_at_once() -> None:
    told: list[Call] = []
    call = Call(lambda: None, ())
    call.run()
    call.add_done_callback(told.append)
    assert told == [call]


def test_a_callback_is_called_once_whoever_comes_first() -> None:
    """gRPC adds it while a thread may be at the end of the call already."""
    told: list[Call] = []
    threads = AnsweringThreads(2)
    for _ in range(2_000):
        threads.submit(lambda: None).add_done_callback(told.append)
    threads.shutdown()
    assert len(told) == 2_000
    assert len(set(map(id, told))) == 2_000


def test_a_call_that_raises_is_told_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Call] = []
    threads = AnsweringThreads(1)
    threads.submit(lambda: 1 / 0).add_done_callback(told.append)
    threads.submit(lambda: None).add_done_callback(told.append)
    threads.shutdown()
    assert len(told) == 2
    assert "ZeroDivisionError" in caplog.text


def test_a_call_lets_go_of_its_work() -> None:
    class Argument:
        pass

    argument = Argument()
    call = Call(lambda _: None, (argument,))
    call.run()
    held = threading.Event()
    import weakref

    weakref.finalize(argument, held.set)
    del argument
    assert held.is_set()


def test_it_is_an_executor_of_positional_calls() -> None:
    threads = AnsweringThreads(1)
    assert isinstance(threads, Executor)
    with pytest.raises(TypeError, match="positional"):
        threads.submit(print, end="")
    threads.shutdown()
