"""The command: one table, JSON on demand, and an exit code that scripts can rely on."""

import io
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.console import Console

from bench import __main__ as command
from bench.figure import Bound, Figure
from runtime.envoy.errors import EnvoyMissingError

KEPT = Figure("kept", "one thing", "µs", (1.0, 2.0, 3.0), Bound(6), "a note")
MISSED = Figure("missed", "another thing", "x", (0.5,), Bound(0.8, at_least=True))


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts that take no time."""
    monkeypatch.setattr(command, "PARTS", {"kept": lambda: [KEPT], "missed": lambda: [MISSED]})


def run(*arguments: str) -> tuple[int, str]:
    output = io.StringIO()
    code = command.main(arguments, Console(file=output, width=200))
    return code, output.getvalue()


@pytest.mark.usefixtures("parts")
def test_the_table_says_machine_command_bound_and_verdict() -> None:
    code, text = run()
    assert code == 0
    for words in ("python: CPython", "cores", "command: python -m bench", "one thing", "≤ 6", "PASS", "≥ 0.8", "under"):
        assert words in text
    assert "1 of 2 bounds kept; missed: missed: another thing" in text


@pytest.mark.usefixtures("parts")
def test_a_part_can_be_chosen() -> None:
    _, text = run("kept")
    assert "one thing" in text
    assert "another thing" not in text


@pytest.mark.usefixtures("parts")
def test_a_missed_bound_ends_with_1_only_if_strict() -> None:
    assert run("missed", "--strict")[0] == 1
    assert run("missed")[0] == 0
    assert run("kept", "--strict")[0] == 0


@pytest.mark.usefixtures("parts")
def test_json_has_every_round(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    run("--json", str(path))
    kept, missed = json.loads(path.read_text(encoding="utf-8"))["figures"]
    assert (kept["samples"], kept["value"], kept["verdict"]) == ([1.0, 2.0, 3.0], 2.0, "PASS")
    assert (missed["bound"], missed["verdict"]) == ("≥ 0.8", "under")


def test_without_an_envoy_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_envoy() -> Iterable[Figure]:
        raise EnvoyMissingError("there is no Envoy here")

    monkeypatch.setattr(command, "PARTS", {"envoy": no_envoy, "kept": lambda: [KEPT]})
    code, text = run()
    assert code == 0
    assert "envoy is not measured: there is no Envoy here" in text
    assert "one thing" in text


def test_an_unknown_part_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("nothing")
    assert "nothing" in capsys.readouterr().err
