"""The page of `policy matrix` in a real browser, with 5 identities and with 500."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from peergate.reports.matrix_page import page_from_matrix
from policies.authoring.lint.places import places_from_files
from policies.authoring.matrix.matrix import matrix_from_policy
from policies.language.load import load_policy
from tests.authoring.policies import POLICY, SURROUNDINGS
from tests.peergate.browser import Browser, browser
from tests.peergate.test_policy_matrix import HOSTILE


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


def many(count: int) -> str:
    """As many identities and routes, each of which may call its own."""
    lines = [POLICY.partition("identities:")[0], "identities:"]
    lines += [f'  caller-{n}: {{uri: "spiffe://acme.internal/sa/caller-{n}"}}' for n in range(count)]
    lines += ["routes:", *(f"  route-{n}: {{hosts: [h{n}.svc], methods: [GET]}}" for n in range(count)), "rules:"]
    lines += [f"  - {{id: rule-{n}, allow: caller-{n}, to: route-{n}}}" for n in range(count)]
    return "\n".join(lines)


def page(folder: Path, text: str) -> Path:
    files = {"policy.yaml": text.encode()}
    loaded = load_policy(files, SURROUNDINGS)
    assert loaded.policy is not None, loaded.problems
    path = folder / "matrix.html"
    path.write_text(page_from_matrix(matrix_from_policy(loaded.policy, places_from_files(files)), "test"))
    return path


def labels(chromium: Browser) -> set[str]:
    found = chromium.value("[...document.querySelectorAll('.cell')].map((c) => c.getAttribute('aria-label'))")
    return set(found)


def detail(chromium: Browser) -> str:
    return str(chromium.value("document.getElementById('detail').textContent"))


def centre(chromium: Browser, label: str) -> tuple[float, float]:
    x, y = chromium.value(
        "(() => { const r = [...document.querySelectorAll('.cell')].find((c) => "
        f"c.getAttribute('aria-label').startsWith('{label}')).getBoundingClientRect();"
        "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    return x, y


def test_every_pair_of_a_small_policy_is_drawn_with_its_verdict(chromium: Browser, tmp_path: Path) -> None:
    chromium.open(page(tmp_path, POLICY))
    assert {
        "billing on invoices: allowed; with shadow rules: allowed under conditions",
        "partner on invoices: denied: no rule allows it",
        "billing on ledger: allowed under conditions",
    } <= labels(chromium)


def test_the_rule_stands_below_when_the_pointer_is_on_a_cell(chromium: Browser, tmp_path: Path) -> None:
    chromium.open(page(tmp_path, POLICY))
    chromium.point(*centre(chromium, "billing on invoices"))
    assert "allow by billing-reads (Billing reads invoices.)" in detail(chromium)
    marked = chromium.value("[...document.querySelectorAll('.on')].map((e) => e.textContent)")
    assert set(marked) == {"billing", "invoices"}


def test_the_keyboard_walks_from_cell_to_cell_with_the_rule(chromium: Browser, tmp_path: Path) -> None:
    chromium.open(page(tmp_path, POLICY))
    chromium.value("document.getElementById('filter').focus()")
    chromium.press("Tab", "ArrowDown", "ArrowRight", "ArrowRight")
    assert chromium.value("document.activeElement.getAttribute('aria-label')").startswith("billing on ledger")
    assert "deny by pci-only if the connection does not come from `pci`" in detail(chromium)


def test_the_filter_leaves_what_is_about_a_word_and_stands_in_the_address(chromium: Browser, tmp_path: Path) -> None:
    path = page(tmp_path, many(40))
    chromium.open(path)
    chromium.value("filter.value = 'caller-17'; filter.dispatchEvent(new Event('input'))")
    assert chromium.value("document.getElementById('count').textContent") == "1 of 41 identities, 1 of 40 routes"
    assert labels(chromium) == {"caller-17 on route-17: allowed"}
    assert chromium.value("location.hash") == "#filter=caller-17"
    chromium.open(path, "#filter=rule-3")
    assert "caller-3 on route-3: allowed" in labels(chromium)
    assert "caller-17 on route-17: allowed" not in labels(chromium)


def test_of_500_identities_only_what_is_in_sight_is_drawn_and_names_stay_there(
    chromium: Browser, tmp_path: Path
) -> None:
    chromium.open(page(tmp_path, many(500)))
    assert chromium.value("document.querySelectorAll('.cell').length") < 2000
    chromium.value("new Promise((done) => { grid.scrollTo(1e6, 1e6); setTimeout(done, 300); })")
    assert "caller-499 on route-99: allowed" not in labels(chromium)
    assert "caller-99 on route-99: allowed" not in labels(chromium)
    x, y = chromium.value(
        "(() => { const r = [...document.querySelectorAll('.name')].at(-1).getBoundingClientRect();"
        "return [r.x, r.y]; })()"
    )
    assert x == 0
    assert y > 300
    assert chromium.value("[...document.querySelectorAll('.name')].at(-1).textContent") == "caller-499"
    assert chromium.value("document.querySelector('.title').getBoundingClientRect().bottom") < 300


def test_what_an_author_wrote_neither_runs_nor_becomes_markup(chromium: Browser, tmp_path: Path) -> None:
    text = POLICY.replace("description: Billing reads invoices.", f'description: "{HOSTILE}"')
    chromium.open(page(tmp_path, text))
    chromium.point(*centre(chromium, "billing on invoices"))
    assert HOSTILE in detail(chromium)
    assert chromium.value("document.title") == "Who may call what: test"
    assert chromium.value("document.images.length") == 0


def test_paper_shows_a_list_of_what_the_filter_left(chromium: Browser, tmp_path: Path) -> None:
    chromium.open(page(tmp_path, many(5)), "#filter=caller-2")
    chromium.call("Emulation.setEmulatedMedia", media="print")
    try:
        shown = chromium.value("document.getElementById('list').innerText")
        assert "allow route-2: allow by rule-2" in shown
        assert "rule-3" not in shown
        assert chromium.value("getComputedStyle(grid).display") == "none"
    finally:
        chromium.call("Emulation.setEmulatedMedia", media="")


def test_the_page_asks_the_network_for_nothing(chromium: Browser, tmp_path: Path) -> None:
    chromium.open(page(tmp_path, POLICY))
    assert chromium.value("performance.getEntriesByType('resource').map((entry) => entry.name)") == []
