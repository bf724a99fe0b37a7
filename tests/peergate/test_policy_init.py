"""`policy init` writes a policy that is good as it stands, and replaces nothing."""

from pathlib import Path

from tests.peergate.commands import Peergate


def test_what_is_written_is_good_and_passes_its_tests(peergate: Peergate, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "policy"
    assert peergate("policy", "init", str(folder)).code == 0
    assert peergate("policy", "check", str(folder), "--fail-on", "note").code == 0
    assert peergate("policy", "test", str(folder), "--fail-under", "100").code == 0


def test_the_editor_finds_the_schema_beside_the_policy(peergate: Peergate, tmp_path: Path) -> None:
    peergate("policy", "init", str(tmp_path))
    assert (tmp_path / "policy.yaml").read_text().startswith("# yaml-language-server: $schema=./peergate.schema.json\n")
    assert (tmp_path / "peergate.schema.json").is_file()


def test_nothing_is_replaced(peergate: Peergate, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("mine")
    ended = peergate("policy", "init", str(tmp_path))
    assert (ended.code, ended.out) == (2, "")
    assert "already has policy.yaml; nothing was written" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["policy.yaml"]


def test_a_folder_that_cannot_be_written_is_said(peergate: Peergate, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = peergate("policy", "init", str(tmp_path / "file"))
    assert ended.code == 2
    assert "cannot be written" in ended.err
