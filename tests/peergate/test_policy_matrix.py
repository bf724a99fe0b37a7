"""`policy matrix` as text, CSV, JSON and a page."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pki.authority import Authority
from tests.peergate.commands import LIBRARY, STARTER, Peergate


@pytest.mark.parametrize("policy", sorted(path.name for path in LIBRARY.iterdir() if path.is_dir()))
@pytest.mark.parametrize("form", ["text", "csv", "json", "html"])
def test_every_policy_of_the_library_has_a_matrix_in_every_format(policy: str, form: str, peergate: Peergate) -> None:
    ended = peergate("policy", "matrix", str(LIBRARY / policy), "--format", form)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out


def test_the_grid_shows_the_verdict_of_every_pair_and_the_rules_below(peergate: Peergate) -> None:
    out = peergate("policy", "matrix", STARTER).out
    assert re.search(r"^web +\S", out, re.MULTILINE)
    assert re.search(r"allow by \S+", out)


def test_one_line_below_the_grid_says_what_each_sign_means(peergate: Peergate) -> None:
    lines = peergate("policy", "matrix", STARTER).out.splitlines()
    at = lines.index("allow: every request; if …: see below; deny: by a rule; ·: no rule allows")
    assert lines[at - 1] == lines[at + 1] == ""


def test_the_sign_of_shadow_rules_is_explained_where_there_is_one(peergate: Peergate, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(Authority.root("root").pem)
    rules = "  - {id: open, allow: authenticated, to: r}\n  - {id: shut, deny: anyone, to: r, mode: shadow}\n"
    (tmp_path / "policy.yaml").write_text(
        f"version: 1\ntrust: {{ca: {{anchors: [root.pem]}}}}\nroutes: {{r: {{hosts: [h]}}}}\nrules:\n{rules}"
    )
    out = peergate("policy", "matrix", str(tmp_path)).out
    assert "allow (deny)" in out
    assert "; (…): with shadow rules\n" in out


def test_a_list_without_a_grid_has_no_legend(peergate: Peergate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert "every request;" not in peergate("policy", "matrix", STARTER).out


def test_a_matrix_too_wide_for_the_terminal_is_a_list(peergate: Peergate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = peergate("policy", "matrix", STARTER).out
    assert not re.search(r"^web +(allow|·) ", out, re.MULTILINE)
    assert "web  uri" in out


def test_csv_has_a_line_for_each_pair_and_json_says_the_same(peergate: Peergate) -> None:
    lines = list(csv.DictReader(peergate("policy", "matrix", STARTER, "--format", "csv").out.splitlines()))
    said = json.loads(peergate("policy", "matrix", STARTER, "--format", "json").out)
    cells = {(cell["identity"], cell["route"]): cell["verdict"] for cell in said["cells"] if cell["verdict"] != "none"}
    assert {(line["identity"], line["route"]): line["verdict"] for line in lines if "*" not in line.values()} == cells
    assert cells


def test_a_policy_with_problems_has_no_matrix(peergate: Peergate, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\nrules: []\n")
    ended = peergate("policy", "matrix", str(tmp_path))
    assert (ended.code, ended.out) == (1, "")


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_names_nothing_outside_itself_and_runs_only_its_own_script(peergate: Peergate) -> None:
    page = peergate("policy", "matrix", STARTER, "--format", "html").out
    tags = Tags(page).found
    assert not any({"src", "href", "action", "style", "srcset"} & attributes.keys() for _, attributes in tags)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    (policy,) = [a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; base-uri 'none'; form-action 'none'",
        policy or "",
    )
    assert "url(" not in page
    assert "@import" not in page


HOSTILE = "</script><img src=x onerror=document.title='taken'><!--<script>{{DATA}}"


def test_text_of_the_author_is_text_on_the_page(peergate: Peergate, tmp_path: Path) -> None:
    starter = Path(STARTER)
    for file in starter.rglob("*"):
        if file.is_file():
            (tmp_path / file.relative_to(starter)).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / file.relative_to(starter)).write_bytes(file.read_bytes())
    uri = "spiffe://acme.internal/x/<img src=x>"
    rule = {
        "id": "hostile",
        "description": HOSTILE,
        "allow": "web",
        "to": {"paths": ["/<b>"], "headers": {"x-h": [HOSTILE]}},
    }
    (tmp_path / "more.yaml").write_text(f"version: 1\nrules: [{json.dumps(rule)}]\n")
    ended = peergate("policy", "matrix", str(tmp_path), "--format", "html")
    assert ended.code == 0, (ended.err, uri)
    tags = [tag for tag, _ in Tags(ended.out).found]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert "<b>{{" not in ended.out
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', ended.out)
    assert HOSTILE in [use[2] for use in json.loads(data)["uses"]]


def test_where_people_read_the_rules_of_a_cell_are_few_and_the_rest_is_counted(
    peergate: Peergate, tmp_path: Path
) -> None:
    (tmp_path / "root.pem").write_bytes(Authority.root("root").pem)
    blocked = "\n".join(f'  - {{id: b{n:02}, deny: {{fingerprint: "sha256:{n:064x}"}}, to: r}}' for n in range(60))
    (tmp_path / "policy.yaml").write_text(
        "version: 1\ntrust: {ca: {anchors: [root.pem]}}\nroutes: {r: {hosts: [h]}}\nrules:\n"
        f"  - {{id: all, allow: authenticated, to: r}}\n{blocked}\n"
    )
    row = "authenticated"
    out = peergate("policy", "matrix", str(tmp_path)).out
    assert "and 41 more rules" in out
    said = json.loads(peergate("policy", "matrix", str(tmp_path), "--format", "json").out)
    assert [len(cell["rules"]) for cell in said["cells"] if cell["identity"] == row] == [61]
