"""`policy fmt` rewrites layout and nothing else."""

from pathlib import Path

import pytest

from tests.peergate.commands import LIBRARY, Peergate, program

UGLY = "version:  1\nrules:\n- {id: a,deny: anyone , to: any}   # why\n"
GOOD = "version: 1\n\nrules:\n  - {id: a, deny: anyone, to: any} # why\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(UGLY)
    (tmp_path / "policy.test.yaml").write_text(
        "version: 1\ntests:\n- {as: unauthenticated, request: GET https://a/b, expect: deny}\n"
    )
    (tmp_path / ".hidden.yaml").write_text("a:   b\n")
    (tmp_path / "notes.txt").write_text("a:   b\n")
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_policy_files_and_tests_of_a_folder_are_formatted(peergate: Peergate, folder: Path) -> None:
    before = contents(folder)
    ended = peergate("policy", "fmt", str(folder))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"formatted: {folder}/policy.test.yaml\nformatted: {folder}/policy.yaml\n"
    after = contents(folder)
    assert after["policy.yaml"] == GOOD
    assert after["policy.test.yaml"].startswith("version: 1\n\ntests:\n  - {")
    assert {name for name in before if before[name] != after[name]} == {"policy.yaml", "policy.test.yaml"}
    assert peergate("policy", "fmt", str(folder)).out == ""
    assert peergate("policy", "fmt", str(folder), "--check").code == 0


def test_check_changes_nothing_and_exits_1(peergate: Peergate, folder: Path) -> None:
    before = contents(folder)
    ended = peergate("policy", "fmt", str(folder), "--check")
    assert ended.code == 1
    assert f"would be formatted: {folder}/policy.yaml\n" in ended.out
    assert "2 of 2 files are not formatted" in ended.err
    assert contents(folder) == before


def test_standard_input_goes_to_standard_output() -> None:
    assert program("policy", "fmt", "-", stdin=UGLY.encode()).out == GOOD
    assert program("policy", "fmt", "-", stdin=GOOD.encode()).out == GOOD
    checked = program("policy", "fmt", "-", "--check", stdin=UGLY.encode())
    assert (checked.code, checked.out) == (1, "would be formatted: -\n")


@pytest.mark.parametrize("text", ["a: [\n", "a: &x b\n", "", "a: 1\na: 2\n"])
def test_a_file_that_is_no_policy_text_leaves_everything_as_it_is(peergate: Peergate, folder: Path, text: str) -> None:
    (folder / "other.yaml").write_text(text)
    before = contents(folder)
    ended = peergate("policy", "fmt", str(folder))
    assert (ended.code, ended.out) == (1, "")
    assert f"{folder}/other.yaml:" in ended.err
    assert "nothing was formatted" in ended.err
    assert contents(folder) == before


def test_what_is_not_there_is_2(peergate: Peergate, tmp_path: Path) -> None:
    assert peergate("policy", "fmt", str(tmp_path / "none.yaml")).code == 2
    assert peergate("policy", "fmt", str(tmp_path)).code == 2


@pytest.mark.parametrize("name", sorted(path.name for path in LIBRARY.iterdir() if path.is_dir()))
def test_a_formatted_policy_passes_the_tests_that_it_passed(peergate: Peergate, tmp_path: Path, name: str) -> None:
    for file in (LIBRARY / name).rglob("*.*"):
        if file.is_file():
            target = tmp_path / file.relative_to(LIBRARY / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy.read_text().replace("\n  ", "\n     ").replace(": [", ":   [ "))
    before = peergate("policy", "test", str(policy))
    assert peergate("policy", "fmt", str(policy)).out == f"formatted: {policy}\n"
    assert peergate("policy", "test", str(policy)) == before
    assert before.code == 0


def test_what_the_linter_was_told_to_ignore_stays_ignored(peergate: Peergate, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    (tmp_path / "root.pem").write_bytes((LIBRARY / "starter/pki/mesh-root.pem").read_bytes())
    policy.write_text(
        "version: 1\ntrust: {m: {anchors: [root.pem]}}\nrules:\n"
        f"- {{id: a, allow: authenticated, to: any, description: {'long ' * 25}}}"
        "   # peergate: ignore[to_any] it is a demo\n"
    )
    before = peergate("policy", "check", str(policy), "--fail-on", "note")
    peergate("policy", "fmt", str(policy))
    after = peergate("policy", "check", str(policy), "--fail-on", "note")
    assert "\n  # peergate: ignore[to_any] it is a demo\n  - id: a\n" in policy.read_text()
    assert [line.split(": ")[2:3] for line in after.out.splitlines()[:-1]] == [
        line.split(": ")[2:3] for line in before.out.splitlines()[:-1]
    ]
