"""Every fenced block of the documentation is run by a test, or stands here with the reason why not."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peergate.commands import WEB

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("deploy/**/*.md"),
        *ROOT.glob("policies/**/*.md"),
    )
)
#: Pages whose blocks a test of their own runs, block by block: page -> (the words of such blocks, the test).
ELSEWHERE = {
    "docs/policy.md": (r"yaml (policy|policy=base|test|refused=\w+)", "tests/docs/test_policy_blocks.py"),
    "docs/cookbook.md": (r"yaml file=\S+|sh|sh exit=1|text", "tests/docs/test_cookbook.py"),
    "docs/diff.md": (r"yaml (old|new|ci)|console", "tests/docs/test_diff_page.py"),
    "docs/istio.md": (r"yaml (file=\S+|printed|exported)|sh( export)?", "tests/docs/test_istio_page.py"),
    "docs/middleware.md": (r"(python|yaml) \S+", "tests/docs/test_middleware.py"),
    "docs/deploy.md": (r"yaml envoy-cluster", "tests/deploy/test_guide.py"),
}
CLUSTER = "it needs a cluster; what it applies is loaded by tests/deploy"
INSTALLS = "it installs or builds; tests/deploy loads what it installs"
MONITORING = "it is asked of a monitoring system; tests/docs/test_operations.py knows its metrics"
OTHER_MACHINE = "it is output of one day, or of another machine"
#: (page, beginning of the block) -> why it is not run.
NOT_RUN = {
    ("README.md", "version: 1"): "its anchors and CRL are nobody's; docs/policy.md has the same and is run",
    ("README.md", "make demo"): "tests/peergate/test_demo.py runs the tour",
    ("README.md", " caller "): OTHER_MACHINE,
    ("README.md", "python3 -m venv"): INSTALLS,
    ("README.md", "make test"): "it is what runs this",
    ("docs/architecture.md", "  client"): "it is a picture",
    ("docs/commands.md", "  # peergate: ignore"): "it is a part of a policy; tests/authoring/lint tries such comments",
    ("docs/commands.md", "peergate policy diff HEAD~1"): "it needs a history; tests/peergate tests make one",
    ("docs/commands.md", "peergate policy promote"): "its policy is the reader's; docs/cookbook.md promotes a rule",
    ("docs/commands.md", "peergate doctor"): "its certificates are the reader's; docs/cookbook.md asks about one",
    ("docs/commands.md", "peergate demo"): "tests/peergate/test_demo.py runs the tour",
    (
        "docs/decision-log.md",
        '{"@timestamp"',
    ): "it is shortened for reading; tests/engine/test_record.py has whole ones",
    ("docs/deploy.md", "python3 -m venv"): INSTALLS,
    ("docs/deploy.md", "docker build"): INSTALLS,
    ("docs/forward-auth.md", "  client"): "it is a picture",
    ("docs/gateway.md", "mkdir -p pki"): "tests/docs/test_gateway_page.py runs it on free ports",
    ("docs/gateway.md", "cat > pki/crl.cnf"): "tests/docs/test_gateway_page.py runs it after the first",
    ("docs/gateway.md", "curl --cacert"): "tests/docs/test_gateway_page.py runs it on free ports",
    ("docs/gateway.md", "level=warning"): OTHER_MACHINE,
    ("docs/middleware.md", "Billing = Annotated"): "FastAPI is no dependency; the guard is tested with Starlette",
    ("docs/operations.md", "peergate_"): MONITORING,
    ("docs/operations.md", "sum(rate("): MONITORING,
    ("docs/operations.md", "jq -c"): "it needs jq and a log of the reader's",
    ("docs/performance.md", "make bench"): "it takes minutes; tests/bench runs every part of it small",
    ("docs/performance.md", "processor:"): OTHER_MACHINE,
    ("docs/xds.md", "identities:"): "tests/docs/test_xds_page.py loads it",
    ("deploy/istio/README.md", "helm upgrade"): CLUSTER,
    ("deploy/istio/README.md", "trust:"): CLUSTER,
    ("deploy/istio/README.md", "istioctl"): CLUSTER,
}
#: Commands that a block of any page may have -> why it is not run.
NOT_RUN_ANYWHERE = {
    r"^peergate (up|extauth|gateway|xds) ": "it serves until it is stopped: the tests of the command start it",
    r"^peergate policy (import|export) ": "it reads files of the reader's; the tests of the command have their own",
}
ASKED = {"identity": {"uri": WEB}, "method": "GET", "host": "orders.prod.svc", "path": "/v1/orders", "effect": "allow"}


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """The words behind the fence, and the content without the margin that it has in a list."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for margin, words, content in re.findall(r"^( *)```([^\n]*)$\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        yield words, re.sub(rf"^{margin}", "", content, flags=re.MULTILINE)


def reason_not_to_run(page: str, content: str) -> str | None:
    by_command = (why for command, why in NOT_RUN_ANYWHERE.items() if re.search(command, content, re.MULTILINE))
    named = (why for (of, start), why in NOT_RUN.items() if of == page and content.startswith(start))
    return next(named, None) or next(by_command, None)


def is_run_elsewhere(page: str, words: str) -> bool:
    return page in ELSEWHERE and re.fullmatch(ELSEWHERE[page][0], words) is not None


HERE = [
    (page, content)
    for page in PAGES
    for words, content in blocks(page)
    if words == "sh" and not is_run_elsewhere(page, words) and reason_not_to_run(page, content) is None
]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_or_has_a_reason(page: str) -> None:
    assert [
        content[:60]
        for words, content in blocks(page)
        if not is_run_elsewhere(page, words) and words != "sh" and reason_not_to_run(page, content) is None
    ] == []


def test_every_reason_is_about_a_block_that_is_there() -> None:
    there = [(page, content) for page in PAGES for _, content in blocks(page)]
    assert [key for key in NOT_RUN if not any(key[0] == page and text.startswith(key[1]) for page, text in there)] == []


@pytest.mark.parametrize("page", ELSEWHERE)
def test_the_test_of_a_page_is_there(page: str) -> None:
    assert (ROOT / ELSEWHERE[page][1]).is_file()


@pytest.mark.parametrize(("page", "script"), HERE, ids=[f"{page}-{script[:40]}" for page, script in HERE])
def test_a_shell_block_does_what_it_says(page: str, script: str, tmp_path: Path) -> None:
    for name in ("policies/library", "my-policy", "next-policy"):
        copied = tmp_path / name
        copied.parent.mkdir(exist_ok=True)
        source = ROOT / "policies" / "library" / ("starter" if name.endswith("policy") else "")
        subprocess.run(["cp", "-r", source, copied], check=True)
    (tmp_path / "policy.yaml").write_bytes((ROOT / "policies/library/starter/policy.yaml").read_bytes())
    for name in ("traffic.jsonl", "last-week.jsonl", "decisions.jsonl"):
        (tmp_path / name).write_text(json.dumps(ASKED) + "\n")
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("tail -f", "cat")],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
