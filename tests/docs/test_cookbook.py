"""`docs/cookbook.md`: every task is done, block by block, in a folder of its own."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from peergate.cli import run
from pki.authority import Authority
from policies.engine.evaluate import evaluate
from policies.engine.record import Enforcement, decision_record, line_from_record
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource
from tests.engine.callers import request, service

PAGE = Path(__file__).parents[2] / "docs" / "cookbook.md"
PREFACE, *PARTS = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
TASKS = dict(zip(PARTS[::2], PARTS[1::2], strict=True))
MARKED = re.compile(r"yaml file=policy/[a-z.-]+\.yaml|sh(?: exit=1)?|text")
WEB = ["spiffe://acme.internal/ns/prod/sa/web"]
#: The record that the page asks about.
DECISION = "5d41402abc4b2a76b9719d911017c592"


@dataclass(frozen=True)
class Block:
    words: str
    text: str


def blocks(text: str) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```([^\n]*)$\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def write(folder: Path, block: Block) -> None:
    (folder / block.words.partition("=")[2]).write_text(block.text)


def furnish(folder: Path) -> None:
    """The files that tasks name: CAs, a CRL, certificates, and a decision log of the first policy."""
    pki = folder / "policy" / "pki"
    pki.mkdir(parents=True)
    mesh, renewed, partners = (Authority.root(name) for name in ("mesh", "new mesh", "partners"))
    revoked = mesh.issue(uri=WEB)
    (pki / "mesh-root.pem").write_bytes(mesh.pem)
    (pki / "new-mesh-root.pem").write_bytes(renewed.pem)
    (pki / "partner-root.pem").write_bytes(partners.pem)
    (pki / "mesh.crl").write_bytes(mesh.crl([revoked.certificate]))
    for name, issued in (
        ("revoked.pem", revoked),
        ("web.pem", mesh.issue(uri=WEB)),
        ("web-of-new-root.pem", renewed.issue(uri=WEB)),
        ("stranger.pem", partners.issue(uri=WEB)),
    ):
        (folder / name).write_bytes(issued.chain_pem)
    for block in blocks(PREFACE):
        write(folder, block)
    (folder / "decisions.jsonl").write_text("\n".join(decisions(folder / "policy")))


def decisions(folder: Path) -> list[str]:
    """Records of the first policy, as a service writes them."""
    policy = loaded_from_reading(PolicySource(str(folder)).reading()).policy
    assert policy is not None
    found = []
    for number, method in enumerate(("GET", "DELETE", "POST")):
        asked = request(service("web"), "/v1/orders/17", method=method, host="orders.prod.svc")
        record = decision_record(
            evaluate(policy, asked),
            asked,
            decision_id=DECISION if method == "DELETE" else f"{number:032x}",
            enforcement=Enforcement.EXTAUTH,
            time=datetime(2026, 3, 4, 3, number, tzinfo=UTC).timestamp(),
            latency=80e-6,
            labels={},
        )
        found.append(line_from_record(record))
    return found


def shell(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a block as a reader would, with `peergate` on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("page", "said"), [("README.md", "| {} tasks, each"), ("CHANGELOG.md", "A cookbook: {} tasks")]
)
def test_the_pages_that_count_the_tasks_count_them_right(page: str, said: str) -> None:
    assert said.format(len(TASKS)) in (PAGE.parents[1] / page).read_text()


def test_every_block_is_marked() -> None:
    assert [block.words for block in blocks(PAGE.read_text()) if not MARKED.fullmatch(block.words)] == []


@pytest.mark.parametrize("task", TASKS)
def test_a_task_of_the_cookbook_is_done_by_its_blocks(
    task: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    furnish(tmp_path)
    said = ""
    for block in blocks(TASKS[task]):
        if block.words.startswith("yaml"):
            write(tmp_path, block)
        elif block.words == "text":
            assert [line for line in block.text.splitlines() if line not in said] == [], said
        else:
            ended = shell(tmp_path, block.text)
            said = ended.stdout
            assert ended.returncode == int(block.words.endswith("exit=1")), said
    assert run(["policy", "check", str(tmp_path / "policy")]) == 0, capfd.readouterr()
    if list((tmp_path / "policy").glob("*.test.yaml")):
        assert run(["policy", "test", str(tmp_path / "policy")]) == 0, capfd.readouterr()


@pytest.mark.parametrize("task", TASKS)
def test_a_task_shows_something_that_is_run(task: str) -> None:
    words = [block.words for block in blocks(TASKS[task])]
    assert any(word.endswith(".test.yaml") or word.startswith("sh") for word in words)
