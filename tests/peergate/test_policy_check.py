"""`policy check` says everything that is wrong, in the format that is asked for."""

import json
from pathlib import Path

import jsonschema
import pytest

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
    assert peergate("policy", "check", str(LIBRARY / folder)).code == 0


def test_every_problem_is_a_line_sorted_by_place(peergate: Peergate, bad: str) -> None:
    ended = peergate("policy", "check", bad)
    assert ended.code == 1
    assert ended.out.splitlines() == [
        f"{bad}:5:20: name_unknown: there is no identity named `biling` (did you mean `billing`?)",
        f"{bad}:6:33: name_unknown: there is no route named `nowhere`",
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


@pytest.mark.parametrize("path", ["bad", STARTER])
def test_sarif_has_the_form_of_version_2_1_0(peergate: Peergate, bad: str, path: str) -> None:
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
    out = peergate("policy", "check", bad if path == "bad" else path, "--format", "sarif").out
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
