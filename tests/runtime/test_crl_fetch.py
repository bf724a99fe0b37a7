"""A CRL from a URL: what was good stays until something newer is good, and every failure is visible."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from pki.authority import Authority
from policies.peer.certificate import certificate_from_der
from policies.peer.crl_source import CrlSource
from policies.peer.fetch_url import FetchUrl
from policies.peer.presented import presented_from_der
from policies.peer.trust_memory import TrustMemory
from policies.reason import Reason
from runtime import crl_fetch as module
from runtime import live_policy
from runtime.crl_fetch import CrlFetch, CrlFetches, refresh_seconds, retry_seconds
from runtime.limits import MAX_FETCHED_CRLS, MAX_REFRESH_SECONDS, MAX_SHOWN_UNFETCHED, MIN_REFRESH_SECONDS
from runtime.live_policy import LivePolicy
from runtime.metrics import FetchResult, Metrics
from runtime.policy_source import PolicySource
from tests.runtime.crl_server import CrlServer, crl_server
from tests.runtime.world import ROOT, RULES, eventually, replace_file, write_policy

OTHER = Authority.root("other")
LEAF = ROOT.issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"])
PEER = presented_from_der(LEAF.der)


@pytest.fixture
def server() -> Iterator[CrlServer]:
    with crl_server() as started:
        yield started


def source(server: CrlServer, *authorities: Authority) -> CrlSource:
    cas = tuple(certificate_from_der(authority.issued.der) for authority in authorities or (ROOT,))
    return CrlSource(FetchUrl.parse(server.url), True, cas)


class Fetching:
    """A fetch without its thread."""

    def __init__(self, server: CrlServer, *authorities: Authority) -> None:
        self.server, self.metrics = server, Metrics()
        self.fetch = CrlFetch(source(server, *authorities), self.metrics)

    def of(self, body: bytes) -> bytes | None:
        self.server.body = body
        self.fetch.attempt()
        return self.fetch.content

    def count(self, result: FetchResult) -> float:
        name = "peergate_crl_fetches_total"
        return self.metrics.registry.get_sample_value(name, {"result": result.value}) or 0


def test_a_good_crl_is_taken(server: CrlServer) -> None:
    fetching, crl = Fetching(server), ROOT.crl()
    assert fetching.of(crl) == crl
    assert (fetching.fetch.notice, fetching.count(FetchResult.NEW)) == ("", 1)


def test_a_newer_one_takes_its_place(server: CrlServer) -> None:
    fetching, newer = Fetching(server), ROOT.crl([7], number=2)
    fetching.of(ROOT.crl(number=1))
    assert fetching.of(newer) == newer


def test_two_revocations_in_one_second_are_both_taken(server: CrlServer) -> None:
    fetching, now = Fetching(server), datetime.now(UTC).replace(microsecond=0)
    fetching.of(ROOT.crl([7], number=1, this_update=now))
    second = ROOT.crl([7, 8], number=2, this_update=now)
    assert fetching.of(second) == second


def test_an_older_one_is_refused_and_counted(server: CrlServer) -> None:
    fetching, newer = Fetching(server), ROOT.crl([7], number=2)
    fetching.of(newer)
    assert fetching.of(ROOT.crl(number=1)) == newer
    assert fetching.count(FetchResult.OLDER) == 1
    assert "older than the last good one" in fetching.fetch.notice


def test_one_older_than_what_another_process_of_the_service_had_is_refused_as_the_first_one_too(
    server: CrlServer,
) -> None:
    of, server.body = source(server), ROOT.crl([7], number=1)
    key, newer = of.verified(ROOT.crl(number=2))
    fetch = CrlFetch(of, Metrics(), memory=TrustMemory({key: newer.age}))
    fetch.attempt()
    assert fetch.content is None
    assert "older" in fetch.notice
    server.body = ROOT.crl(number=2)
    fetch.attempt()
    assert fetch.content == server.body


def test_one_of_the_same_age_that_lists_less_is_refused_and_counted(server: CrlServer) -> None:
    fetching, good = Fetching(server), ROOT.crl([7, 8], number=2)
    fetching.of(good)
    assert fetching.of(ROOT.crl([7], number=2)) == good
    assert fetching.count(FetchResult.OLDER) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x30\x80", ROOT.pem, ROOT.crl()[:-40], OTHER.crl(number=9)])
def test_bad_bytes_keep_the_last_good_one(server: CrlServer, body: bytes) -> None:
    fetching, good = Fetching(server), ROOT.crl(number=2)
    fetching.of(good)
    assert fetching.of(body) == good
    assert fetching.count(FetchResult.REFUSED) == 1
    assert "last good kept" in fetching.fetch.notice


def test_a_crl_of_another_ca_of_the_entry_does_not_take_its_place(server: CrlServer) -> None:
    fetching, good = Fetching(server, ROOT, OTHER), ROOT.crl()
    fetching.of(good)
    assert fetching.of(OTHER.crl(number=9)) == good
    assert "name one URL for each CA" in fetching.fetch.notice


def test_a_server_that_fails_keeps_the_last_good_one(server: CrlServer) -> None:
    fetching, good = Fetching(server), ROOT.crl()
    fetching.of(good)
    server.status = 503
    assert fetching.of(b"") == good
    assert fetching.count(FetchResult.FAILED) == 1
    server.status = 200
    fetching.of(good)
    assert fetching.fetch.notice == ""


def test_one_that_was_never_fetched_is_told(server: CrlServer) -> None:
    server.status = 404
    fetching = Fetching(server)
    assert fetching.of(b"") is None
    assert "has never been fetched: the server answered 404" in fetching.fetch.notice


def test_what_another_source_had_from_the_url_is_taken_only_if_verified(server: CrlServer) -> None:
    crl = ROOT.crl()
    assert CrlFetch(source(server), Metrics(), crl).content == crl
    assert CrlFetch(source(server, OTHER), Metrics(), crl).content is None


def test_a_refresh_is_at_half_of_what_is_left_within_bounds() -> None:
    assert refresh_seconds(1_100.0, 1_000.0) == 50
    assert refresh_seconds(900.0, 1_000.0) == MIN_REFRESH_SECONDS
    assert refresh_seconds(1e9, 0.0) == MAX_REFRESH_SECONDS


def test_retries_wait_longer_and_longer_up_to_a_bound() -> None:
    assert [retry_seconds(count) for count in (1, 2, 3, 10_000)] == [1, 2, 4, MAX_REFRESH_SECONDS]


def test_what_is_beyond_the_bound_is_told_and_never_fetched(server: CrlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FETCHED_CRLS", 1)
    fetches = CrlFetches(Metrics())
    server.body = ROOT.crl()
    one, beyond = source(server), source(server, ROOT, OTHER)
    for asked in (one, beyond):
        fetches.latest(asked)
    fetches.keep((one, beyond))
    eventually(lambda: fetches.latest(one) is not None)
    assert fetches.latest(beyond) is None
    assert any("too many" in notice for notice in fetches.notices())
    fetches.keep((beyond,))
    eventually(lambda: fetches.latest(beyond) is not None)
    assert not fetches.notices()
    fetches.stop()


def test_what_only_policies_asked_for_that_were_never_in_force_makes_room(
    server: CrlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FETCHED_CRLS", 1)
    monkeypatch.setattr(module, "MAX_NAMED_CRLS", 0)
    fetches = CrlFetches(Metrics())
    server.body = ROOT.crl()
    fetches.keep((source(server),))
    eventually(lambda: fetches.latest(source(server)) is not None)
    fetches.latest(source(server, ROOT, OTHER))
    assert fetches.latest(source(server, OTHER, ROOT)) is None
    monkeypatch.setattr(module, "UNWANTED_CRL_SECONDS", -1.0)
    assert fetches.latest(source(server, OTHER, ROOT)) is not None
    assert fetches.latest(source(server)) is not None
    fetches.stop()


def test_a_ca_is_taken_out_of_a_policy_with_as_many_urls_as_may_be(tmp_path: Path, server: CrlServer) -> None:
    write_policy(tmp_path)
    urls = ", ".join(f"{{url: '{server.url}?{number}', allow_private: true}}" for number in range(MAX_FETCHED_CRLS))
    trust = f"mesh: {{anchors: [pki/both.pem], spiffe_trust_domain: acme.internal, crls: [{urls}]}}"
    (tmp_path / "pki/both.pem").write_bytes(ROOT.pem + OTHER.pem)
    replace_file(tmp_path / "policy.yaml", f"version: 1\ntrust:\n  {trust}\n{RULES}")
    server.body = ROOT.crl()
    fetches = CrlFetches(Metrics())
    live = LivePolicy(PolicySource(str(tmp_path), fetches), Metrics())
    live.start()
    (tmp_path / "pki/both.pem").write_bytes(ROOT.pem)
    eventually(lambda: live.current is not None and len(live.current.trust.entries[0].anchors) == 1, 20)
    assert not fetches.notices()
    live.stop()
    fetches.stop()


def policy(server: CrlServer, revocation: str) -> str:
    entry = f"crls: [{{url: '{server.url}', allow_private: true}}], revocation: {revocation}"
    trust = f"mesh: {{anchors: [pki/mesh-root.pem], spiffe_trust_domain: acme.internal, {entry}}}"
    return f"version: 1\ntrust:\n  {trust}\n{RULES}"


class Serving:
    """A live policy that fetches."""

    def __init__(self, server: CrlServer, folder: Path, revocation: str = "require") -> None:
        write_policy(folder, policy(server, revocation))
        self.fetches = CrlFetches(Metrics(), lambda: 0.0)
        self.live = LivePolicy(PolicySource(str(folder), self.fetches), Metrics())
        self.live.start()

    def reason(self) -> Reason | None:
        assert self.live.current is not None
        return self.live.current.trust.standing(PEER, datetime.now(UTC).timestamp()).reason


@pytest.fixture
def serving(server: CrlServer, tmp_path: Path) -> Iterator[Serving]:
    server.status = 503
    started = Serving(server, tmp_path)
    yield started
    started.live.stop()
    started.fetches.stop()


def test_under_require_nothing_is_known_until_the_first_fetch(serving: Serving, server: CrlServer) -> None:
    assert serving.reason() is Reason.REVOCATION_UNKNOWN
    server.body, server.status = ROOT.crl(), 200
    eventually(lambda: serving.reason() is None)


@pytest.mark.parametrize("revocation", ["require", "if-available"])
def test_what_is_revoked_when_a_process_starts_is_refused_from_its_first_request_on(
    server: CrlServer, tmp_path: Path, revocation: str
) -> None:
    server.body = ROOT.crl([LEAF.certificate], number=1)
    serving = Serving(server, tmp_path, revocation)
    assert serving.reason() is Reason.CERTIFICATE_REVOKED
    serving.live.stop()
    serving.fetches.stop()


def test_a_process_that_knows_of_a_crl_and_cannot_fetch_it_serves_as_before_the_first_fetch(
    server: CrlServer, tmp_path: Path
) -> None:
    write_policy(tmp_path, policy(server, "require"))
    server.status = 503
    key, crl = source(server).verified(ROOT.crl())
    memory = TrustMemory({key: crl.age})
    fetches = CrlFetches(Metrics(), memory=memory)
    live = LivePolicy(PolicySource(str(tmp_path), fetches, memory=memory), Metrics())
    live.start()
    assert live.current is not None
    assert live.current.trust.standing(PEER, datetime.now(UTC).timestamp()).reason is Reason.REVOCATION_UNKNOWN
    live.stop()
    fetches.stop()


def test_a_server_that_hangs_delays_a_start_by_a_bounded_time(
    server: CrlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_policy, "FIRST_FETCH_SECONDS", 0.3)
    server.trickle = True
    began = monotonic()
    serving = Serving(server, tmp_path)
    assert monotonic() - began < 3
    assert serving.reason() is Reason.REVOCATION_UNKNOWN
    serving.live.stop()
    serving.fetches.stop()


def test_a_policy_that_is_broken_meanwhile_keeps_its_crls(serving: Serving, server: CrlServer, tmp_path: Path) -> None:
    server.body, server.status = ROOT.crl([LEAF.certificate], number=1), 200
    eventually(lambda: serving.reason() is Reason.CERTIFICATE_REVOKED)
    replace_file(tmp_path / "policy.yaml", "version: 1\nrules: [")
    eventually(lambda: bool(serving.live.status.problems))
    server.body = ROOT.crl([LEAF.certificate], number=2)
    serving.fetches.refresh()
    replace_file(tmp_path / "policy.yaml", policy(server, "require") + "# mended\n")
    eventually(lambda: not serving.live.status.problems)
    assert serving.reason() is Reason.CERTIFICATE_REVOKED


def test_a_new_crl_is_a_new_generation_that_revokes_within_two_seconds(serving: Serving, server: CrlServer) -> None:
    server.body, server.status = ROOT.crl(number=1), 200
    eventually(lambda: serving.reason() is None)
    before = serving.live.status.generation
    server.body = ROOT.crl([LEAF.certificate], number=2)
    serving.fetches.refresh()
    eventually(lambda: serving.reason() is Reason.CERTIFICATE_REVOKED, 2.0)
    assert serving.live.status.generation != before


def test_a_replayed_older_crl_does_not_stop_the_policy_from_changing(
    serving: Serving, server: CrlServer, tmp_path: Path
) -> None:
    server.body, server.status = ROOT.crl([LEAF.certificate], number=2), 200
    eventually(lambda: serving.reason() is Reason.CERTIFICATE_REVOKED)
    asked = len(server.asked)
    server.body = ROOT.crl(number=1)
    serving.fetches.refresh()
    eventually(lambda: len(server.asked) > asked and any("older" in text for text in serving.fetches.notices()))
    before = serving.live.status.generation
    replace_file(tmp_path / "policy.yaml", policy(server, "require") + "# changed\n")
    eventually(lambda: serving.live.status.generation != before)
    assert (serving.reason(), serving.live.status.problems) == (Reason.CERTIFICATE_REVOKED, ())


def test_a_crl_past_its_end_proves_nothing_and_still_revokes(server: CrlServer, tmp_path: Path) -> None:
    ended = datetime.now(UTC) - timedelta(seconds=5)
    server.body = ROOT.crl([7], this_update=ended - timedelta(days=1), next_update=ended)
    serving = Serving(server, tmp_path)
    eventually(lambda: not serving.fetches.notices())
    eventually(lambda: serving.live.current is not None and bool(serving.live.current.trust.lists.keys))
    assert serving.reason() is Reason.REVOCATION_UNKNOWN
    serving.live.stop()
    serving.fetches.stop()


def test_crls_that_leaves_name_are_noted_once_and_within_bounds(
    server: CrlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_NAMED_CRLS", 4)
    fetches = CrlFetches(Metrics())
    urls = [FetchUrl.parse(f"{server.url}/{name}") for name in "abc"]
    for url in (*urls[:2], *urls[:2]):
        fetches.note(url)
    assert fetches.named() == tuple(urls[:2])
    fetches.note(urls[2])
    assert fetches.named() == tuple(urls[:2])
    monkeypatch.setattr(module, "UNUSED_CRL_SECONDS", -1.0)
    fetches.latest(CrlSource(urls[0], True, source(server).authorities))
    fetches.note(urls[2])
    assert fetches.named() == (urls[0], urls[2])
    fetches.latest(CrlSource(urls[2], True, source(server).authorities))
    fetches.note(urls[1])
    assert fetches.named() == (urls[0], urls[2])
    assert any(urls[1].text in notice for notice in fetches.notices())
    fetches.stop()


def test_a_ca_whose_leaves_name_any_number_of_crls_leaves_places_to_the_others(server: CrlServer) -> None:
    fetches = CrlFetches(Metrics())
    for number in range(200):
        fetches.note(FetchUrl.parse(f"http://crl.partner.example/{number}.crl"))
    mesh = FetchUrl.parse(server.url)
    fetches.note(mesh)
    assert mesh in fetches.named()
    assert len(fetches.named()) == 65
    assert len(fetches.notices()) == MAX_SHOWN_UNFETCHED


class _Restless(CrlFetches):
    """Whenever one looks there is another CRL."""

    number = 0

    def latest(self, source: CrlSource) -> bytes | None:
        self.number += 1
        return ROOT.crl(number=self.number)


def test_crls_that_change_all_the_time_do_not_put_off_a_change_of_the_policy(tmp_path: Path, server: CrlServer) -> None:
    write_policy(tmp_path, policy(server, "require"))
    live = LivePolicy(PolicySource(str(tmp_path), _Restless(Metrics())), Metrics())
    live.start()
    replace_file(tmp_path / "policy.yaml", policy(server, "require").replace("id: anybody", "id: everybody"))
    eventually(lambda: live.current is not None and "everybody" in live.current.rule_ids, 5)
    assert not live.status.unsettled
    live.stop()
