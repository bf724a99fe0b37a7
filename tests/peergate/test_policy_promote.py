"""`policy promote` turns shadow rules on in the files, or leaves every byte where it was."""

import os
import stat
from pathlib import Path

import pytest

from tests.peergate.commands import Peergate

TEXT = """\
# Reviewed by the platform team.
version: 1
rules:
  - {id: nobody-debugs, deny: anyone, to: {paths: ["/debug/**"]}, mode: shadow}   # SEC-1
  - id: nobody-deletes
    deny: anyone
    to: {methods: [DELETE]}
    mode: shadow     # until the first of May
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT)
    return path


def test_all_shadow_rules_are_turned_on_and_nothing_else_changes(peergate: Peergate, policy: Path) -> None:
    policy.chmod(0o640)
    ended = peergate("policy", "promote", str(policy), "--all")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"enforced from now on: nobody-debugs, nobody-deletes\nchanged: {policy}\n"
    assert policy.read_text() == TEXT.replace("mode: shadow", "mode: enforce")
    assert stat.S_IMODE(policy.stat().st_mode) == 0o640
    assert [path.name for path in policy.parent.iterdir()] == ["policy.yaml"]
    again = peergate("policy", "promote", str(policy), "--all")
    assert (again.code, again.out) == (0, f"{policy}: no rule is in shadow mode; nothing was changed\n")


SHADOWED = """\
version: 1
mode: shadow
rules:
  - id: nobody-debugs
    deny: anyone
    to: {paths: ["/debug/**"]}
  - {id: no-pprof, deny: anyone, to: {paths: [/debug/pprof]}, mode: enforce}
  - {id: no-trace, deny: anyone, to: {methods: [TRACE]}, mode: enforce}
  - {id: no-trace-either, deny: anyone, to: {methods: [TRACE]}, mode: enforce}
  - {id: no-head, deny: anyone, to: {methods: [HEAD]}}
"""


def test_what_the_linter_finds_by_the_promotion_is_shown_and_what_it_found_before_is_not(
    peergate: Peergate, policy: Path
) -> None:
    policy.write_text(SHADOWED)
    before = peergate("policy", "check", str(policy)).out
    ended = peergate("policy", "promote", str(policy), "--rule", "nobody-debugs")
    after = peergate("policy", "check", str(policy)).out
    assert (before.count("rule_duplicate"), before.count("rule_redundant")) == (1, 0)
    assert (after.count("rule_duplicate"), after.count("rule_redundant")) == (1, 1)
    head, _, shown = ended.out.partition("new findings of `policy check`:\n")
    assert (ended.code, head) == (0, f"enforced from now on: nobody-debugs\nchanged: {policy}\n")
    assert shown == "".join(line for line in after.splitlines(keepends=True) if "rule_redundant" in line)


def test_a_promotion_by_which_the_linter_finds_nothing_new_says_nothing_of_it(peergate: Peergate, policy: Path) -> None:
    policy.write_text(SHADOWED)
    ended = peergate("policy", "promote", str(policy), "--rule", "no-head")
    assert ended.out == f"enforced from now on: no-head\nchanged: {policy}\n"


def test_a_finding_that_its_author_suppressed_is_not_shown_after_a_promotion(peergate: Peergate, policy: Path) -> None:
    ignored = "mode: enforce}  # peergate: ignore[rule_redundant] kept for the day the wide one goes\n"
    policy.write_text(SHADOWED.replace("pprof]}, mode: enforce}\n", f"pprof]}}, {ignored}"))
    ended = peergate("policy", "promote", str(policy), "--rule", "nobody-debugs")
    assert (ended.code, "findings" in ended.out) == (0, False)


@pytest.mark.parametrize("flags", [(), ("--all", "--rule", "nobody-deletes")])
def test_what_to_turn_on_must_be_said(peergate: Peergate, policy: Path, flags: tuple[str, ...]) -> None:
    ended = peergate("policy", "promote", str(policy), *flags)
    assert (ended.code, ended.out) == (2, "")
    assert "by --rule ID, or all of them by --all" in ended.err
    assert policy.read_text() == TEXT


def test_only_the_rules_that_are_named_are_turned_on(peergate: Peergate, policy: Path) -> None:
    assert peergate("policy", "promote", str(policy), "--rule", "nobody-deletes").code == 0
    assert policy.read_text() == TEXT.replace("mode: shadow     #", "mode: enforce     #")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("nobody-delete", "there is no rule 'nobody-delete'; did you mean `nobody-deletes`?; nothing was changed"),
        ("always", "the rule 'always' is enforced already; nothing was changed"),
    ],
)
def test_a_rule_that_cannot_be_turned_on_changes_nothing(
    peergate: Peergate, policy: Path, rule: str, said: str
) -> None:
    text = TEXT + "  - {id: always, deny: anyone, to: {methods: [TRACE]}}\n"
    policy.write_text(text)
    ended = peergate("policy", "promote", str(policy), "--rule", "nobody-debugs", "--rule", rule)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert policy.read_text() == text


def test_a_policy_with_problems_is_left_alone(peergate: Peergate, policy: Path) -> None:
    broken = policy.parent / "broken.yaml"
    broken.write_text("version: 1\nrules: nothing\n")
    ended = peergate("policy", "promote", str(policy.parent), "--all")
    assert (ended.code, ended.out) == (1, "")
    assert "nothing was changed" in ended.err
    assert policy.read_text() == TEXT


def test_a_link_stays_a_link(peergate: Peergate, policy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "policy.yaml").symlink_to(policy)
    assert peergate("policy", "promote", str(folder), "--all").code == 0
    assert (folder / "policy.yaml").is_symlink()
    assert "shadow" not in policy.read_text()


def test_a_file_that_cannot_be_written_is_said(
    peergate: Peergate, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ended = peergate("policy", "promote", str(policy), "--all")
    assert ended.code == 2
    assert "cannot be written: No space left on device; nothing was written" in ended.err
    assert policy.read_text() == TEXT
    assert [path.name for path in policy.parent.iterdir()] == ["policy.yaml"]
