"""The executor does what gRPC relies on: every call is run, told once when done, and none stops the others."""

import threading
import time
from concurrent.futures import Executor

import pytest

from extauth import answering_threads
from extauth.answering_threads import AnsweringThreads, Call
from tests.extauth.service_process import eventually


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


def test_while_threads_wait_aside_others_answer_in_their_place() -> None:
    threads, released, answered = AnsweringThreads(2), threading.Event(), threading.Event()

    def waiting() -> None:
        with threads.aside() as may_wait:
            assert may_wait
            released.wait(5)

    for _ in range(10):
        threads.submit(waiting)
    threads.submit(answered.set)
    assert answered.wait(5)
    released.set()
    threads.shutdown()


def test_afterwards_there_are_as_many_threads_as_before() -> None:
    threads, before = AnsweringThreads(2), threading.active_count()

    def waiting() -> None:
        with threads.aside():
            time.sleep(0.01)

    for _ in range(20):
        threads.submit(waiting)
    eventually(lambda: threading.active_count() == before, 5)
    both = threading.Barrier(2, timeout=5)
    for _ in range(2):
        threads.submit(both.wait)
    threads.shutdown()
    assert not both.broken


def test_only_so_many_may_wait_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering_threads, "MAX_THREADS_ASIDE", 1)
    threads = AnsweringThreads(1)
    with threads.aside() as first, threads.aside() as second:
        assert (first, second) == (True, False)
    with threads.aside() as third:
        assert third
    threads.shutdown()


def test_a_system_without_more_threads_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, done = AnsweringThreads(1), threading.Event()

    def none_left(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError), threads.aside():
            pass
    threads.submit(done.set)
    assert done.wait(5)
    threads.shutdown()
