"""DESIGN §2, Files: which files are the policy, and what makes a folder one that nobody misreads."""

import os
from pathlib import Path

import pytest

from policies.language.codes import Code
from runtime import policy_source
from runtime.policy_source import PolicyReading, PolicySource


def reading_of(path: Path) -> PolicyReading:
    return PolicySource(str(path)).reading()


def codes_of(path: Path) -> list[tuple[str, str]]:
    return [(Path(problem.at.file).name, problem.code) for problem in reading_of(path).problems]


def test_a_file_is_a_policy_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "policy").write_bytes(b"text")
    assert reading_of(tmp_path / "policy").files == {str(tmp_path / "policy"): b"text"}


def test_a_folder_is_one_level_of_yaml_files_without_dot_names_and_tests(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", ".swp.yaml", "a.test.yaml", "notes.txt", "peergate.schema.json", "x.yaml~"):
        (tmp_path / name).write_text(name)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/c.yaml").write_text("deeper")
    reading = reading_of(tmp_path)
    assert reading.files == {f"{tmp_path}/a.yaml": b"a.yaml", f"{tmp_path}/b.yml": b"b.yml"}
    assert reading.problems == ()


def test_problems_name_files_as_the_user_gave_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/a.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert list(PolicySource("./policy").reading().files) == ["./policy/a.yaml"]
    assert list(PolicySource("policy/").reading().files) == ["policy/a.yaml"]


@pytest.mark.parametrize("name", ["rules.json", "a.yaml.bak", "b.yml.disabled", "A.YAML", "b.Yml", "c.Yaml.old"])
def test_a_file_that_looks_like_a_policy_and_is_none_is_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / name).touch()
    assert codes_of(tmp_path) == [(name, Code.FILE_UNEXPECTED)]


def test_a_folder_without_policy_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.test.yaml").touch()
    (problem,) = reading_of(tmp_path).problems
    assert str(problem).startswith(f"{tmp_path}:0:0: no_policy_file: ")


def test_a_missing_path_is_a_problem_and_no_error(tmp_path: Path) -> None:
    assert codes_of(tmp_path / "missing") == [("missing", Code.FILE_UNREADABLE)]


@pytest.mark.timeout(10)
def test_a_fifo_among_the_policy_files_is_a_problem_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert codes_of(tmp_path) == [("a.yaml", Code.FILE_UNREADABLE)]


def test_a_dangling_link_among_the_policy_files_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("gone")
    (tmp_path / "b.yaml").touch()
    assert codes_of(tmp_path) == [("a.yaml", Code.FILE_UNREADABLE)]


def test_a_policy_file_of_more_than_8_mib_is_a_problem(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(8 * 1024 * 1024 + 1)
    assert codes_of(tmp_path) == [("a.yaml", Code.FILE_TOO_LARGE)]


def test_more_policy_files_than_anybody_reviews_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_source, "MAX_POLICY_FILES", 20)
    for number in range(21):
        (tmp_path / f"{number}.yaml").touch()
    assert codes_of(tmp_path) == [(tmp_path.name, Code.TOO_MANY_FILES)]


def test_a_folder_that_cannot_be_listed_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_source, "MAX_FOLDER_FILES", 20)
    for number in range(21):
        (tmp_path / f"{number}.txt").touch()
    assert codes_of(tmp_path) == [(tmp_path.name, Code.FILE_UNREADABLE)]


def test_a_name_that_is_not_utf8_is_shown_as_text(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json")).touch()
    (tmp_path / "a.yaml").touch()
    (problem,) = reading_of(tmp_path).problems
    assert str(problem).encode().startswith(f"{tmp_path}/\\xff.json:0:0:".encode())


def test_named_files_are_read_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/root.pem").write_bytes(b"pem")
    (tmp_path / "policy.yaml").touch()
    for path in (tmp_path, tmp_path / "policy.yaml"):
        reading = reading_of(path)
        assert reading.read("pki/root.pem") == b"pem"
        assert reading.folder("pki") == ("root.pem",)
        assert reading.folder("pki/root.pem") is None


def test_a_named_folder_that_cannot_be_listed_says_why_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_source, "MAX_FOLDER_FILES", 20)
    crls = tmp_path / "crls"
    crls.mkdir()
    for number in range(21):
        (crls / str(number)).touch()
    reading = reading_of(tmp_path)
    assert reading.folder("crls") is None
    with pytest.raises(OSError, match="more than 20 files"):
        reading.read("crls")


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC"])
def test_iana_time_zones_are_known(tmp_path: Path, name: str) -> None:
    assert str(reading_of(tmp_path).timezone(name)) == name


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "a\0b", "Europe", "\ud800"])
def test_other_time_zones_are_a_key_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyError):
        reading_of(tmp_path).timezone(name)


def changed(tmp_path: Path, reading: PolicyReading, signature: tuple[object, ...]) -> tuple[bool, bool]:
    return reading.signature() != signature, not reading.is_current()


def test_a_changed_file_changes_signature_and_content(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("1")
    reading = reading_of(tmp_path)
    signature = reading.signature()
    assert changed(tmp_path, reading, signature) == (False, False)
    (tmp_path / "a.yaml").write_text("2")
    assert changed(tmp_path, reading, signature) == (True, True)


def test_a_touched_file_changes_the_signature_only(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("1")
    reading = reading_of(tmp_path)
    signature = reading.signature()
    os.utime(tmp_path / "a.yaml", (1, 1))
    assert changed(tmp_path, reading, signature) == (True, False)


def test_a_rewrite_that_hides_behind_the_old_time_and_size_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("1")
    os.utime(tmp_path / "a.yaml", (1, 1))
    reading = reading_of(tmp_path)
    signature = reading.signature()
    (tmp_path / ".b").write_text("2")
    os.utime(tmp_path / ".b", (1, 1))
    (tmp_path / ".b").replace(tmp_path / "a.yaml")
    assert changed(tmp_path, reading, signature) == (True, True)


def test_an_added_file_is_a_change_and_an_added_dot_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    reading = reading_of(tmp_path)
    (tmp_path / ".b.yaml.swp").touch()
    assert reading.is_current()
    (tmp_path / "b.yaml").touch()
    assert not reading.is_current()


def test_a_named_file_outside_the_folder_is_watched(tmp_path: Path) -> None:
    policy, pki = tmp_path / "policy", tmp_path / "pki"
    policy.mkdir()
    pki.mkdir()
    (policy / "a.yaml").touch()
    (pki / "mesh.crl").write_text("1")
    reading = reading_of(policy)
    reading.read("../pki/mesh.crl")
    assert any(pki.samefile(folder) for folder in reading.watched_folders())
    (pki / "mesh.crl").write_text("2")
    assert not reading.is_current()


def test_a_missing_named_file_is_a_change_when_it_appears(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    reading = reading_of(tmp_path)
    with pytest.raises(FileNotFoundError):
        reading.read("mesh.crl")
    signature = reading.signature()
    assert changed(tmp_path, reading, signature) == (False, False)
    (tmp_path / "mesh.crl").touch()
    assert changed(tmp_path, reading, signature) == (True, True)


def test_a_file_added_to_a_named_folder_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / "crls").mkdir()
    reading = reading_of(tmp_path)
    reading.folder("crls")
    signature = reading.signature()
    (tmp_path / "crls/mesh.crl").touch()
    assert changed(tmp_path, reading, signature) == (True, True)


def test_law_4_a_policy_file_that_is_too_large_is_found_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_source, "MAX_POLICY_FILE_BYTES", 10)
    (tmp_path / "a.yaml").write_text("more than ten bytes")
    reading = reading_of(tmp_path)
    signature = reading.signature()
    assert [problem.code for problem in reading.problems] == [Code.FILE_TOO_LARGE]
    assert changed(tmp_path, reading, signature) == (False, False)
    (tmp_path / "a.yaml").write_text("less")
    assert changed(tmp_path, reading, signature) == (True, True)


def test_law_4_a_folder_where_a_file_is_named_is_found_the_same_again(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / "pki").mkdir()
    reading = reading_of(tmp_path)
    with pytest.raises(OSError, match="not a regular file"):
        reading.read("pki")
    signature = reading.signature()
    assert changed(tmp_path, reading, signature) == (False, False)
    (tmp_path / "pki").rmdir()
    (tmp_path / "pki").touch()
    assert changed(tmp_path, reading, signature) == (True, True)


def test_law_4_a_named_folder_that_cannot_be_listed_is_found_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_source, "MAX_FOLDER_FILES", 2)
    (tmp_path / "a.yaml").touch()
    (tmp_path / "crls").mkdir()
    for name in "abc":
        (tmp_path / "crls" / name).touch()
    reading = reading_of(tmp_path)
    reading.folder("crls")
    with pytest.raises(OSError, match="more than 2 files"):
        reading.read("crls")
    assert reading.is_current()
    (tmp_path / "crls/c").unlink()
    assert not reading.is_current()


def test_law_5_a_path_that_is_read_twice_has_one_content_in_one_reading(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / "mesh.crl").write_text("old")
    reading = reading_of(tmp_path)
    assert reading.read("mesh.crl") == b"old"
    (tmp_path / "mesh.crl").write_text("new")
    assert reading.read("mesh.crl") == b"old"
    assert not reading.is_current()


def test_law_5_a_path_that_is_missing_once_is_missing_in_the_whole_reading(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    reading = reading_of(tmp_path)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            reading.read("mesh.crl")
        (tmp_path / "mesh.crl").touch()
    assert not reading.is_current()


def test_law_5_a_folder_that_is_listed_twice_has_one_listing_in_one_reading(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / "crls").mkdir()
    reading = reading_of(tmp_path)
    assert reading.folder("crls") == ()
    (tmp_path / "crls/mesh.crl").touch()
    assert reading.folder("crls") == ()
    assert not reading.is_current()


def test_a_reading_that_forgot_its_contents_still_sees_changes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    (tmp_path / "mesh.crl").write_text("old")
    reading = reading_of(tmp_path)
    reading.read("mesh.crl")
    reading.forget_contents()
    assert reading.is_current()
    (tmp_path / "mesh.crl").write_text("new")
    assert not reading.is_current()


def test_the_folder_behind_a_link_is_watched_too(tmp_path: Path) -> None:
    (tmp_path / "..v1").mkdir()
    (tmp_path / "..v1/a.yaml").touch()
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    watched = {os.path.realpath(folder) for folder in reading_of(tmp_path).watched_folders()}
    assert {str(tmp_path), str(tmp_path / "..v1")} <= watched


def test_tests_lie_in_the_folder_or_beside_the_file(tmp_path: Path) -> None:
    for name in ("policy.yaml", "policy.test.yaml", "other.test.yaml"):
        (tmp_path / name).write_text(name)
    assert PolicySource(str(tmp_path / "policy.yaml")).test_files() == {
        str(tmp_path / "policy.test.yaml"): b"policy.test.yaml"
    }
    assert sorted(PolicySource(str(tmp_path)).test_files().values()) == [b"other.test.yaml", b"policy.test.yaml"]
