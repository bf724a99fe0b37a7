"""A SPIFFE bundle from the Workload API: what was told last is in force, and what cannot be read changes nothing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import time

import grpc
import pytest

from pki.authority import Authority
from policies.peer.bundle_source import BundleSource, WorkloadApi
from policies.peer.limits import MAX_TRUST_FILE_CERTIFICATES
from policies.peer.presented import presented_from_der
from policies.peer.spiffe import TrustDomain
from policies.reason import Reason
from runtime import limits, live_policy, workload_stream
from runtime.live_policy import LivePolicy
from runtime.metrics import BundleResult, Metrics
from runtime.policy_source import PolicySource
from runtime.policy_status import PolicyState
from runtime.workload_bundles import WorkloadBundles
from runtime.workload_stream import reconnect_seconds
from tests.runtime.world import RULES, eventually, write_policy
from tests.support.workload_api import WorkloadApiServer, bundle_of, message, workload_api

OLD, NEW = Authority.root("old"), Authority.root("new")
ACME = TrustDomain("acme.internal")
BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
OLD_LEAF, NEW_LEAF = (presented_from_der(ca.issue(uri=[BILLING]).der) for ca in (OLD, NEW))


@pytest.fixture
def api() -> Iterator[WorkloadApiServer]:
    # The path of a socket is short.
    with tempfile.TemporaryDirectory() as folder, workload_api(Path(folder) / "agent.sock") as started:
        yield started


class Listening:
    """What a process listens to, asking at once again whatever happens."""

    def __init__(self, api: WorkloadApiServer) -> None:
        self.metrics = Metrics()
        self.bundles = WorkloadBundles(self.metrics, lambda: 0.0)
        self.source = BundleSource(WorkloadApi.parse(api.url), ACME)

    def latest(self) -> bytes | None:
        return self.bundles.latest(self.source)

    def await_bundle(self, told: bytes) -> None:
        eventually(lambda: self.latest() == told)

    def count(self, result: BundleResult) -> float:
        name = "peergate_spiffe_bundle_updates_total"
        return self.metrics.registry.get_sample_value(name, {"result": result.value}) or 0

    def notice(self) -> str:
        return "; ".join(self.bundles.notices())


@pytest.fixture
def listening(api: WorkloadApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    monkeypatch.setattr(limits, "RETRY_SECONDS", 0.1)
    made = Listening(api)
    yield made
    made.bundles.stop()


def test_the_bundle_of_the_trust_domain_is_taken_and_kept_up_to_date(
    api: WorkloadApiServer, listening: Listening
) -> None:
    api.tell(acme_internal=bundle_of(OLD), partner_example=bundle_of(NEW))
    assert listening.latest() is None
    eventually(lambda: listening.latest() == bundle_of(OLD))
    assert listening.notice() == ""
    for told in (bundle_of(OLD, NEW), bundle_of(NEW)):
        api.tell(acme_internal=told)
        listening.await_bundle(told)
    assert (api.streams, listening.count(BundleResult.FAILED)) == (1, 0)
    # The trust domain that is asked for later has been told before.
    api.tell(acme_internal=bundle_of(NEW), partner_example=bundle_of(OLD))
    partner = BundleSource(listening.source.api, TrustDomain("partner.example"))
    eventually(lambda: listening.bundles.latest(partner) == bundle_of(OLD))
    assert api.streams == 1


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\xff\xff", "a message cannot be read"),
        (b"", "no bundle at all"),
        (message({"spiffe://acme.internal": b"junk"}), "not DER certificates"),
        (message({"spiffe://acme.internal": bundle_of(OLD)[:-1]}), "not DER certificates"),
        (message({"spiffe://acme.internal": OLD.pem}), "not DER certificates"),
        (message({"spiffe://acme.internal": OLD.issue(uri=[BILLING]).der}), "no CA"),
        (message({"spiffe://acme.internal": bundle_of(OLD) * (MAX_TRUST_FILE_CERTIFICATES + 1)}), "more than 256"),
    ],
    ids=["junk", "empty", "no DER", "cut off", "PEM", "a leaf", "many"],
)
def test_what_cannot_be_read_is_refused_and_the_last_good_bundle_stays(
    api: WorkloadApiServer, listening: Listening, raw: bytes, words: str
) -> None:
    api.tell_raw(raw)
    listening.latest()
    eventually(lambda: words in listening.notice())
    assert listening.latest() is None
    api.tell(acme_internal=bundle_of(OLD))
    eventually(lambda: listening.latest() == bundle_of(OLD) and not listening.notice())
    api.tell_raw(raw)
    eventually(lambda: words in listening.notice())
    assert listening.latest() == bundle_of(OLD)
    assert listening.count(BundleResult.REFUSED) == 2


@pytest.mark.parametrize(
    "keys",
    [
        ["spiffe://other.example"],
        ["acme.internal"],
        ["spiffe://acme.internal/"],
        ["spiffe://ACME.internal"],
        ["SPIFFE://acme.internal", ""],
    ],
)
def test_the_bundle_of_another_trust_domain_is_never_taken(
    api: WorkloadApiServer, listening: Listening, keys: list[str]
) -> None:
    api.tell_raw(message(dict.fromkeys(keys, bundle_of(OLD))))
    listening.latest()
    eventually(lambda: "no bundle of acme.internal, only of" in listening.notice())
    assert listening.latest() is None


@pytest.mark.parametrize("told", [{}, {"acme_internal": b""}], ids=["left out", "empty"])
def test_a_trust_domain_that_is_told_no_more_is_trusted_no_more(
    api: WorkloadApiServer, listening: Listening, told: dict[str, bytes]
) -> None:
    api.tell(acme_internal=bundle_of(OLD))
    eventually(lambda: listening.latest() == bundle_of(OLD))
    api.tell(other_example=bundle_of(NEW), **told)
    eventually(lambda: listening.latest() == b"")
    assert "any more: nobody of it is trusted" in listening.notice()
    assert listening.count(BundleResult.WITHDRAWN) == 1
    api.tell(acme_internal=bundle_of(NEW))
    eventually(lambda: listening.latest() == bundle_of(NEW) and not listening.notice())


def test_a_huge_message_ends_the_stream_and_takes_nothing(api: WorkloadApiServer, listening: Listening) -> None:
    api.tell(acme_internal=bundle_of(OLD))
    eventually(lambda: listening.latest() == bundle_of(OLD))
    api.tell_raw(message({"spiffe://acme.internal": bytes(limits.MAX_WORKLOAD_MESSAGE_BYTES + 1)}))
    eventually(lambda: "RESOURCE_EXHAUSTED" in listening.notice())
    assert listening.latest() == bundle_of(OLD)
    api.tell(acme_internal=bundle_of(NEW))
    eventually(lambda: listening.latest() == bundle_of(NEW))


def test_an_agent_that_is_gone_is_found_again_and_its_bundle_stays(
    api: WorkloadApiServer, listening: Listening
) -> None:
    api.tell(acme_internal=bundle_of(OLD))
    eventually(lambda: listening.latest() == bundle_of(OLD))
    assert listening.bundles.silent_seconds() == 0
    for told in (bundle_of(NEW), bundle_of(OLD)):
        api.stop()
        eventually(lambda: "its last good bundles stay: UNAVAILABLE" in listening.notice())
        assert listening.bundles.silent_seconds() > 0
        api.tell(acme_internal=told)
        api.start()
        listening.await_bundle(told)
        assert listening.bundles.silent_seconds() == 0
    assert listening.count(BundleResult.FAILED) >= 2


@pytest.mark.parametrize("status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED])
def test_an_agent_that_refuses_says_why_and_is_asked_again(
    api: WorkloadApiServer, listening: Listening, monkeypatch: pytest.MonkeyPatch, status: grpc.StatusCode
) -> None:
    monkeypatch.setattr(limits, "MAX_RECONNECT_SECONDS", 0.3)
    api.refusal = status
    api.tell(acme_internal=bundle_of(OLD))
    listening.latest()
    eventually(lambda: f"it has told no bundle: {status.name}" in listening.notice())
    api.refusal = None
    eventually(lambda: listening.latest() == bundle_of(OLD))


def test_an_agent_that_stays_away_is_told_of_once(
    api: WorkloadApiServer, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(workload_stream._LOGGER, "warning", lambda message, **_facts: told.append(message))
    monkeypatch.setattr(limits, "MAX_RECONNECT_SECONDS", 0.1)
    api.refusal = grpc.StatusCode.PERMISSION_DENIED
    listening.latest()
    eventually(lambda: listening.count(BundleResult.FAILED) >= 4)
    assert told == ["Workload API tells no bundle"]


def test_a_silent_agent_is_waited_for_a_bounded_time(api: WorkloadApiServer, listening: Listening) -> None:
    listening.latest()
    assert not listening.bundles.wait_for_first(0.2)
    assert "no answer yet" in listening.notice()
    api.tell(acme_internal=bundle_of(OLD))
    assert listening.bundles.wait_for_first(10)


def test_crls_that_it_sends_are_told_of_and_not_used(api: WorkloadApiServer, listening: Listening) -> None:
    api.tell_raw(message({"spiffe://acme.internal": bundle_of(OLD)}, [OLD.crl([7])]))
    listening.latest()
    eventually(lambda: "it sends CRLs, which are not used" in listening.notice())
    assert listening.latest() == bundle_of(OLD)


def test_what_no_policy_names_any_more_is_listened_to_no_more(api: WorkloadApiServer, listening: Listening) -> None:
    api.tell(acme_internal=bundle_of(OLD))
    eventually(lambda: listening.latest() == bundle_of(OLD))
    listening.bundles.keep(())
    assert (listening.notice(), listening.bundles.silent_seconds()) == ("", 0)
    assert listening.latest() is None
    eventually(lambda: api.streams == 2)


def test_what_is_beyond_the_bound_is_told_and_never_asked(
    api: WorkloadApiServer, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.workload_bundles.MAX_WORKLOAD_APIS", 1)
    listening.latest()
    assert listening.bundles.latest(BundleSource(WorkloadApi("/nowhere.sock"), ACME)) is None
    assert "unix:///nowhere.sock is not asked: at most 1 are" in listening.notice()


def test_waits_double_up_to_a_bound() -> None:
    waits = [reconnect_seconds(failures) for failures in (1, 2, 3, 64)]
    assert waits == [1.0, 2.0, 4.0, limits.MAX_RECONNECT_SECONDS]


# In a live policy.


class Serving:
    """A live policy whose trust domain is told by a Workload API."""

    def __init__(self, api: WorkloadApiServer, folder: Path) -> None:
        trust = f'{{spiffe_bundle: {{workload_api: "{api.url}"}}, spiffe_trust_domain: acme.internal}}'
        write_policy(folder, f"version: 1\ntrust:\n  mesh: {trust}\n{RULES}")
        self.bundles = WorkloadBundles(Metrics(), lambda: 0.0)
        self.live = LivePolicy(PolicySource(str(folder), bundles=self.bundles), Metrics())
        self.live.start()

    def reason(self, peer: object = OLD_LEAF) -> Reason | None:
        assert self.live.current is not None
        return self.live.current.trust.standing(peer, time()).reason  # type: ignore[arg-type]

    def stop(self) -> None:
        self.live.stop()
        self.bundles.stop()


def test_a_policy_without_any_bundle_ever_is_not_loaded_until_the_bundle_comes(
    api: WorkloadApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_policy, "FIRST_FETCH_SECONDS", 0.2)
    serving = Serving(api, tmp_path)
    assert serving.live.current is None
    assert serving.live.status.state is PolicyState.UNAVAILABLE
    assert [problem.code for problem in serving.live.status.problems] == ["bundle_missing"]
    api.tell(acme_internal=bundle_of(OLD))
    eventually(lambda: serving.live.current is not None)
    assert (serving.reason(), serving.live.status.problems) == (None, ())
    serving.stop()


def test_a_start_waits_for_a_bundle_that_is_there_without_an_alarm(
    api: WorkloadApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api.tell(acme_internal=bundle_of(OLD))
    serving = Serving(api, tmp_path)
    assert serving.reason() is None
    assert "policy refused" not in caplog.text
    serving.stop()


def test_each_bundle_is_a_generation_and_a_withdrawn_one_trusts_nobody(api: WorkloadApiServer, tmp_path: Path) -> None:
    api.tell(acme_internal=bundle_of(OLD))
    serving = Serving(api, tmp_path)
    generations = {serving.live.status.generation}
    assert serving.reason(NEW_LEAF) is Reason.CERTIFICATE_UNTRUSTED
    api.tell(acme_internal=bundle_of(NEW))
    eventually(lambda: serving.reason(NEW_LEAF) is None)
    assert serving.reason(OLD_LEAF) is Reason.CERTIFICATE_UNTRUSTED
    generations.add(serving.live.status.generation)
    api.tell(other_example=bundle_of(OLD))
    eventually(lambda: serving.reason(NEW_LEAF) is Reason.CERTIFICATE_UNTRUSTED)
    generations.add(serving.live.status.generation)
    assert (len(generations), serving.live.status.problems) == (3, ())
    serving.stop()


def test_a_policy_that_changes_while_the_agent_is_gone_keeps_the_last_good_bundle(
    api: WorkloadApiServer, tmp_path: Path
) -> None:
    api.tell(acme_internal=bundle_of(OLD))
    serving = Serving(api, tmp_path)
    before = serving.live.status.generation
    api.stop()
    text = (tmp_path / "policy.yaml").read_text()
    write_policy(tmp_path, f"{text}# changed\n")
    eventually(lambda: serving.live.status.generation != before)
    assert (serving.reason(), serving.live.status.problems) == (None, ())
    serving.stop()
