"""`docs/operations.md` names every metric, every field of the health detail, every message of the log, and no other."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from policies.reason import Reason
from runtime.expiry_status import json_from_ends, near_ends
from runtime.metrics import Likeness, Metrics
from runtime.policy_role import COMPARED, ENFORCED
from runtime.policy_status import PolicyState, PolicyStatus
from runtime.shadow_policy import ShadowStatus
from runtime.status_metrics import StatusCollector
from tests.runtime.expiring import ending, process, served, service
from tests.runtime.world import NOW

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()
SHADOW = ShadowStatus(PolicyStatus(PolicyState.SERVING, "n", 1))
STATUS = service(replace(process(ending(1), front=(served(1),)), shadow=SHADOW))


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def metrics() -> set[str]:
    states = CollectorRegistry()
    states.register(StatusCollector(lambda: STATUS))
    families = [family for registry in (states, Metrics().registry) for family in registry.collect()]
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def messages() -> Iterator[tuple[str, str]]:
    """Every (part, message) that the sources can log."""
    for file in sorted(
        path for part in ("runtime", "extauth", "gateway", "peergate") for path in (ROOT / part).rglob("*.py")
    ):
        tree = ast.parse(file.read_text())
        part = re.search(r'^_LOGGER = service_logger\("(\w+)"\)$', file.read_text(), re.MULTILINE)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                assigned = {
                    target.id: node.value
                    for node in ast.walk(function)
                    if isinstance(node, ast.Assign)
                    for target in node.targets
                    if isinstance(target, ast.Name)
                }
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_LOGGER."):
                        assert part is not None, file
                        said = node.args[0]
                        said = assigned[said.id] if isinstance(said, ast.Name) else said
                        choices = (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,)
                        yield from ((part[1], text) for choice in choices for text in _texts(choice))


def _texts(choice: ast.expr) -> Iterator[str]:
    """A literal, or the words that both roles of a policy have for it."""
    if isinstance(choice, ast.Attribute) and ast.unparse(choice.value) == "self._role":
        yield from (getattr(role, choice.attr) for role in (ENFORCED, COMPARED))
    else:
        yield ast.literal_eval(choice)


def documented_messages() -> set[tuple[str, str]]:
    rows = re.findall(r"^\| (\w+) \| (?:info|warning|error) \| (.*?) \|", section("The service log"), re.MULTILINE)
    return {(part, message) for part, cell in rows for message in re.findall(r"`(.*?)`", cell)}


def test_every_metric_is_on_the_page_and_no_other() -> None:
    assert set(re.findall(r"peergate_[a-z_]+", TEXT)) == metrics()


def test_every_label_of_a_metric_is_in_its_row() -> None:
    lines = [line for line in section("Metrics").splitlines() if line.startswith("|")]
    rows = {name: line for line in lines for name in re.findall(r"`(peergate_\w+)`", line)}
    states = CollectorRegistry()
    states.register(StatusCollector(lambda: STATUS))
    registry = Metrics()
    registry.decisions("extauth")
    assert set(registry.comparison_counters("extauth")) == set(Likeness)
    registry.difference_counter(Reason.ALLOWED_BY_RULE, Reason.DENIED_BY_RULE, "extauth")
    for family in (*states.collect(), *registry.registry.collect()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for sample in family.samples:
            missing = [label for label in sample.labels if label != "le" and f"`{label}`" not in rows[name]]
            assert missing == [], name


def test_every_field_of_the_health_detail_is_on_the_page() -> None:
    body = STATUS.json() | json_from_ends(near_ends(STATUS), NOW)
    inner = [field for name in ("workers", "expiring") for item in _listed(body[name]) for field in item]
    assert [field for field in (*body, *inner) if f"`{field}`" not in section("Readiness and its detail")] == []


def test_every_message_of_the_log_is_on_the_page_and_no_other() -> None:
    nouns = ("an anchor", "an intermediate", "a CRL", "the listener's certificate")
    said = {
        (part, message.replace("%s", noun))
        for part, message in messages()
        for noun in (nouns if "%s" in message else ("",))
    }
    assert documented_messages() == said


def test_every_heading_is_linked_and_every_link_leads_somewhere() -> None:
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", TEXT, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) == headings
    for file, anchor in re.findall(r"\]\(([\w./-]+\.md)(?:#([\w-]+))?\)", TEXT):
        page = (ROOT / "docs" / file).read_text()
        found = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", page, re.MULTILINE)}
        assert not anchor or anchor in found, (file, anchor)


def _listed(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
