"""The project as a whole: what is shipped, how it is built, and that its first page tells the truth."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("peergate", "policies", "runtime", "extauth", "gateway", "pki")
MAX_LINES = 400

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def _sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_the_wheel_ships_exactly_these_top_level_names(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/", 1)[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_ships_every_module_and_the_files_they_read(wheel: zipfile.ZipFile) -> None:
    shipped = set(wheel.namelist())
    assert {path.relative_to(ROOT).as_posix() for path in _sources()} <= shipped
    assert "peergate/demo/policy.yaml" in shipped
    assert "policies/library/starter/policy.yaml" in shipped


def test_the_wheel_carries_its_licence(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/licenses/LICENSE"))
    assert wheel.read(name).startswith((ROOT / "LICENSE").read_bytes()[:200])


def test_the_command_is_installed(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "peergate = peergate.cli:main" in wheel.read(name).decode()


def test_proto_is_no_package() -> None:
    assert list((ROOT / "proto").rglob("*.py")) == []


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in _sources() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_no_module_is_too_long() -> None:
    lines = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in _sources()}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


def test_every_dependency_has_its_reason() -> None:
    groups = (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    needed = sorted({re.split(r"[^A-Za-z0-9._-]", text)[0] for group in groups for text in group})
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    assert [name for name in needed if not re.search(rf"(?<![\w-]){re.escape(name.lower())}(?![\w-])", page)] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(
        re.findall(r"\bmake ([a-z][a-z-]*)\b", "\n".join(re.findall(r"`[^`]+`|^    .*|^make .*", readme, re.MULTILINE)))
    )
    assert {"demo", "test"} <= named
    assert named <= targets


def test_every_peergate_command_that_the_readme_names_exists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = sorted(set(re.findall(r"\bpeergate ((?:policy|extauth) [a-z]+|demo|version)\b", readme)))
    assert named
    for command in named:
        finished = subprocess.run(
            [sys.executable, "-m", "peergate", *command.split(), "--help"], capture_output=True, timeout=60, check=False
        )
        assert finished.returncode == 0, command


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "system-deps", "clean"])
def test_the_make_target_exists(target: str) -> None:
    finished = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr


def test_ci_installs_checks_and_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script
    assert re.findall(r"^make (\S+)$", script, re.MULTILINE) == ["system-deps", "check", "test"]
