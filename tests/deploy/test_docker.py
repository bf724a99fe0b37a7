"""deploy/docker: the image is built from what is named, by steps that work, and runs as nobody."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.deploy.dockerfile import Stage, stages
from tests.deploy.files import DOCKERFILE, KUBERNETES, ROOT, container_of, document
from tests.deploy.project import project, project_version

BUILD, FINAL = stages(DOCKERFILE)
IMAGE_PYTHON = re.search(r":(\d+\.\d+)\.\d+-slim-", FINAL.base)


def _copies(stage: Stage) -> list[str]:
    """What a stage copies from the build context."""
    return [source for words in stage.all("COPY") if "--from=" not in words for source in words.split()[:-1]]


def _locked(name: str) -> dict[str, Version]:
    """Package -> version, of a lock file."""
    text = (DOCKERFILE.parent / name).read_text(encoding="utf-8")
    return {
        canonicalize_name(found[1]): Version(found[2]) for found in re.finditer(r"^(\S+?)==(\S+)", text, re.MULTILINE)
    }


def _closure(roots: list[Requirement]) -> dict[str, list[Requirement]]:
    """Every package that the image needs -> what is asked of it, by the metadata of what is installed here."""
    assert IMAGE_PYTHON is not None
    image = {"python_version": IMAGE_PYTHON[1], "python_full_version": f"{IMAGE_PYTHON[1]}.0"}
    environment: dict[str, str] = {
        **{key: str(value) for key, value in default_environment().items()},
        **image,
        "sys_platform": "linux",
        "extra": "",
    }
    asked: dict[str, list[Requirement]] = {}
    todo = list(roots)
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        if one.marker is not None and not one.marker.evaluate(environment):
            continue
        if one not in asked.setdefault(name, []):
            asked[name].append(one)
            todo += [Requirement(text) for text in requires(name) or ()]
    return asked


# What it is made of ---------------------------------------------------------------------------------------------------


def test_both_stages_start_from_one_base_that_is_pinned_by_version() -> None:
    assert BUILD.base == FINAL.base
    assert IMAGE_PYTHON is not None


def test_the_interpreter_is_one_that_the_project_supports() -> None:
    assert IMAGE_PYTHON is not None
    assert f"Programming Language :: Python :: {IMAGE_PYTHON[1]}" in project()["project"]["classifiers"]


@pytest.mark.parametrize("source", _copies(BUILD))
def test_what_is_copied_is_there(source: str) -> None:
    assert (ROOT / source).exists()


def test_every_package_of_the_wheel_is_copied() -> None:
    packages = project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(_copies(BUILD))


def test_nothing_enters_the_build_but_what_is_copied() -> None:
    """`.dockerignore`: everything is left out, then what is needed is let in."""
    lines = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] not in {"", "#"}
    ]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(_copies(BUILD))


def test_the_final_stage_takes_the_environment_and_nothing_else() -> None:
    assert FINAL.all("COPY") == ["--from=build /opt/peergate /opt/peergate"]
    assert FINAL.all("ADD") == BUILD.all("ADD") == []


def test_no_stage_installs_a_compiler_or_anything_else_of_the_system() -> None:
    assert not [run for stage in (BUILD, FINAL) for run in stage.all("RUN") if re.search(r"\b(apt|apt-get|apk)\b", run)]


def test_every_download_is_checked_against_a_hash_and_is_no_source() -> None:
    installs = [run for run in BUILD.all("RUN") if "pip" in run and re.search(r"\binstall\b|\bwheel\b", run)]
    assert len(installs) == 4
    for run in installs:
        assert "--no-index" in run or ("--require-hashes" in run and "--only-binary=:all:" in run)


# The locks ------------------------------------------------------------------------------------------------------------


def test_the_lock_has_everything_that_the_project_needs_and_nothing_else() -> None:
    roots = [Requirement(text) for text in project()["project"]["dependencies"]]
    assert set(_locked("runtime.lock")) == set(_closure(roots))


def test_the_locked_versions_are_those_that_are_asked_for() -> None:
    locked = _locked("runtime.lock")
    asked = _closure([Requirement(text) for text in project()["project"]["dependencies"]])
    unfit = [str(one) for name, all_of in asked.items() for one in all_of if locked[name] not in one.specifier]
    assert unfit == []


def test_the_build_lock_has_what_builds_the_wheel() -> None:
    locked = _locked("build.lock")
    for text in project()["build-system"]["requires"]:
        assert locked[canonicalize_name(Requirement(text).name)] in Requirement(text).specifier


@pytest.mark.parametrize("name", ["runtime.lock", "build.lock"])
def test_every_locked_package_has_hashes(name: str) -> None:
    text = re.sub(r"\\\n", "", (DOCKERFILE.parent / name).read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"\S+==\S+(\s+--hash=sha256:[0-9a-f]{64})+\s*", line) for line in lines)


# How it runs ----------------------------------------------------------------------------------------------------------


def test_it_runs_as_a_user_by_number_that_kubernetes_uses_too() -> None:
    pod = document(KUBERNETES / "deployment.yaml")["spec"]["template"]["spec"]["securityContext"]
    assert FINAL.all("USER") == [f"{pod['runAsUser']}:{pod['runAsGroup']}"]


def test_nothing_is_run_or_copied_after_the_user_is_nobody() -> None:
    names = [one.name for one in FINAL.instructions]
    assert not {"RUN", "COPY"} & set(names[names.index("USER") :])


def test_the_entrypoint_is_the_command_of_the_project() -> None:
    (entrypoint,) = FINAL.all("ENTRYPOINT")
    (command,) = json.loads(entrypoint)
    assert command in project()["project"]["scripts"]
    assert any("/opt/peergate/bin:" in words for words in FINAL.all("ENV"))


def test_without_arguments_it_shows_help_and_serves_nothing() -> None:
    assert [json.loads(words)[-1] for words in FINAL.all("CMD")] == ["--help"]


def test_it_exposes_the_ports_of_the_deployment() -> None:
    ports = container_of(document(KUBERNETES / "deployment.yaml"))["ports"]
    assert FINAL.all("EXPOSE") == [" ".join(str(port["containerPort"]) for port in ports)]


def test_the_label_has_the_version_of_this_tree() -> None:
    (labels,) = FINAL.all("LABEL")
    assert f'org.opencontainers.image.version="{project_version()}"' in labels


def test_no_package_installer_is_left() -> None:
    assert "--without-pip" in BUILD.all("RUN")[0]
    assert FINAL.all("RUN") == ["python -m pip uninstall --yes pip"]


# The steps themselves -------------------------------------------------------------------------------------------------


def _here(command: str, folder: Path) -> str:
    """A RUN of the build stage, in a folder instead of a container; what would be downloaded is there already."""
    here = re.sub(r"(?<![\w.])/(opt/peergate|wheels)", rf"{folder}/\1", command)
    return re.sub(r"\bpython -m", f"{sys.executable} -m", here)


def _lend_dependencies(environment: Path) -> None:
    """Let the new environment see the packages of this one, as the locked install would have put them there.

    All but peergate, which may be installed here in editable form.
    """
    (site,) = environment.glob("lib/python*/site-packages")
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if "peergate" not in package.name and not (site / package.name).exists():
            (site / package.name).symlink_to(package)


def test_the_steps_make_an_environment_with_the_command_from_nothing_but_what_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "src"
    for name in _copies(BUILD):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    offline = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for command in BUILD.all("RUN"):
        if "--require-hashes" in command:
            _lend_dependencies(tmp_path / "opt" / "peergate")
        elif not command.endswith(" check"):  # what is lent has no metadata there
            done = subprocess.run(
                _here(command, tmp_path),
                shell=True,
                cwd=source,
                env=offline,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert done.stdout.strip() == f"peergate {project_version()}"
