"""However a command ends, it ends with one of the promised exit codes and without a traceback."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import peergate.commands.check
from peergate.version import version
from tests.peergate.commands import ROOT, STARTER, Peergate, program


def test_an_answer_of_yes_is_0(peergate: Peergate) -> None:
    assert peergate("policy", "check", STARTER).code == 0


def test_an_answer_of_no_is_1(peergate: Peergate) -> None:
    assert peergate("policy", "explain", STARTER, "GET", "https://orders.prod.svc/v1/orders").code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "no such command 'nonsense' (see peergate --help)"),
        (["policy", "chekc"], "no such command 'chekc'. Did you mean 'check'? (see peergate policy --help)"),
        (["policy", "check"], "missing argument 'POLICY' (see peergate policy check --help)"),
        (["policy", "check", STARTER, "extra"], "unexpected extra argument"),
        (["policy", "check", STARTER, "--format", "xml"], "'xml' is not one of 'text', 'json', 'sarif', 'github'"),
        (["policy", "check", STARTER, "--frmat", "json"], "no such option: --frmat"),
        (["policy", "check", "/nowhere"], "'/nowhere' does not exist; name a policy file or folder"),
        (["policy", "check", "a\0b"], "does not exist"),
        (["policy", "check", ""], "'' does not exist"),
        (["policy", "replay", STARTER, "/nowhere"], "'/nowhere' cannot be read: No such file or directory"),
        (["policy", "replay", STARTER, "/tmp"], "'/tmp' cannot be read: Is a directory"),
    ],
)
def test_a_command_line_that_cannot_be_followed_is_2_and_one_line(
    peergate: Peergate, arguments: list[str], said: str
) -> None:
    ended = peergate(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("peergate: ")
    assert said in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["policy"], ["extauth"]])
def test_a_group_without_a_command_shows_its_help_and_is_2(peergate: Peergate, arguments: list[str]) -> None:
    ended = peergate(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: peergate" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [[], ["policy"], ["extauth"], ["doctor"], ["demo"], ["version"], ["extauth", "serve"]]
    + [["policy", name] for name in ("check", "test", "explain", "replay", "schema")],
)
def test_every_command_has_help_that_is_0(peergate: Peergate, arguments: list[str]) -> None:
    ended = peergate(*arguments, "--help")
    assert peergate(*arguments, "-h").out == ended.out
    assert ended.code == 0
    assert "Usage: peergate" in ended.out


@pytest.mark.parametrize(
    "words",
    [[], ["help"], ["up"], ["policy"], ["policy", "check"], ["policy", "export"], ["policy", "export", "envoy"]],
)
def test_help_and_a_command_show_what_its_help_option_shows(peergate: Peergate, words: list[str]) -> None:
    assert peergate("help", *words) == peergate(*words, "--help")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["polcy"], "no such command 'polcy'. Did you mean 'policy'? (see peergate --help)"),
        (["policy", "chekc"], "no such command 'chekc'. Did you mean 'check'? (see peergate policy --help)"),
        (
            ["policy", "check", "extra"],
            "has no command 'extra': write `peergate help policy check`",
        ),
        ([""], "no such command ''"),
        (["a\nb"], "no such command 'a\\nb'"),
        (["--all"], "no such option: --all"),
    ],
)
def test_help_of_what_is_no_command_is_2_and_one_line(peergate: Peergate, words: list[str], said: str) -> None:
    ended = peergate("help", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


def test_help_shows_the_commands_that_exist_in_the_order_of_use(peergate: Peergate) -> None:
    out = peergate("--help").out
    places = [out.index(f"│ {name} ") for name in ("policy", "extauth", "doctor", "demo", "version", "help")]
    assert places == sorted(places)


def test_refused_configuration_is_78_and_one_line(peergate: Peergate) -> None:
    ended = peergate("extauth", "serve", "--policy", STARTER, "--listen", "nonsense")
    assert ended.code == 78
    assert ended.err.startswith("peergate: --listen: 'nonsense' has no port")
    assert ended.err.count("\n") == 1


def test_a_bug_is_one_line_and_a_code_of_its_own(peergate: Peergate, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(peergate_check, "check", broken)
    ended = peergate("policy", "check", STARTER)
    assert ended.code == 70
    assert ended.err == "peergate: this is a bug of peergate: ZeroDivisionError: of all things\n"


peergate_check = peergate.commands.check


def test_an_interrupt_is_130_and_says_nothing(peergate: Peergate, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(peergate_check, "check", interrupted)
    ended = peergate("policy", "check", STARTER)
    assert (ended.code, ended.out, ended.err.strip()) == (130, "", "")


def test_a_policy_that_up_lacks_is_asked_for_as_it_is_typed(peergate: Peergate) -> None:
    ended = peergate("up")
    assert ended.code == 78
    assert "policy is missing: name it as POLICY or set PEERGATE_POLICY" in ended.err


def test_version_is_that_of_the_distribution(peergate: Peergate) -> None:
    assert peergate("version").out == peergate("--version").out == f"peergate {version()}\n"
    assert peergate("version", "--format", "json").out == f'{{"version": "{version()}"}}\n'


def test_as_a_program_it_answers_on_stdout_and_talks_on_stderr(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules: [{id: a, allow: nobody, to: any}]\n")
    ended = program("policy", "check", str(policy))
    assert (ended.code, ended.out) == (
        1,
        f"{policy}:2:24: name_unknown: there is no identity named `nobody` (define it under `identities`)\n",
    )
    assert ended.err == "1 problem in 1 file; the policy would not be loaded\n"


def test_as_a_program_it_has_no_traceback_for_a_usage_error() -> None:
    ended = program("policy", "check", "/nowhere")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "peergate: '/nowhere' does not exist; name a policy file or folder\n"


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    script = f"{sys.executable} -m peergate policy schema | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, cwd=ROOT, timeout=60, check=True)
    assert ended.stderr == b""
    assert ended.stdout in {b"141\n", b"0\n"}  # 0 if all of it fitted into the pipe before the reader left


def test_a_full_disk_is_one_line_and_a_code_of_its_own() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "peergate", "policy", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 74
    assert ended.stderr == b"peergate: input or output: No space left on device\n"


def test_a_closed_output_ends_nothing() -> None:
    script = f"{sys.executable} -m peergate version >&-"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_an_encoding_that_lacks_a_character_ends_nothing() -> None:
    ended = program("policy", "schema", environment={"PYTHONIOENCODING": "ascii"})
    assert (ended.code, ended.err) == (0, "")


def on_a_terminal(*arguments: str, environment: dict[str, str]) -> str:
    """What the command prints on a terminal of its own."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "peergate", *arguments],
        stdin=its,
        stdout=its,
        stderr=its,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "80", **environment},
    )
    os.close(its)
    printed = b""
    try:
        while chunk := os.read(ours, 65536):
            printed += chunk
    except OSError:
        pass  # the terminal is gone when its last user is
    process.wait(30)
    os.close(ours)
    return printed.decode()


def test_colour_is_for_terminals(peergate: Peergate) -> None:
    assert "\x1b[" in on_a_terminal("policy", "check", STARTER, environment={})
    assert "\x1b[" not in peergate("policy", "check", STARTER).out


def test_no_color_is_respected() -> None:
    assert "\x1b[3" not in on_a_terminal("policy", "check", STARTER, environment={"NO_COLOR": "1"})
