"""Every ready policy loads, passes its own tests, and has each of its rules tested."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from peergate.stand_ins import StandIns
from policies.authoring.suite import suite_from_bytes
from policies.authoring.testing import Report, report_from_suites
from policies.language.schema import policy_schema
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource
from tests.authoring.library_pki import ANCHORS, LIBRARY

FOLDERS = sorted(path.name for path in LIBRARY.iterdir() if path.is_dir())
#: Libraries are read for years: the tests must not depend on the day.
DAYS = [datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2035, 7, 7, 15, tzinfo=UTC)]


def report(folder: str, now: datetime) -> Report:
    source = PolicySource(str(LIBRARY / folder))
    reading = source.reading()
    loaded = loaded_from_reading(reading)
    assert loaded.policy is not None, "\n".join(map(str, loaded.problems))
    suites = []
    maker = StandIns(loaded.policy.trust)
    for file, data in source.test_files().items():
        suite, problems = suite_from_bytes(file, data, loaded.policy, reading, maker, now.timestamp())
        assert suite is not None, "\n".join(map(str, problems))
        suites.append(suite)
    return report_from_suites(loaded.policy.with_trust(maker.trust()), suites)


def test_the_policies_that_users_ask_for_are_there() -> None:
    wanted = {"service-to-service", "partner-api", "multi-tenant", "grpc", "health-checks", "break-glass"}
    assert wanted <= set(FOLDERS)


@pytest.mark.parametrize("now", DAYS, ids=lambda day: str(day.year))
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_ready_policy_passes_its_own_tests_whatever_the_day(folder: str, now: datetime) -> None:
    found = report(folder, now)
    assert [str(result.case) for result in found.failures] == []
    assert found.passed


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_rule_of_a_ready_policy_is_reached_by_a_test(folder: str) -> None:
    found = report(folder, DAYS[0])
    assert (found.rules.unreached, found.routes.unreached) == ((), ())


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_ready_policy_names_the_schema_that_lies_beside_it(folder: str) -> None:
    first, *_ = (LIBRARY / folder / "policy.yaml").read_text().splitlines()
    assert first == "# yaml-language-server: $schema=../peergate.schema.json"


def test_the_schema_beside_the_library_is_that_of_the_language() -> None:
    """Mended by: peergate policy schema > policies/library/peergate.schema.json."""
    assert json.loads((LIBRARY / "peergate.schema.json").read_text()) == policy_schema()


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_says_what_a_ready_policy_shows(folder: str) -> None:
    assert f"({folder}/policy.yaml)" in (LIBRARY / "README.md").read_text()


def test_no_private_key_lies_in_the_library() -> None:
    files = [path for path in LIBRARY.rglob("*") if path.is_file()]
    assert [path for path in files if b"PRIVATE" in path.read_bytes()] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_placeholder_cas_say_what_they_are_and_last(folder: str) -> None:
    for path in (LIBRARY / folder / "pki").glob("*.pem"):
        authority = x509.load_pem_x509_certificate(path.read_bytes())
        assert "replace me" in authority.subject.rfc4514_string()
        assert authority.not_valid_after_utc.year >= 2040


def test_the_script_makes_the_placeholders_of_every_folder() -> None:
    assert sorted(ANCHORS) == FOLDERS


def test_no_other_file_lies_in_a_ready_policy() -> None:
    known = {"policy.yaml", "policy.test.yaml"}
    other = [path for folder in FOLDERS for path in Path(LIBRARY / folder).iterdir() if path.is_file()]
    assert {path.name for path in other} == known
