"""`policy diff` compares policies by what they decide: files, folders and git revisions, in three formats."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pki.authority import Authority
from tests.peergate.commands import LIBRARY, Peergate

POLICY = """version: 1
trust:
  mesh: {anchors: [../pki/mesh.pem], spiffe_trust_domain: acme.internal}
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
routes:
  invoices: {hosts: [invoices.svc], methods: [GET], paths: ["/v1/invoices/{id}"]}
rules:
  - {id: billing-reads, allow: billing, to: invoices}
"""
WIDER = POLICY.replace("[GET]", "[GET, DELETE]")
Git = Callable[..., str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose anchors lie outside of the policy's folder."""
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "mesh.pem").write_bytes(Authority.root("mesh root").pem)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "policy.yaml").write_text(POLICY)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=Ada", "-c", "user.email=ada@acme.example", "-c", "commit.gpgsign=false"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", "-C", str(folder), *names, *arguments], check=True, capture_output=True, text=True, env=plain
    ).stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=a policy")


def edit(repository: Path, text: str = WIDER) -> str:
    """Change the policy in the working tree; its folder."""
    (repository / "policies" / "policy.yaml").write_text(text)
    return str(repository / "policies")


@pytest.mark.parametrize("folder", sorted(path.name for path in LIBRARY.iterdir() if path.is_dir()))
def test_every_ready_policy_is_equal_to_itself(peergate: Peergate, folder: str) -> None:
    ended = peergate("policy", "diff", str(LIBRARY / folder), str(LIBRARY / folder / "policy.yaml"))
    assert (ended.code, ended.out) == (0, "No change: both policies decide every request alike.\n")


def test_a_widening_is_said_with_the_rule_the_edit_and_a_request(peergate: Peergate, repository: Path) -> None:
    folder = edit(repository)
    ended = peergate("policy", "diff", "HEAD", folder)
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.splitlines() == [
        "Access widens: 1 wider.",
        "",
        "+ billing may now DELETE invoices.svc/v1/invoices/{id}",
        "  because  rule billing-reads: methods +DELETE",
        "  old      denied, no_matching_rule",
        "  new      allowed by billing-reads",
        (
            f"  try      peergate policy explain {folder} --uri spiffe://acme.internal/ns/prod/sa/billing"
            " DELETE https://invoices.svc/v1/invoices/id1"
        ),
    ]


def test_what_it_tells_people_to_try_shows_the_new_verdict(peergate: Peergate, repository: Path) -> None:
    ended = peergate("policy", "diff", "HEAD", edit(repository))
    _, _, call = ended.out.partition("try      peergate ")
    assert peergate(*shlex.split(call)).code == 0
    edit(repository, POLICY)
    assert peergate(*shlex.split(call)).code == 1


def test_json_has_every_witness_as_a_line_for_replay(peergate: Peergate, repository: Path, tmp_path: Path) -> None:
    folder = edit(repository)
    answer = json.loads(peergate("policy", "diff", "HEAD", folder, "--format", "json").out)
    assert (answer["equal"], answer["may_widen"], answer["may_narrow"]) == (False, True, False)
    (change,) = answer["changes"]
    assert (change["direction"], change["allow_rule"], change["deny_rule"]) == ("wider", "billing-reads", None)
    assert (change["callers"], change["requests"]) == (["billing"], ["DELETE invoices.svc/v1/invoices/{id}"])
    line = tmp_path / "line.jsonl"
    line.write_text(json.dumps(change["new"]["witness"]))
    assert (
        json.loads(peergate("policy", "replay", folder, str(line)).out)["effect"] == change["new"]["effect"] == "allow"
    )
    edit(repository, POLICY)
    assert (
        json.loads(peergate("policy", "replay", folder, str(line)).out)["effect"] == change["old"]["effect"] == "deny"
    )


def test_markdown_is_a_comment_for_a_pull_request(peergate: Peergate, repository: Path) -> None:
    folder = edit(repository)
    assert peergate("policy", "diff", "HEAD", folder, "--format", "markdown").out.splitlines() == [
        "### Policy: Access widens: 1 wider.",
        "",
        f"`HEAD` → `{folder}`",
        "",
        "- 🔓 `billing` **may now** `DELETE invoices.svc/v1/invoices/{id}`",
        "  <br>`rule billing-reads: methods +DELETE`",
        "  <details><summary>A request that shows it</summary>",
        "",
        "  ```sh",
        (
            f"  peergate policy explain {folder} --uri spiffe://acme.internal/ns/prod/sa/billing"
            " DELETE https://invoices.svc/v1/invoices/id1"
        ),
        "  # old: denied, no_matching_rule",
        "  # new: allowed by billing-reads",
        "  ```",
        "  </details>",
    ]


def test_words_of_a_policy_are_no_markup(peergate: Peergate, repository: Path) -> None:
    hostile = POLICY.replace("paths: [", 'paths: ["/```/<img src=x>/@team", ').replace("invoices/{id}", "other")
    written = peergate("policy", "diff", "HEAD", edit(repository, hostile), "--format", "markdown").out
    outside = [line for line in written.splitlines() if "@team" in line]
    assert all(line.startswith("  peergate ") or "```` /```" in line or "````" in line for line in outside)


@pytest.mark.parametrize(("text", "code"), [(WIDER, 1), (POLICY.replace("[GET]", "[HEAD]"), 1), (POLICY, 0)])
def test_fail_on_widen_is_about_widening_alone(peergate: Peergate, repository: Path, text: str, code: int) -> None:
    folder = edit(repository, text)
    assert peergate("policy", "diff", "HEAD", folder, "--fail-on", "widen").code == code
    assert peergate("policy", "diff", folder, "HEAD").code == code


def test_what_only_narrows_passes_fail_on_widen(peergate: Peergate, repository: Path) -> None:
    folder = edit(repository)
    ended = peergate("policy", "diff", folder, "HEAD", "--fail-on", "widen")
    assert (ended.code, ended.out.splitlines()[0]) == (0, "Access only narrows: 1 narrower.")


def test_a_trust_entry_that_may_let_more_in_fails_on_widen(peergate: Peergate, repository: Path) -> None:
    folder = edit(repository)
    commit(repository)
    (repository / "pki" / "mesh.pem").write_bytes(Authority.root("another root").pem)
    ended = peergate("policy", "diff", "HEAD", folder, "--fail-on", "widen")
    assert (ended.code, ended.out.splitlines()[0]) == (1, "Access may widen: 2 in who may vouch for callers.")
    assert "? trust mesh: anchors with CN=another root" in ended.out


def test_two_revisions_are_compared_at_a_path(
    peergate: Peergate, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = edit(repository)
    commit(repository)
    monkeypatch.chdir(folder)
    assert peergate("policy", "diff", "HEAD~1", ".").code == 1
    assert peergate("policy", "diff", "HEAD~1", "HEAD").code == 1
    assert peergate("policy", "diff", "HEAD", "main").code == 0
    assert peergate("policy", "diff", "HEAD~1:policies/policy.yaml", "HEAD:./policy.yaml").code == 1
    assert peergate("policy", "diff", "HEAD:policies", ".").code == 0


def test_a_file_that_archives_leave_out_is_still_compared(peergate: Peergate, repository: Path) -> None:
    """`git archive` would drop the deny rule of the old policy, and call this edit no change."""
    deny = "version: 1\nrules: [{id: never, deny: anyone, to: invoices}]\n"
    (repository / "policies" / "deny.yaml").write_text(deny)
    (repository / ".gitattributes").write_text("deny.yaml export-ignore\n")
    commit(repository)
    (repository / "policies" / "deny.yaml").unlink()
    ended = peergate("policy", "diff", "HEAD", str(repository / "policies"))
    assert "rule never: removed" in ended.out


def test_the_repository_stays_as_it_is(peergate: Peergate, repository: Path) -> None:
    folder = edit(repository)
    (repository / "policies" / "new.yaml").write_text("version: 1\n")
    before = git(repository, "status", "--porcelain"), (repository / ".git" / "index").read_bytes()
    peergate("policy", "diff", "HEAD", folder)
    assert (git(repository, "status", "--porcelain"), (repository / ".git" / "index").read_bytes()) == before


def test_problems_of_a_revision_are_named_after_it(peergate: Peergate, repository: Path) -> None:
    edit(repository, POLICY.replace("allow: billing", "allow: biling"))
    commit(repository)
    ended = peergate("policy", "diff", "HEAD", edit(repository))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        "HEAD:policies/policy.yaml:9:32: name_unknown: there is no identity named `biling` (did you mean `billing`?)",
        "HEAD: the policy has problems, so it decides nothing",
    ]


@pytest.mark.parametrize(
    ("old", "error"),
    [
        ("nowhere", "'nowhere' is neither a file or folder nor a git revision"),
        ("HEAD:nowhere", "the revision 'HEAD' has no 'nowhere'; name another one as REV:PATH"),
        ("HEAD:../../etc", "'../../etc' leads out of the revision; name a path from the top of the repository"),
        ("HEAD:/etc", "'/etc' leads out of the revision; name a path from the top of the repository"),
        ("", "'' is neither a file or folder nor a git revision"),
        ("a\0b", "'a\\x00b' is neither a file or folder nor a git revision"),
        ("--output=x", "no such option: --output (see peergate policy diff --help)"),
    ],
)
def test_what_is_neither_is_one_line(
    peergate: Peergate, repository: Path, monkeypatch: pytest.MonkeyPatch, old: str, error: str
) -> None:
    monkeypatch.chdir(repository)
    ended = peergate("policy", "diff", old, str(repository / "policies"))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"peergate: {error}"), ended.err


def test_a_link_that_leads_out_of_the_revision_is_not_followed(
    peergate: Peergate, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be compared with what is there now, and so with itself."""
    monkeypatch.chdir(repository)
    (repository / "current").symlink_to(repository / "policies")
    commit(repository)
    ended = peergate("policy", "diff", "HEAD:current", str(repository / "policies"))
    assert (ended.code, ended.err) == (
        2,
        "peergate: 'current' is a link that leads out of the revision 'HEAD'\n",
    )


def test_outside_of_a_repository_git_says_so(
    peergate: Peergate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    ended = peergate("policy", "diff", "HEAD", str(tmp_path))
    assert ended.code == 2
    assert "not a git repository" in ended.err


def test_without_git_it_says_so(peergate: Peergate, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ended = peergate("policy", "diff", "HEAD", str(repository / "policies"))
    assert (ended.code, ended.err) == (2, "peergate: git cannot be asked: No such file or directory\n")
