"""`extauth serve` hands on what was typed, merges it, and serves."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peergate.commands import ROOT, STARTER, Peergate

SERVE = ("extauth", "serve", "--policy", STARTER)


def test_print_config_shows_every_setting_and_where_it_came_from(
    peergate: Peergate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "peergate.yaml"
    file.write_text("decision-log: 'off'\nworkers: 2\nlog-level: debug\n")
    monkeypatch.setenv("PEERGATE_WORKERS", "3")
    ended = peergate(
        *SERVE,
        "--listen",
        "127.0.0.1:9001",
        "--observe",
        "--shadow-policy",
        "next",
        "--config",
        str(file),
        "--print-config",
    )
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert f'policy: "{STARTER}"  # flag' in lines
    assert "observe: true  # flag" in lines
    assert 'shadow-policy: "next"  # flag' in lines
    assert 'workers: "3"  # variable' in lines
    assert 'log-level: "debug"  # file' in lines
    assert 'drain-seconds: "20.0"  # default' in lines


def test_what_print_config_shows_is_a_configuration_file(peergate: Peergate, tmp_path: Path) -> None:
    typed = (*SERVE, "--listen", "127.0.0.1:9001", "--http", "127.0.0.1:9002", "--trusted-hop", "127.0.0.1/32")
    shown = peergate(*typed, "--print-config").out
    file = tmp_path / "peergate.yaml"
    file.write_text(shown)
    again = peergate("extauth", "serve", "--config", str(file), "--print-config").out
    assert again == re.sub("# flag$", "# file", shown.replace("# default", "# file"), flags=re.MULTILINE)


def test_the_configuration_file_may_be_named_by_a_variable(
    peergate: Peergate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "peergate.yaml"
    file.write_text("listen: 127.0.0.1:9001\n")
    monkeypatch.setenv("PEERGATE_CONFIG", str(file))
    assert 'listen: "127.0.0.1:9001"  # file' in peergate(*SERVE, "--print-config").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "listen is missing: give --listen or set PEERGATE_LISTEN"),
        (["--listen", "127.0.0.1:1", "--workers", "0"], "--workers: '0' is no number from 1"),
        (["--listen", "127.0.0.1:1", "--tls-cert", "/nowhere"], "--tls-cert and --tls-key go together"),
        (["--listen", "127.0.0.1:1", "--config", "/nowhere"], "the configuration file /nowhere cannot be read"),
        (["--listen", "127.0.0.1:1", "--http", "127.0.0.1:2"], "--http needs --trusted-hop"),
    ],
)
def test_a_setting_that_is_wrong_is_78_and_one_line(peergate: Peergate, arguments: list[str], said: str) -> None:
    ended = peergate(*SERVE, *arguments, "--print-config")
    assert (ended.code, ended.out) == (78, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    listen = ("--listen", f"unix:{tmp_path}/grpc.sock", "--ops", f"unix:{tmp_path}/ops.sock")
    process = subprocess.Popen(
        [sys.executable, "-m", "peergate", *SERVE, *listen],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "message=listening" in line:
                break
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert "message=stopped" in err
    assert "Traceback" not in err
