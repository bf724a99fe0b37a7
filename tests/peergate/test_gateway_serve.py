"""`gateway serve` hands on what was typed, merges it, and refuses mistakes."""

import re
from pathlib import Path

import pytest

from tests.gateway.gateway import files_in
from tests.peergate.commands import STARTER, Peergate


def typed(folder: Path) -> list[str]:
    files_in(folder)
    files = ["--cert", str(folder / "served.pem"), "--key", str(folder / "served.key")]
    return ["gateway", "serve", "--policy", STARTER, "--listen", "127.0.0.1:8443", *files]


def test_what_print_config_shows_is_a_configuration_file(peergate: Peergate, tmp_path: Path) -> None:
    upstreams = ["--upstream", "http://127.0.0.1:1", "--upstream", "files.example=http://127.0.0.1:2"]
    ended = peergate(*typed(tmp_path), *upstreams, "--print-config")
    assert (ended.code, ended.err) == (0, "")
    file = tmp_path / "peergate.yaml"
    file.write_text(ended.out)
    again = peergate("gateway", "serve", "--config", str(file), "--print-config").out
    assert again == re.sub("# flag$", "# file", ended.out.replace("# default", "# file"), flags=re.MULTILINE)


def test_a_variable_is_read(peergate: Peergate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PEERGATE_UPSTREAM", "http://127.0.0.1:1")
    assert '["http://127.0.0.1:1"]  # variable' in peergate(*typed(tmp_path), "--print-config").out


def test_a_mistake_is_78_and_one_line(peergate: Peergate, tmp_path: Path) -> None:
    ended = peergate(*typed(tmp_path), "--print-config")
    assert (ended.code, ended.out) == (78, "")
    assert "upstream is missing: give --upstream or set PEERGATE_UPSTREAM" in ended.err
    assert ended.err.count("\n") == 1
