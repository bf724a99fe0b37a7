"""`policy test` runs what lies beside a policy, and shows what failed and what was never reached."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.peergate.commands import LIBRARY, STARTER, Peergate


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A ready policy that a test may spoil."""
    return Path(shutil.copytree(LIBRARY / "starter", tmp_path / "starter"))


@pytest.fixture
def failing(copy: Path) -> Path:
    tests = copy / "policy.test.yaml"
    tests.write_text(
        """version: 1
tests:
  - name: it is <closed>
    as: {uri: "spiffe://acme.internal/ns/prod/sa/web"}
    request: [GET https://orders.prod.svc/v1/orders, DELETE https://orders.prod.svc/v1/orders]
    expect: deny
"""
    )
    return copy


@pytest.mark.parametrize("folder", sorted(path.name for path in LIBRARY.iterdir() if path.is_dir()))
def test_every_ready_policy_passes(peergate: Peergate, folder: str) -> None:
    ended = peergate("policy", "test", str(LIBRARY / folder))
    assert (ended.code, ended.err) == (0, "")
    assert "decided as expected." in ended.out


def test_a_pass_counts_requests_and_rules(peergate: Peergate) -> None:
    out = peergate("policy", "test", STARTER).out
    assert "17 of 17 requests decided as expected." in out
    assert "2 of 2 rules reached by a test." in out


def test_a_failure_shows_what_was_expected_what_came_and_where(peergate: Peergate, failing: Path) -> None:
    ended = peergate("policy", "test", str(failing))
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[:5] == [
        f"FAIL {failing}/policy.test.yaml:3:5  it is <closed>",
        "     caller    spiffe://acme.internal/ns/prod/sa/web",
        "     request   GET orders.prod.svc/v1/orders",
        "     expected  deny",
        "     decided   allow by callers-read-orders because allowed_by_rule",
    ]
    assert "1 of 2 requests decided otherwise than expected." in lines


def test_a_denial_that_no_rule_made_is_explained(peergate: Peergate, copy: Path) -> None:
    tests = copy / "policy.test.yaml"
    tests.write_text(tests.read_text().replace("expect: deny because no_certificate", "expect: allow"))
    out = peergate("policy", "test", str(copy)).out
    assert "why       Denied: no rule allows GET orders.prod.svc/v1/orders without a certificate." in out
    assert "next      present a certificate" in out


def test_rules_that_no_test_reached_are_named_and_fail_nothing(peergate: Peergate, copy: Path) -> None:
    tests = copy / "policy.test.yaml"
    tests.write_text("version: 1\ntests: [{as: unauthenticated, request: GET https://a/, expect: deny}]\n")
    ended = peergate("policy", "test", str(copy))
    assert ended.code == 0
    assert "0 of 2 rules reached by a test; not reached: admin-changes-orders, callers-read-orders." in ended.out


def test_a_policy_with_problems_is_not_tested(peergate: Peergate, copy: Path) -> None:
    policy = copy / "policy.yaml"
    policy.write_text(policy.read_text().replace("allow: admin", "allow: admn"))
    ended = peergate("policy", "test", str(copy))
    assert (ended.code, ended.out) == (1, "")
    assert "did you mean `admin`?" in ended.err
    assert "the policy has problems, so it was not tested" in ended.err


def test_tests_with_problems_are_not_run(peergate: Peergate, copy: Path) -> None:
    (copy / "other.test.yaml").write_text("version: 1\ntests: [{as: nobody, request: GET https://a/, expect: deny}]\n")
    ended = peergate("policy", "test", str(copy))
    assert (ended.code, ended.out) == (1, "")
    assert f"{copy}/other.test.yaml:2:14: name_unknown: there is no caller named `nobody`" in ended.err
    assert "the tests have problems, so none was run" in ended.err


def test_a_policy_without_tests_has_not_passed(peergate: Peergate, copy: Path) -> None:
    (copy / "policy.test.yaml").unlink()
    ended = peergate("policy", "test", str(copy))
    assert (ended.code, ended.out) == (1, "")
    assert "no tests; put a *.test.yaml beside the policy" in ended.err


def test_a_policy_file_is_tested_by_the_file_beside_it(peergate: Peergate, copy: Path) -> None:
    assert peergate("policy", "test", str(copy / "policy.yaml")).code == 0


def test_json_has_every_result_and_the_coverage(peergate: Peergate, failing: Path) -> None:
    ended = peergate("policy", "test", str(failing), "--format", "json")
    answer = json.loads(ended.out)
    assert (ended.code, answer["ok"], answer["requests"], answer["failed"]) == (1, False, 2, 1)
    assert answer["coverage"] == {
        "rules": 2,
        "unreached": ["admin-changes-orders"],
        "routes": 2,
        "unreached_routes": ["change-orders"],
    }
    first, second = answer["results"]
    assert (first["passed"], first["explanation"]) == (False, "Allowed by rule callers-read-orders.")
    assert (second["passed"], second["reason"]) == (True, "no_matching_rule")


def test_junit_counts_failures_and_escapes_names(peergate: Peergate, failing: Path) -> None:
    out = peergate("policy", "test", str(failing), "--format", "junit").out
    assert out.startswith("<?xml version='1.0' encoding='UTF-8'?>\n<testsuites ")
    root = ET.fromstring(out)
    assert (root.get("tests"), root.get("failures")) == ("4", "1")
    first, second, rules, routes = root.iter("testcase")
    assert first.get("name", "").startswith("it is <closed>: spiffe://")
    (failure,) = first
    assert failure.get("message") == "expected deny, decided allow by callers-read-orders because allowed_by_rule"
    assert list(second) == []
    assert [case.findtext("system-out") for case in (rules, routes)] == [
        "1 of 2 rules reached by a test; not reached: admin-changes-orders",
        "1 of 2 routes reached by a test; not reached: change-orders",
    ]


def test_junit_fails_the_coverage_that_fail_under_asks_for(peergate: Peergate, copy: Path) -> None:
    assert peergate("policy", "test", str(copy), "--format", "junit", "--fail-under", "100").code == 0
    tests = copy / "policy.test.yaml"
    tests.write_text("version: 1\ntests: [{as: unauthenticated, request: GET https://a/, expect: deny}]\n")
    ended = peergate("policy", "test", str(copy), "--format", "junit", "--fail-under", "1")
    assert ended.code == 1
    coverage = ET.fromstring(ended.out).findall("testsuite")[-1]
    assert (coverage.get("name"), coverage.get("tests"), coverage.get("failures")) == ("coverage", "2", "2")
    failures = [failure.get("message") for failure in coverage.iter("failure")]
    assert failures == ["0 of 2 rules reached by a test, not 1 %", "0 of 2 routes reached by a test, not 1 %"]


def test_github_annotates_the_failing_test(peergate: Peergate, failing: Path) -> None:
    first, second, third = peergate("policy", "test", str(failing), "--format", "github").out.splitlines()
    assert first.startswith(f"::error file={failing}/policy.test.yaml,line=3,col=5,title=it is <closed>::")
    assert second == "::notice title=rules that no test reached::admin-changes-orders"
    assert third == "::notice title=routes that no test reached::change-orders"


def test_fail_under_asks_for_a_part_of_the_rules(peergate: Peergate, copy: Path) -> None:
    web = "{uri: 'spiffe://acme.internal/ns/prod/sa/web'}"
    case = f"{{as: {web}, request: GET https://orders.prod.svc/v1/orders, expect: allow}}"
    (copy / "policy.test.yaml").write_text(f"version: 1\ntests:\n  - {case}\n")
    assert peergate("policy", "test", str(copy), "--fail-under", "50").code == 0
    ended = peergate("policy", "test", str(copy), "--fail-under", "51")
    said = [f"{copy}: tests reach 1 of 2 {what}, --fail-under asks for 51 %" for what in ("rules", "routes")]
    assert (ended.code, ended.err.splitlines()) == (1, said)


def test_routes_are_asked_for_as_rules_are(peergate: Peergate, copy: Path) -> None:
    policy = copy / "policy.yaml"
    policy.write_text(policy.read_text().replace("to: read-orders", "to: [read-orders, {paths: [/status]}]"))
    ended = peergate("policy", "test", str(copy), "--fail-under", "100")
    assert ended.code == 1
    assert "2 of 2 rules reached by a test.\n" in ended.out
    assert "2 of 3 routes reached by a test; not reached: that of rule callers-read-orders.\n" in ended.out
    assert ended.err == f"{copy}: tests reach 2 of 3 routes, --fail-under asks for 100 %\n"


def test_a_part_above_the_whole_is_a_wrong_command_line(peergate: Peergate) -> None:
    assert peergate("policy", "test", STARTER, "--fail-under", "101").code == 2


def test_a_failure_names_the_rule_that_was_nearest(peergate: Peergate, copy: Path) -> None:
    web = "{uri: 'spiffe://acme.internal/ns/prod/sa/web'}"
    case = f"{{as: {web}, request: POST https://orders.prod.svc/v1/orders, expect: allow}}"
    (copy / "policy.test.yaml").write_text(f"version: 1\ntests:\n  - {case}\n")
    out = peergate("policy", "test", str(copy)).out
    assert "nearest   rule callers-read-orders would match if the method were `GET` or `HEAD`\n" in out
    assert "     rules about this caller or this route that did not match:\n" in out
    assert "       allow callers-read-orders   the method is not `GET` or `HEAD`\n" in out
