"""`docs/policy.md` promises that every block on it does what it says. This is where."""

import re
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from peergate.stand_ins import StandIns
from pki.authority import Authority
from policies.authoring.suite import suite_from_bytes
from policies.authoring.suite_table import CALLER, REQUEST, SUITE, TEST
from policies.authoring.testing import report_from_suites
from policies.language.codes import Code
from policies.language.load import Loaded, load_policy
from policies.language.policy_table import POLICY
from policies.language.route_table import ROUTE
from policies.language.rule_table import RULE
from policies.language.selector_table import SELECTOR
from policies.language.table import Fields
from policies.peer.bundle_source import BundleSource
from policies.peer.crl_source import CrlSource
from policies.reason import Reason
from tests.support.spiffe_bundles import bundle, entry_of

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
TEXT = PAGE.read_text()
#: Fenced blocks: the words after `yaml`, and the content.
BLOCKS = re.findall(r"^```yaml ?(.*?)$\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
(BASE,) = [text for words, text in BLOCKS if words == "policy=base"]
TABLES = [POLICY, SELECTOR, ROUTE, RULE, SUITE, TEST, REQUEST, CALLER]
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Files:
    """The files that the page names."""

    def __init__(self) -> None:
        workshop, mesh = (Authority.root(f"{name} root", now=NOW) for name in ("workshop", "mesh"))
        self._files = {
            "pki/mesh-root.pem": mesh.pem,
            "pki/billing.pem": mesh.issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"]).chain_pem,
            "pki/partner-root.pem": Authority.root("partner root", now=NOW).pem,
            "pki/workshop-root.pem": workshop.pem,
            "pki/supplier.jwks": bundle(entry_of(Authority.root("supplier root", now=NOW))),
            "pki/workshop-issuing.pem": workshop.intermediate("workshop issuing").pem,
            "pki/workshop.crl": workshop.crl(),
        }

    def read(self, path: str) -> bytes:
        return self._files[path]

    def folder(self, path: str) -> tuple[str, ...] | None:
        return None

    def fetched(self, source: CrlSource) -> bytes | None:
        """Nothing is fetched."""
        return None

    def bundle(self, source: BundleSource) -> bytes | None:
        """Nothing is asked."""
        return b""

    def timezone(self, name: str) -> tzinfo:
        return ZoneInfo(name)


FILES = Files()


def blocks(kind: str) -> list[str]:
    return [text for words, text in BLOCKS if words == kind]


def loaded(text: str) -> Loaded:
    return load_policy({"base.yaml": BASE.encode(), "block.yaml": f"version: 1\n{text}".encode()}, FILES)


def test_every_block_is_marked() -> None:
    assert [words for words, _ in BLOCKS if not re.fullmatch(r"policy|policy=base|test|refused=[a-z_]+", words)] == []
    assert len(BLOCKS) >= 20


def test_the_first_block_is_a_policy_by_itself() -> None:
    assert load_policy({"base.yaml": BASE.encode()}, FILES).problems == ()


@pytest.mark.parametrize("text", blocks("policy"))
def test_a_policy_block_loads_beside_the_first_one(text: str) -> None:
    assert loaded(text).problems == ()


@pytest.mark.parametrize(
    ("code", "text"), [(words.partition("=")[2], text) for words, text in BLOCKS if words.startswith("refused=")]
)
def test_a_block_shown_as_refused_is_refused_for_that_reason_alone(code: str, text: str) -> None:
    assert [str(problem.code) for problem in loaded(text).problems] == [code]


@pytest.mark.parametrize("text", blocks("test"))
def test_a_test_block_passes_against_the_first_block(text: str) -> None:
    policy = load_policy({"base.yaml": BASE.encode()}, FILES).policy
    assert policy is not None
    maker = StandIns(policy.trust)
    suite, problems = suite_from_bytes("block.test.yaml", text.encode(), policy, FILES, maker, NOW.timestamp())
    assert suite is not None, problems
    assert report_from_suites(policy.with_trust(maker.trust()), [suite]).passed


@pytest.mark.parametrize("fields", TABLES, ids=lambda fields: str(fields.title))
def test_every_key_of_the_language_is_on_the_page(fields: Fields[object]) -> None:
    missing = [field.key for field in fields.fields if f"`{field.key}`" not in TEXT]
    assert missing == []


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_on_the_page(reason: Reason) -> None:
    assert f"`{reason}`" in TEXT


def test_every_code_on_the_page_exists() -> None:
    named = set(re.findall(r"refused=([a-z_]+)|\(`([a-z]+_[a-z_]+)`\)", TEXT))
    words = {word for pair in named for word in pair if word}
    assert words <= set(Code) | set(Reason)


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
