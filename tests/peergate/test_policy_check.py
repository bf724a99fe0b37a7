"""`policy check` says everything that is wrong, in the format that is asked for."""

import json
from pathlib import Path

import jsonschema
import pytest

from pki.authority import Authority
from tests.peergate.commands import LIBRARY, STARTER, Peergate

BAD = """version: 1
identities:
  billing: {dns: billing.example}
rules:
  - {id: b, allow: biling, to: any}
  - {id: a, allow: billing, to: nowhere}
"""


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(BAD)
    return str(path)


def test_a_good_policy_is_summed_up(peergate: Peergate) -> None:
    ended = peergate("policy", "check", STARTER)
    assert ended.code == 0
    assert ended.out.startswith(f"{STARTER}: fine. 2 identities, 2 routes, 2 rules; generation ")


@pytest.mark.parametrize("folder", sorted(path.name for path in LIBRARY.iterdir() if path.is_dir()))
def test_every_ready_policy_is_fine(peergate: Peergate, folder: str) -> None:
    ended = peergate("policy", "check", str(LIBRARY / folder), "--fail-on", "note")
    assert (ended.code, ended.out.count("\n")) == (0, 1), ended.out


def test_every_problem_is_a_line_sorted_by_place(peergate: Peergate, bad: str) -> None:
    ended = peergate("policy", "check", bad)
    assert ended.code == 1
    assert ended.out.splitlines() == [
        f"{bad}:5:20: name_unknown: there is no identity named `biling` (did you mean `billing`?)",
        f"{bad}:6:33: name_unknown: there is no route named `nowhere` (define it under `routes`)",
    ]
    assert ended.err == "2 problems in 1 file; the policy would not be loaded\n"


def test_json_has_every_part_of_a_problem(peergate: Peergate, bad: str) -> None:
    ended = peergate("policy", "check", bad, "--format", "json")
    answer = json.loads(ended.out)
    assert (ended.code, ended.err, answer["ok"]) == (1, "", False)
    assert answer["problems"][0] == {
        "file": bad,
        "line": 5,
        "column": 20,
        "code": "name_unknown",
        "message": "there is no identity named `biling`",
        "hint": "did you mean `billing`?",
    }


def test_json_of_a_good_policy_counts_what_it_holds(peergate: Peergate) -> None:
    answer = json.loads(peergate("policy", "check", STARTER, "--format", "json").out)
    assert answer | {"generation": ""} == {
        "ok": True,
        "identities": 2,
        "routes": 2,
        "rules": 2,
        "generation": "",
        "problems": [],
        "findings": [],
    }


def test_github_annotates_the_line(peergate: Peergate, bad: str) -> None:
    ended = peergate("policy", "check", bad, "--format", "github")
    assert ended.out.splitlines()[0] == (
        f"::error file={bad},line=5,col=20,title=name_unknown::"
        "there is no identity named `biling` (did you mean `billing`?)"
    )


def test_github_escapes_what_would_end_a_command(peergate: Peergate, tmp_path: Path) -> None:
    path = tmp_path / "a,b:100%.yaml"
    path.write_text("")
    out = peergate("policy", "check", str(path), "--format", "github").out
    assert "a%2Cb%3A100%25.yaml" in out


def test_sarif_names_rule_and_region(peergate: Peergate, bad: str) -> None:
    (run,) = json.loads(peergate("policy", "check", bad, "--format", "sarif").out)["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["name_unknown"]
    assert run["tool"]["driver"]["rules"][0]["shortDescription"]["text"] == "A name that nothing defines."
    (first, _) = run["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": f"file://{bad}"},
        "region": {"startLine": 5, "startColumn": 20},
    }


LEFT_OVER = """version: 1
trust: {mesh: {anchors: [root.pem]}}
zones:
  lab: [10.0.0.0/8]
identities:
  billing: {dns: billing.example}
rules:
  - {id: all, allow: billing, to: any}
"""


@pytest.fixture
def left_over(tmp_path: Path) -> str:
    (tmp_path / "root.pem").write_bytes(Authority.root("root").pem)
    path = tmp_path / "policy.yaml"
    path.write_text(LEFT_OVER)
    return str(path)


def test_findings_are_lines_with_their_severity_and_the_policy_is_still_good(
    peergate: Peergate, left_over: str
) -> None:
    ended = peergate("policy", "check", left_over)
    lines = ended.out.splitlines()
    assert ended.code == 0
    assert lines[0] == f"{left_over}:4:3: note: zone_unused: no rule mentions the zone `lab` (use it, or take it out)"
    assert lines[1].startswith(f"{left_over}:8:10: warning: to_any: `all` allows every method of every path on every")
    assert lines[2].startswith(f"{left_over}: would be loaded, with 1 warning and 1 note. 1 identity, 0 routes, 1 rule")


def test_fail_on_makes_findings_the_answer_no(peergate: Peergate, left_over: str) -> None:
    path = Path(left_over)
    assert peergate("policy", "check", left_over, "--fail-on", "warning").code == 1
    path.write_text(LEFT_OVER.replace("to: any", "to: {paths: [/a]}"))
    assert peergate("policy", "check", left_over, "--fail-on", "warning").code == 0
    assert peergate("policy", "check", left_over, "--fail-on", "note").code == 1


def test_findings_are_in_every_format(peergate: Peergate, left_over: str) -> None:
    answer = json.loads(peergate("policy", "check", left_over, "--format", "json").out)
    assert answer["ok"] is True
    assert answer["problems"] == []
    assert [(item["severity"], item["code"]) for item in answer["findings"]] == [
        ("note", "zone_unused"),
        ("warning", "to_any"),
    ]
    annotated = peergate("policy", "check", left_over, "--format", "github").out.splitlines()
    assert annotated[0].startswith("::notice file=")
    assert annotated[1].startswith("::warning file=")
    (run,) = json.loads(peergate("policy", "check", left_over, "--format", "sarif").out)["runs"]
    assert [result["level"] for result in run["results"]] == ["note", "warning"]
    assert [rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]] == [
        "An allow rule reaches every route of every host.",
        "No rule mentions the zone.",
    ]


@pytest.mark.parametrize("path", ["bad", STARTER, "left over"])
def test_sarif_has_the_form_of_version_2_1_0(peergate: Peergate, bad: str, left_over: str, path: str) -> None:
    """The parts of the OASIS schema that we write, as uploads check them."""
    text = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
    region = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}
    location = {
        "type": "object",
        "required": ["artifactLocation"],
        "properties": {
            "artifactLocation": {"properties": {"uri": {"type": "string", "format": "uri-reference"}}},
            "region": region,
        },
    }
    result = {
        "required": ["ruleId", "message", "locations"],
        "properties": {
            "level": {"enum": ["none", "note", "warning", "error"]},
            "message": text,
            "locations": {"items": {"properties": {"physicalLocation": location}}},
        },
    }
    driver = {"required": ["name"], "properties": {"rules": {"type": "array", "uniqueItems": True}}}
    run = {
        "required": ["tool", "results"],
        "properties": {"tool": {"properties": {"driver": driver}}, "results": {"type": "array", "items": result}},
    }
    schema = {
        "required": ["version", "runs"],
        "properties": {"version": {"const": "2.1.0"}, "runs": {"type": "array", "items": run}},
    }
    out = peergate("policy", "check", {"bad": bad, "left over": left_over}.get(path, path), "--format", "sarif").out
    jsonschema.validate(json.loads(out), schema)


def test_a_problem_of_a_whole_file_has_no_region(peergate: Peergate, tmp_path: Path) -> None:
    out = peergate("policy", "check", str(tmp_path), "--format", "sarif").out
    (result,) = json.loads(out)["runs"][0]["results"]
    assert "region" not in result["locations"][0]["physicalLocation"]


def test_a_folder_without_policies_is_a_problem(peergate: Peergate, tmp_path: Path) -> None:
    ended = peergate("policy", "check", str(tmp_path))
    assert ended.code == 1
    assert ":0:0: no_policy_file: " in ended.out


def test_what_an_author_wrote_cannot_move_the_cursor(peergate: Peergate, tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b[2J.yaml"
    path.write_text("")
    out = peergate("policy", "check", str(path)).out
    assert "\x1b" not in out
    assert "evil\\x1b[2J.yaml" in out


def test_a_long_problem_stays_on_one_line(peergate: Peergate, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"version: 1\nrules: [{{id: a, allow: {'x' * 120}, to: any}}]\n")
    assert peergate("policy", "check", str(path)).out.count("\n") == 1


ASKING = """version: 1
trust: {mesh: {anchors: [root.pem]}}
identities:
  billing: {dns: billing.example}
rules:
  - {id: reads, allow: billing, to: {paths: [/a]}}
  - {id: freeze, deny: anyone, to: {paths: ["/**"]}, when: {after: 2027-01-01T00:00:00Z}}
"""


@pytest.fixture
def asking(left_over: str) -> str:
    Path(left_over).write_text(ASKING)
    return left_over


def test_what_makes_envoy_ask_is_said_only_with_native(peergate: Peergate, asking: str) -> None:
    assert peergate("policy", "check", asking, "--fail-on", "note").code == 0
    ended = peergate("policy", "check", asking, "--native", "--fail-on", "warning")
    assert ended.code == 1
    assert ended.out.startswith(f"{asking}:7:10: warning: native_routes_asked: because of `freeze` Envoy asks about")


def test_what_makes_envoy_ask_is_in_sarif_with_what_it_means(peergate: Peergate, asking: str) -> None:
    (run,) = json.loads(peergate("policy", "check", asking, "--native", "--format", "sarif").out)["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["id"] == "native_routes_asked"
    assert rule["shortDescription"]["text"].startswith("Because of this rule Envoy asks")


def test_a_suppression_of_what_makes_envoy_ask_is_of_use_with_native_and_left_alone_without(
    peergate: Peergate, asking: str
) -> None:
    path = Path(asking)
    comment = "  # peergate: ignore[native_routes_asked] The freeze may cost a question.\n  - {id: freeze"
    path.write_text(ASKING.replace("  - {id: freeze", comment))
    for flags in ((), ("--native",)):
        assert peergate("policy", "check", asking, "--fail-on", "note", *flags).code == 0
