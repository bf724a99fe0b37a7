"""`peergate up` as a program of its own: what Envoy decided is recorded as peergate would, and so is the shadow."""

import re
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.peergate.up_world import POLICY, Up, running

SHADOW = """\
  - {id: archive, deny: billing, to: {paths: [/v1/archive]}, mode: shadow}
  - {id: soon, allow: billing, to: {paths: [/v2]}, mode: shadow}
  - {id: later, deny: billing, to: {paths: [/v1/later]}, mode: shadow, when: {after: 2020-01-01T00:00:00Z}}
  - {id: staged, deny: billing, to: {paths: [/v1/staged], headers: {x-stage: [new]}}, mode: shadow}
"""
MORE = """\
  - {id: many, allow: billing, to: {paths: [/v1/many]}, labels: {team: a}}
  - {id: dated, allow: billing, to: {paths: [/v1/many]}, when: {after: 2020-01-01T00:00:00Z}}
  - {id: ended, allow: billing, to: {paths: [/v1/many]}, when: {before: 2020-01-01T00:00:00Z}}
  - {id: staged, allow: billing, to: {paths: [/v1/many], headers: {x-stage: [new]}}}
  - {id: acme, allow: {subject: {O: Acme}}, to: {paths: [/v1/acme]}}
  - {id: other, allow: {subject: {O: Other}}, to: {paths: [/v1/acme]}}
  - {id: closed, deny: billing, to: {paths: [/v1/closed]}}
  - {id: shut, deny: authenticated, to: {paths: ["/v1/closed/**"]}}
"""


@pytest.fixture(scope="module")
def shadowed() -> Iterator[Up]:
    with running(POLICY + SHADOW) as up:
        yield up


def test_what_envoy_decided_is_recorded_with_what_shadow_rules_would_decide(shadowed: Up) -> None:
    assert shadowed.get("/v1/archive").status == 200
    record = shadowed.record("/v1/archive")
    assert (record["enforcement"], record["effect"], record["rules"]) == ("native", "allow", ["reads"])
    assert record["shadow"] == {"effect": "deny", "reason": "denied_by_rule", "rules": ["archive"]}


def test_a_request_that_envoy_denies_has_its_shadow_too(shadowed: Up) -> None:
    assert shadowed.get("/v2").status == 403
    record = shadowed.record("/v2")
    assert (record["enforcement"], record["reason"]) == ("native", "no_matching_rule")
    assert record["shadow"] == {"effect": "allow", "reason": "allowed_by_rule", "rules": ["soon"]}


def test_a_shadow_that_changes_nothing_is_null(shadowed: Up) -> None:
    assert shadowed.get("/v1/a").status == 200
    record = shadowed.record("/v1/a")
    assert (record["enforcement"], record["shadow"], record["problems"]) == ("native", None, [])


def test_shadow_rules_that_envoy_cannot_say_are_evaluated_on_what_its_access_log_tells(shadowed: Up) -> None:
    assert shadowed.get("/v1/later").status == 200
    record = shadowed.record("/v1/later")
    assert (record["enforcement"], record["effect"], record["problems"]) == ("native", "allow", [])
    assert record["shadow"] == {"effect": "deny", "reason": "denied_by_rule", "rules": ["later"]}


def test_shadow_rules_about_a_header_that_is_not_told_as_it_was_sent_are_not_evaluated(shadowed: Up) -> None:
    assert shadowed.get("/v1/staged", ("x-stage", b"\xff")).status == 200
    record = shadowed.record("/v1/staged")
    assert (record["enforcement"], record["effect"], record["shadow"]) == ("native", "allow", None)
    assert record["problems"] == [
        "only the rule that Envoy met first is named: Envoy does not tell the header x-stage as it was sent",
        "shadow rules were not evaluated inside Envoy",
    ]


def test_what_is_asked_has_the_shadow_of_peergate(shadowed: Up) -> None:
    assert shadowed.get("/told").status == 200
    assert shadowed.record("/told")["enforcement"] == "extauth"


def test_what_shadow_rules_would_change_is_counted(shadowed: Up) -> None:
    before = shadowed.metrics("peergate_native_shadow_rules_total")
    for target in ("/v1/archive", "/v1/b"):
        shadowed.get(target)
    shadowed.get("/v1/staged", ("x-stage", b"\xff"))
    wanted = {result: before[f'{{result="{result}"}}'] + 1 for result in ("differs", "same", "not_evaluated")}
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        counted = shadowed.metrics("peergate_native_shadow_rules_total")
        if counted == {f'{{result="{result}"}}': number for result, number in wanted.items()}:
            return
        time.sleep(0.05)
    raise AssertionError(counted)


def test_a_decision_inside_envoy_names_every_rule_that_matches() -> None:
    with running(POLICY + MORE) as up:
        for target, headers, rules in (
            ("/v1/many", (), ["dated", "many", "reads"]),
            ("/v1/many", (("x-stage", b"new"),), ["dated", "many", "reads", "staged"]),
            ("/v1/acme", (), ["acme", "reads"]),
        ):
            assert up.get(target, *headers).status == 200
            up.until(partial(_is_recorded, up, target, ("native", rules)))
        record = up.record("/v1/many")
        assert record["labels"] == {"team": "a"}
        assert up.get("/v1/closed").status == 403
        closed = up.record("/v1/closed")
        assert (closed["enforcement"], closed["rules"]) == ("native", ["closed", "shut"])


def _is_recorded(up: Up, target: str, wanted: tuple[str, list[str]]) -> bool:
    record = up.record(target)
    return (record["enforcement"], record["rules"]) == wanted


def test_the_screen_says_in_words_where_decisions_go_and_how_many_rules_there_are() -> None:
    one = "".join(line for line in POLICY.splitlines(keepends=True) if "tells" not in line)
    with running(one, "--decision-log", "-") as up:
        up.until(lambda: "listening" in (up.folder / "run" / "up.log").read_text())
        screen = (up.folder / "run" / "up.log").read_text()
    assert re.search(r"^  decisions +standard output$", screen, re.MULTILINE)
    assert re.search(r", 1 rule$", screen, re.MULTILINE)


def test_the_record_of_what_envoy_decided_names_the_one_of_several_trust_entries_that_vouches() -> None:
    several = POLICY.replace("trust: {mesh", "trust: {another: {anchors: [../partner.pem]}, mesh")
    with running(several) as up:
        assert up.get("/v1/a").status == 200
        record = up.record("/v1/a")
        assert (record["enforcement"], record["effect"], record["identity.trust"]) == ("native", "allow", ["mesh"])
