"""A caller is remembered until an answer about its certificate changes, and not a request longer."""

from dataclasses import replace

from pki.authority import Authority
from policies.engine.caller import CallerCache, CallerState
from policies.engine.limits import MAX_CACHED_CALLERS
from tests.support.ocsp import question

MESH = Authority.root("mesh")
ASKED, OTHER = (question(MESH.issue(dns=[name]), MESH) for name in ("a.example", "b.example"))
STATE = CallerState(0, 100, None, ())


def test_what_depends_on_an_answer_is_forgotten_when_it_changes_and_nothing_else_is() -> None:
    cache = CallerCache()
    cache.remember(b"a", replace(STATE, asked=(ASKED,)), cache.turn)
    cache.remember(b"a too", replace(STATE, asked=(OTHER, ASKED)), cache.turn)
    cache.remember(b"b", replace(STATE, asked=(OTHER,)), cache.turn)
    cache.remember(b"c", STATE, cache.turn)
    cache.forget(ASKED)
    assert [cache.find(key, 1) is None for key in (b"a", b"a too", b"b", b"c")] == [True, True, False, False]


def test_what_was_judged_before_an_answer_changed_is_not_remembered_after_it() -> None:
    cache = CallerCache()
    turn = cache.turn
    cache.forget(ASKED)
    cache.remember(b"a", replace(STATE, asked=(ASKED,)), turn)
    cache.remember(b"c", STATE, turn)
    assert cache.find(b"a", 1) is None
    assert cache.find(b"c", 1) is STATE


def test_a_state_that_replaces_another_is_forgotten_by_its_own_questions() -> None:
    cache = CallerCache()
    cache.remember(b"a", replace(STATE, asked=(ASKED,)), cache.turn)
    cache.remember(b"a", replace(STATE, asked=(OTHER,)), cache.turn)
    cache.forget(ASKED)
    assert cache.find(b"a", 1) is not None
    cache.forget(OTHER)
    assert cache.find(b"a", 1) is None


def test_nothing_is_kept_of_what_was_crowded_out() -> None:
    cache = CallerCache()
    for number in range(MAX_CACHED_CALLERS + 1):
        cache.remember(number.to_bytes(4, "big"), replace(STATE, asked=(ASKED,)), cache.turn)
    assert len(cache) <= MAX_CACHED_CALLERS
    cache.forget(ASKED)
    assert len(cache) == 0
    cache.forget(ASKED)
