"""Laws 3, 4 and 5 for a policy that changes under a running process. Real files, real events."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import pytest

from policies.engine.policy_set import PolicySet
from policies.language.load import Loaded
from policies.language.load_memory import LoadMemory
from runtime import live_policy
from runtime.live_policy import LivePolicy, Loader, loaded_from_reading
from runtime.metrics import Metrics
from runtime.policy_source import PolicyReading, PolicySource
from runtime.policy_status import PolicyState
from tests.runtime.said import messages
from tests.runtime.world import HEAD, POLICY, ROOT, RULES, eventually, replace_file, write_policy

BROKEN = "version: 1\nrules: nothing\n"
DENIES = POLICY + "  - {id: nobody, deny: anyone, to: open}\n"


@contextmanager
def live(path: Path, loader: Loader = loaded_from_reading) -> Iterator[LivePolicy]:
    policy = LivePolicy(PolicySource(str(path)), Metrics(), loader=loader)
    policy.start()
    try:
        yield policy
    finally:
        policy.stop()


def rule_ids(policy: LivePolicy) -> tuple[str, ...]:
    return () if policy.current is None else policy.current.rule_ids


def count(policy: LivePolicy, result: str) -> float:
    counter = policy._loads.taken if result == "success" else policy._loads.refused
    return sum(sample.value for metric in counter.collect() for sample in metric.samples)


def test_the_first_policy_is_in_force_when_start_returns(tmp_path: Path) -> None:
    write_policy(tmp_path)
    with live(tmp_path) as policy:
        assert policy.current is not None
        assert policy.status.state is PolicyState.SERVING
        assert policy.status.generation == policy.current.generation
        assert policy.status.rules == 2
        assert count(policy, "success") == 1


@pytest.mark.parametrize("write", [Path.write_text, replace_file], ids=["written in place", "renamed over"])
def test_a_changed_file_is_in_force_within_two_seconds(tmp_path: Path, write: Callable[[Path, str], object]) -> None:
    file = write_policy(tmp_path)
    with live(tmp_path) as policy:
        before = policy.status.generation
        write(file, DENIES)
        eventually(lambda: "nobody" in rule_ids(policy), 2)
        assert policy.status.generation != before


def test_another_policy_is_put_in_force_though_somebody_gave_it_the_name_of_the_one_before(tmp_path: Path) -> None:
    def same_name(reading: PolicyReading, previous: PolicySet | None, memory: LoadMemory) -> Loaded:
        loaded = loaded_from_reading(reading, previous, memory)
        assert loaded.policy is not None
        loaded.policy.generation = "0123456789abcdef"
        return loaded

    file = write_policy(tmp_path)
    with live(tmp_path, same_name) as policy:
        replace_file(file, DENIES)
        eventually(lambda: "nobody" in rule_ids(policy), 2)


def test_an_added_and_a_removed_file_change_the_policy(tmp_path: Path) -> None:
    write_policy(tmp_path)
    extra = tmp_path / "extra.yaml"
    with live(tmp_path) as policy:
        extra.write_text("version: 1\nrules: [{id: nobody, deny: anyone, to: open}]\n")
        eventually(lambda: "nobody" in rule_ids(policy))
        extra.unlink()
        eventually(lambda: "nobody" not in rule_ids(policy))


def test_a_configmap_swap_changes_every_file_at_once(tmp_path: Path) -> None:
    def version(name: str, text: str) -> None:
        write_policy(tmp_path / name, text)
        (tmp_path / "..data_tmp").symlink_to(name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    version("..v1", POLICY)
    for name in ("policy.yaml", "pki"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    with live(tmp_path) as policy:
        version("..v2", DENIES)
        eventually(lambda: "nobody" in rule_ids(policy), 2)
        version("..v3", POLICY)
        eventually(lambda: "nobody" not in rule_ids(policy), 2)


def test_a_folder_replaced_as_a_whole_is_followed(tmp_path: Path) -> None:
    write_policy(tmp_path / "policy")
    write_policy(tmp_path / "next", DENIES)
    with live(tmp_path / "policy") as policy:
        (tmp_path / "policy").rename(tmp_path / "old")
        (tmp_path / "next").rename(tmp_path / "policy")
        eventually(lambda: "nobody" in rule_ids(policy))
        replace_file(tmp_path / "policy/policy.yaml", POLICY)
        eventually(lambda: "nobody" not in rule_ids(policy))


def test_a_named_file_outside_the_folder_is_followed(tmp_path: Path) -> None:
    crl = tmp_path / "crls/mesh.crl"
    crl.parent.mkdir()
    crl.write_bytes(ROOT.crl(number=1))
    trusting = HEAD.replace("acme.internal}", "acme.internal, crls: [../crls/mesh.crl], revocation: require}")
    write_policy(tmp_path / "policy", trusting + RULES)
    with live(tmp_path / "policy") as policy:
        before = policy.status.generation
        assert before is not None, policy.status.problems
        crl.write_bytes(ROOT.crl([4711], number=2))
        eventually(lambda: policy.status.generation != before, 2)
        assert policy.status.state is PolicyState.SERVING


def test_a_crl_counts_whatever_bytes_the_name_of_its_file_is_made_of(tmp_path: Path) -> None:
    trusting = HEAD.replace("acme.internal}", "acme.internal, crls: [crls]}")
    write_policy(tmp_path, trusting + RULES)
    (tmp_path / "crls").mkdir()
    (tmp_path / os.fsdecode(b"crls/\xff.crl")).write_bytes(ROOT.crl())
    with live(tmp_path) as policy:
        assert policy.status.problems == ()
        assert policy.current is not None
        assert len(policy.current.trust.entries[0].crls) == 1


def test_law_4_a_bad_reload_keeps_the_last_good_set_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_policy(tmp_path)
    with live(tmp_path) as policy:
        good = policy.current
        replace_file(file, BROKEN)
        eventually(lambda: policy.status.state is PolicyState.LAST_GOOD)
        assert policy.current is good
        assert policy.status.is_good
        assert policy.status.generation == good.generation if good else False
        assert policy.status.problem_count == len(policy.status.problems) > 0
        assert policy.status.failed_at is not None
        eventually(lambda: "policy refused, last good kept" in messages(caplog))
        assert count(policy, "failure") == 1


def test_law_4_a_policy_that_vanishes_keeps_the_last_good_set(tmp_path: Path) -> None:
    file = write_policy(tmp_path)
    with live(tmp_path) as policy:
        file.unlink()
        eventually(lambda: policy.status.state is PolicyState.LAST_GOOD)
        assert policy.current is not None


def test_law_4_without_any_good_set_there_is_none_until_it_is_mended(tmp_path: Path) -> None:
    file = write_policy(tmp_path, BROKEN)
    with live(tmp_path) as policy:
        assert policy.current is None
        assert policy.status.state is PolicyState.UNAVAILABLE
        assert not policy.status.is_good
        replace_file(file, POLICY)
        eventually(lambda: policy.status.state is PolicyState.SERVING)
        assert policy.current is not None


def test_law_4_a_policy_that_is_not_there_yet_is_taken_when_it_comes(tmp_path: Path) -> None:
    with live(tmp_path / "policy") as policy:
        assert policy.status.state is PolicyState.UNAVAILABLE
        write_policy(tmp_path / "policy")
        eventually(lambda: policy.status.state is PolicyState.SERVING)


def test_law_4_a_loader_that_raises_keeps_the_last_good_set(tmp_path: Path) -> None:
    def loader(reading: PolicyReading, previous: PolicySet | None, memory: LoadMemory) -> Loaded:
        if previous is not None:
            raise MemoryError
        return loaded_from_reading(reading, previous, memory)

    file = write_policy(tmp_path)
    with live(tmp_path, loader) as policy:
        replace_file(file, DENIES)
        eventually(lambda: policy.status.state is PolicyState.LAST_GOOD)
        assert [problem.code for problem in policy.status.problems] == ["internal_error"]


def test_the_way_back_to_the_good_content_clears_the_problems_and_keeps_the_set(tmp_path: Path) -> None:
    file = write_policy(tmp_path)
    with live(tmp_path) as policy:
        good = policy.current
        replace_file(file, BROKEN)
        eventually(lambda: policy.status.state is PolicyState.LAST_GOOD)
        replace_file(file, POLICY)
        eventually(lambda: policy.status.state is PolicyState.SERVING)
        assert policy.current is good
        assert policy.status.problems == ()


def test_a_problem_in_one_file_leaves_all_of_the_old_set_in_force(tmp_path: Path) -> None:
    """Law 3: a set loads whole or not at all."""
    write_policy(tmp_path)
    with live(tmp_path) as policy:
        (tmp_path / "good.yaml").write_text("version: 1\nrules: [{id: nobody, deny: anyone, to: open}]\n")
        (tmp_path / "bad.yaml").write_text(BROKEN)
        eventually(lambda: policy.status.state is PolicyState.LAST_GOOD)
        assert rule_ids(policy) == ("anybody", "billing-reads")


def test_problems_of_files_and_of_language_are_reported_together(tmp_path: Path) -> None:
    write_policy(tmp_path, BROKEN)
    (tmp_path / "old.yaml.bak").touch()
    problems = loaded_from_reading(PolicySource(str(tmp_path)).reading()).problems
    assert "file_unexpected" in {problem.code for problem in problems}
    assert len({problem.code for problem in problems}) > 1
    assert list(problems) == sorted(problems)


def test_a_load_is_repeated_if_a_file_changed_while_it_was_read(tmp_path: Path) -> None:
    file = write_policy(tmp_path)
    seen: list[bytes] = []

    def loader(reading: PolicyReading, previous: PolicySet | None, memory: LoadMemory) -> Loaded:
        (content,) = reading.files.values()
        seen.append(content)
        if len(seen) == 2:
            replace_file(file, DENIES)
        return loaded_from_reading(reading, previous, memory)

    with live(tmp_path, loader) as policy:
        replace_file(file, POLICY + "# a comment\n")
        eventually(lambda: "nobody" in rule_ids(policy))
        assert count(policy, "success") == 2, "what was read in between never was in force"


def test_a_first_load_that_meets_a_change_is_repeated_until_it_lies_still(tmp_path: Path) -> None:
    file = write_policy(tmp_path)

    def loader(reading: PolicyReading, previous: PolicySet | None, memory: LoadMemory) -> Loaded:
        (content,) = reading.files.values()
        if content == POLICY.encode():
            replace_file(file, DENIES)
        return loaded_from_reading(reading, previous, memory)

    with live(tmp_path, loader) as policy:
        eventually(lambda: policy.status.state is PolicyState.SERVING)
        assert "nobody" in rule_ids(policy)


def test_a_reload_waits_until_nothing_changed_for_200_ms(tmp_path: Path) -> None:
    file = write_policy(tmp_path)
    loads: list[float] = []

    def loader(reading: PolicyReading, previous: PolicySet | None, memory: LoadMemory) -> Loaded:
        loads.append(monotonic())
        return loaded_from_reading(reading, previous, memory)

    with live(tmp_path, loader):
        for number in range(8):
            file.write_text(f"{POLICY}# {number}\n")
            sleep(0.07)
        written = monotonic() - 0.07
        eventually(lambda: len(loads) > 1)
        assert loads[1] - written >= 0.2


def test_a_policy_that_never_lies_still_is_told_in_log_and_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live_policy, "UNSETTLED_SECONDS", 0.3)
    file = write_policy(tmp_path)
    over = Event()

    def scribble() -> None:
        number = 0
        while not over.wait(0.02):
            number += 1
            file.write_text(f"{POLICY}# {number}\n")

    scribbler = Thread(target=scribble)
    with live(tmp_path) as policy:
        scribbler.start()
        eventually(lambda: policy.status.unsettled)
        assert policy.status.is_good
        over.set()
        scribbler.join()
        eventually(lambda: not policy.status.unsettled)
    assert "the policy never lies still, so it is not read" in messages(caplog)


def test_a_touched_file_is_not_loaded_again(tmp_path: Path) -> None:
    file = write_policy(tmp_path)
    with live(tmp_path) as policy:
        os.utime(file, (1, 1))
        (tmp_path / "notes.tmp").touch()
        sleep(0.6)
        assert count(policy, "success") == 1


def test_a_reload_that_is_asked_for_reads_again_though_nothing_changed(tmp_path: Path) -> None:
    write_policy(tmp_path)
    with live(tmp_path) as policy:
        before = policy.current
        policy.reload()
        eventually(lambda: count(policy, "success") == 2)
        assert policy.current is before


def test_listeners_hear_of_every_reading_and_cannot_stop_it(tmp_path: Path) -> None:
    file = write_policy(tmp_path)
    policy = LivePolicy(PolicySource(str(tmp_path)), Metrics())
    heard: list[PolicyState] = []

    def complain() -> None:
        raise RuntimeError

    policy.on_change(complain)
    policy.on_change(lambda: heard.append(policy.status.state))
    policy.start()
    try:
        replace_file(file, BROKEN)
        eventually(lambda: heard == [PolicyState.SERVING, PolicyState.LAST_GOOD])
    finally:
        policy.stop()


def test_a_stopped_policy_stays_in_force_and_is_not_read_again(tmp_path: Path) -> None:
    file = write_policy(tmp_path)
    with live(tmp_path) as policy:
        before = policy.current
    replace_file(file, DENIES)
    sleep(0.5)
    assert policy.current is before


@pytest.mark.parametrize(
    "text",
    ["x: " + "y" * (9 << 20), POLICY.replace("pki/mesh-root.pem", "pki")],
    ids=["a file between 8 and 64 MiB", "a folder where a file is named"],
)
def test_law_4_a_policy_that_cannot_be_read_is_reported_and_the_last_good_set_stays(tmp_path: Path, text: str) -> None:
    file = write_policy(tmp_path)
    with live(tmp_path) as policy:
        replace_file(file, text)
        eventually(lambda: policy.status.state is PolicyState.LAST_GOOD, 5)
        assert rule_ids(policy) == ("anybody", "billing-reads")
        replace_file(file, DENIES)
        eventually(lambda: "nobody" in rule_ids(policy), 5)


def test_law_4_a_first_policy_with_a_folder_where_a_file_is_named_is_reported_at_once(tmp_path: Path) -> None:
    write_policy(tmp_path, POLICY.replace("pki/mesh-root.pem", "pki"))
    with live(tmp_path) as policy:
        assert policy.status.state is PolicyState.UNAVAILABLE
        assert policy.status.problems
