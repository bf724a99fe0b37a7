"""`docs/commands.md` names every command and every flag, and none that is not there."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from peergate.cli import app
from peergate.reports.examination import examination_object
from pki.authority import Authority
from policies.authoring.claim import CLAIM_FIELDS
from policies.authoring.examination import examination_from_presented
from policies.authoring.examination_entry import ENTRY_CHECKS
from policies.authoring.examination_leaf import ENTRIES, LEAF_CHECKS
from policies.authoring.lint.finding import LintCode
from policies.authoring.replay_request import REQUEST_FIELDS
from policies.peer.certificate import certificate_from_der
from policies.peer.crl import crl_from_bytes
from policies.peer.presented import presented_from_der
from policies.peer.trust import TrustEntry, TrustStore

TEXT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


def flags_by_command() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}

    def visit(name: str, command: Any) -> None:
        for part, inner in getattr(command, "commands", {}).items():
            visit(f"{name} {part}", inner)
        if not hasattr(command, "commands"):
            found[name] = {word for option in command.params for word in (*option.opts, *option.secondary_opts)}

    visit("peergate", get_command(app))
    return found


FLAGS = flags_by_command()
SECTIONS = dict(re.findall(r"^## (peergate .*?)$\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def test_every_command_is_on_the_page() -> None:
    assert [name for name in FLAGS if f"`{name}`" not in TEXT] == []


def test_every_command_with_a_section_exists() -> None:
    assert set(SECTIONS) <= set(FLAGS)


def test_every_finding_stands_in_the_table_with_its_severity() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (warning|note) \|", SECTIONS["peergate policy check"], re.MULTILINE)
    assert rows == [(str(code), str(code.severity)) for code in LintCode]


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_flag_of_a_command_is_in_its_section(name: str) -> None:
    missing = [
        flag
        for flag in FLAGS[name]
        if flag.startswith("--") and flag != "--format" and not re.search(rf"{flag}(?![a-z-])", SECTIONS[name])
    ]
    assert missing == []


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_flag_in_a_section_is_one_of_its_command(name: str) -> None:
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", SECTIONS[name])) <= FLAGS[name] | {"--format"}


@pytest.mark.parametrize("field", [*sorted(REQUEST_FIELDS), *CLAIM_FIELDS])
def test_every_field_of_a_replayed_line_is_on_the_page(field: str) -> None:
    assert re.search(rf"[`\"]{field}[`\"]", SECTIONS["peergate policy replay"])


@pytest.mark.parametrize("check", [*LEAF_CHECKS, *ENTRY_CHECKS, ENTRIES])
def test_every_check_of_a_certificate_is_on_the_page(check: str) -> None:
    assert f"`{check}`" in SECTIONS["peergate doctor"]


def test_every_command_line_on_the_page_names_a_command() -> None:
    scripts = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))
    lines = re.findall(r"^(?:.*\| )?(peergate .*?)$", scripts, re.MULTILINE)
    assert len(lines) > 8
    assert [line for line in lines if not any(f"{line} ".startswith(f"{name} ") for name in FLAGS)] == []


def test_every_field_of_an_examination_is_on_the_page() -> None:
    authority = Authority.root("Root")
    leaf = presented_from_der(authority.issue(subject="CN=a").der, [authority.issued.der])
    ca = certificate_from_der(authority.issued.der)
    store = TrustStore([TrustEntry("mesh", (ca,), crls=(crl_from_bytes(authority.crl()),))])
    written = examination_object(examination_from_presented(leaf, datetime.now(UTC).timestamp(), store))
    assert [
        name for name in sorted(keys_in(written)) if not re.search(rf'[`"]{name}[`"]', SECTIONS["peergate doctor"])
    ] == []


def keys_in(value: object) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(name for inner in value.values() for name in keys_in(inner))}
    return {name for inner in value for name in keys_in(inner)} if isinstance(value, list) else set()
