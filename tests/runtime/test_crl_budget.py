"""What certificates name has bounds: who issues them chooses how much there is, and how often it changes."""

from collections.abc import Iterator
from pathlib import Path
from time import sleep, time

import pytest

from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.language.load import Loaded
from policies.language.load_memory import LoadMemory
from policies.peer.certificate import certificate_from_der
from policies.peer.crl_source import CrlSource
from policies.peer.fetch_url import FetchUrl
from policies.peer.presented import presented_from_der
from policies.reason import Reason
from runtime import crl_budget as module
from runtime.crl_budget import CrlBudget
from runtime.crl_fetch import CrlFetches, refresh_seconds
from runtime.limits import MIN_NAMED_REFRESH_SECONDS, NAMED_CRL_REST
from runtime.live_policy import LivePolicy, loaded_from_reading
from runtime.metrics import Metrics
from runtime.policy_source import PolicyReading, PolicySource
from tests.runtime.crl_server import CrlServer, crl_server
from tests.runtime.world import ROOT, RULES, eventually, replace_file, write_policy

OTHER = Authority.root("other")
PEER = presented_from_der(ROOT.issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"]).der)
TRUST = "mesh: {{anchors: [pki/mesh-root.pem], spiffe_trust_domain: acme.internal, {}}}"
POLICY = f"version: 1\ntrust:\n  {TRUST}\n{RULES.replace('{', '{{').replace('}', '}}')}"


@pytest.fixture
def server() -> Iterator[CrlServer]:
    with crl_server() as started:
        yield started


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> CrlBudget:
    monkeypatch.setattr(module, "MAX_NAMED_CRL_BYTES", 1_000)
    return CrlBudget()


def source(name: str, ca: Authority = ROOT, *, named: bool = True) -> CrlSource:
    url = FetchUrl.parse(f"http://crl.example/{name}")
    return CrlSource(url, True, (certificate_from_der(ca.issued.der),), named=named)


def test_all_crls_that_certificates_name_are_counted_together(budget: CrlBudget) -> None:
    for name in "ab":
        budget.begin(source(name), 0)
    assert budget.take(source("a"), 600)
    assert not budget.take(source("b"), 401)
    assert budget.take(source("b"), 400)


def test_what_was_received_for_nothing_and_what_is_fetched_no_more_is_given_back(budget: CrlBudget) -> None:
    for name in "ab":
        budget.begin(source(name), 0)
    assert budget.take(source("a"), 1_000)
    budget.settle(source("a"), 100)
    assert budget.take(source("b"), 900)
    budget.end(source("a"))
    assert budget.take(source("b"), 1_000)
    assert not budget.take(source("a"), 1)


def test_a_ca_takes_no_room_of_another_trust_entry(budget: CrlBudget) -> None:
    for one in (source("a"), source("b", OTHER)):
        budget.begin(one, 0)
    assert not budget.take(source("a"), 501)
    assert budget.take(source("a"), 500)
    assert budget.take(source("b", OTHER), 500)


def test_what_a_source_has_stays_its_own_when_there_are_more_entries(budget: CrlBudget) -> None:
    budget.begin(source("a"), 900)
    budget.begin(source("b", OTHER), 0)
    assert budget.take(source("a"), 900)
    assert not budget.take(source("a"), 901)


def test_crls_that_the_policy_names_are_not_counted(budget: CrlBudget) -> None:
    budget.begin(source("a", named=False), 0)
    assert budget.take(source("a", named=False), 5_000)


def test_a_crl_that_a_certificate_names_is_left_alone_for_longer() -> None:
    assert refresh_seconds(900.0, 1_000.0, named=True) == MIN_NAMED_REFRESH_SECONDS


def test_a_crl_without_room_is_told_and_not_kept(server: CrlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.body = ROOT.crl()
    monkeypatch.setattr(module, "MAX_NAMED_CRL_BYTES", len(server.body) + 10)
    fetches = CrlFetches(Metrics())
    cas = source("a").authorities
    sources = [CrlSource(FetchUrl.parse(f"{server.url}/{name}"), True, cas, named=True) for name in "ab"]
    assert fetches.latest(sources[0]) is None
    assert fetches.wait_for_first(5)
    fetches.latest(sources[1])
    fetches.wait_for_first(5)
    assert [fetches.latest(one) for one in sources] == [server.body, None]
    assert "never been fetched: there is no room for it" in fetches.notices()[0]
    fetches.stop()


def test_require_refuses_whose_crl_has_no_room(
    server: CrlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_NAMED_CRL_BYTES", 100)
    server.body = ROOT.crl()
    entry = f"crls: [{{certificate_urls: ['{server.url}'], allow_private: true}}], revocation: require"
    write_policy(tmp_path, POLICY.format(entry))
    fetches = CrlFetches(Metrics())
    fetches.note(FetchUrl.parse(server.url))
    live = LivePolicy(PolicySource(str(tmp_path), fetches), Metrics())
    live.start()
    eventually(lambda: any("there is no room for it" in notice for notice in fetches.notices()))
    assert live.current is not None
    assert live.current.trust.standing(PEER, time()).reason is Reason.REVOCATION_UNKNOWN
    live.stop()
    fetches.stop()


class _Flapping(CrlFetches):
    """A leaf has named one CRL, and whenever one looks there is another version of it."""

    number = 0

    def named(self) -> tuple[FetchUrl, ...]:
        return (FetchUrl.parse("http://crl.example/a"),)

    def latest(self, source: CrlSource) -> bytes | None:
        self.number += 1
        return ROOT.crl(number=self.number)


class _Slow:
    """A policy that takes a while to load."""

    seconds = 0.2

    def __init__(self) -> None:
        self.loads = 0

    def __call__(self, reading: PolicyReading, previous: PolicySet | None, memory: LoadMemory) -> Loaded:
        self.loads += 1
        sleep(self.seconds)
        return loaded_from_reading(reading, previous, memory)


def test_crls_that_certificates_name_lead_to_few_readings_and_put_off_nothing_else(tmp_path: Path) -> None:
    entry = "crls: [{certificate_urls: ['http://crl.example/'], allow_private: true}]"
    text = POLICY.format(entry)
    file = write_policy(tmp_path, text)
    loader = _Slow()
    live = LivePolicy(PolicySource(str(tmp_path), _Flapping(Metrics())), Metrics(), loader=loader)
    live.start()
    eventually(lambda: loader.loads > 1)
    before = loader.loads
    sleep(0.8 * NAMED_CRL_REST * _Slow.seconds)
    assert loader.loads == before
    replace_file(file, text.replace("id: anybody", "id: everybody"))
    eventually(lambda: live.current is not None and "everybody" in live.current.rule_ids, 2)
    edited = loader.loads
    eventually(lambda: loader.loads > edited, 5)
    live.stop()
