"""Whether Envoy has taken what it was told."""

from peergate.up.taken import BUSY_SECONDS, TAKE_SECONDS, Taken


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nobody_is_asked_before_something_was_told_nor_once_it_is_taken() -> None:
    taken = Taken(Clock())
    told = [taken.is_open]
    taken.tell("b")
    told += [taken.is_open, taken.is_refused("b"), taken.is_open]
    assert told == [False, True, False, False]


def test_another_version_counts_only_after_some_time_and_not_at_once() -> None:
    clock = Clock()
    taken = Taken(clock)
    taken.tell("b")
    assert [taken.is_refused("a") for _ in range(5)] == [False] * 5
    clock.now = TAKE_SECONDS + 0.1
    assert [taken.is_refused("a"), taken.is_refused("a")] == [False, True]


def test_what_is_told_anew_has_its_time_again() -> None:
    clock = Clock()
    taken = Taken(clock)
    taken.tell("b")
    clock.now = TAKE_SECONDS + 0.1
    assert not taken.is_refused("a")
    taken.tell("c")
    assert [taken.is_refused("a") for _ in range(5)] == [False] * 5


def test_one_that_comes_late_is_taken() -> None:
    clock = Clock()
    taken = Taken(clock)
    taken.tell("b")
    clock.now = TAKE_SECONDS + 0.1
    assert not taken.is_refused("a")
    assert not taken.is_refused("b")
    assert not taken.is_refused("a")


def test_an_envoy_that_does_not_answer_is_taken_for_busy_for_a_while_only() -> None:
    clock = Clock()
    taken = Taken(clock)
    taken.tell("b")
    clock.now = BUSY_SECONDS
    assert taken.may_be_busy
    clock.now += 0.1
    assert not taken.may_be_busy
