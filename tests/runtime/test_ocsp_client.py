"""OCSP answers are asked for off the way of requests, kept while they count, and told at once when they change."""

from collections.abc import Callable, Iterator
from concurrent.futures import wait
from datetime import timedelta
from threading import Thread
from time import monotonic, sleep

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from pki.authority import Authority, Issued
from policies.peer.fetch_url import FetchUrl
from policies.peer.ocsp import OcspMethod, OcspQuestion, OcspSource, OcspStatus
from runtime import ocsp_client as module
from runtime import ocsp_exchange, ocsp_responder
from runtime.limits import MAX_OCSP_RESPONDERS, OCSP_THREADS
from runtime.metrics import Metrics, OcspResult
from runtime.ocsp_client import OcspClient
from tests.runtime.world import eventually
from tests.support.ocsp import REVOKED, UNKNOWN, fresh, now_to_the_second, question, refusal
from tests.support.ocsp_server import OcspServer, ocsp_server

MESH = Authority.root("mesh")
LEAF = MESH.issue(dns=["a.example"])


class Asking:
    """A client, and what it told of changes."""

    def __init__(self, server: OcspServer) -> None:
        self.server, self.metrics = server, Metrics()
        self.client = OcspClient(self.metrics, lambda: 0.0)
        self.changed: list[OcspQuestion] = []
        self.client.on_change(self.changed.append)

    def question(self, leaf: Issued = LEAF) -> OcspQuestion:
        return question(leaf, MESH, self.server.source())

    def status(self, leaf: Issued = LEAF) -> OcspStatus | None:
        answer = self.client.latest(self.question(leaf))
        return None if answer is None else answer.status

    def becomes(self, status: OcspStatus | None, leaf: Issued = LEAF) -> None:
        eventually(lambda: self.status(leaf) is status, 5)

    def count(self, result: OcspResult) -> float:
        name = "peergate_ocsp_requests_total"
        return self.metrics.registry.get_sample_value(name, {"result": result.value}) or 0


@pytest.fixture
def server() -> Iterator[OcspServer]:
    with ocsp_server() as started:
        yield started


@pytest.fixture
def asking(server: OcspServer) -> Iterator[Asking]:
    asking = Asking(server)
    yield asking
    asking.client.stop()


def always(**changes: object) -> Callable[[bytes], bytes]:
    return lambda request: fresh(LEAF, MESH, **changes)  # type: ignore[arg-type]


def test_looking_asks_and_looking_again_finds(asking: Asking, server: OcspServer) -> None:
    server.answer = always()
    assert asking.status() is None
    asking.becomes(OcspStatus.GOOD)
    assert (len(server.asked), asking.count(OcspResult.GOOD)) == (1, 1)
    assert asking.question() in asking.changed


@pytest.mark.parametrize("method", list(OcspMethod))
def test_it_is_asked_by_post_or_get_with_a_nonce_that_must_come_back(
    asking: Asking, server: OcspServer, method: OcspMethod
) -> None:
    def repeating(request: bytes) -> bytes:
        asked = ocsp.load_der_ocsp_request(request)
        return fresh(LEAF, MESH, nonce=asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce)

    server.answer = repeating
    asked = question(LEAF, MESH, server.source(method, nonce=True))
    eventually(lambda: asking.client.latest(asked) is not None, 5)
    assert {name for name, _ in server.asked} == {method.name}
    server.answer = always(nonce=b"replayed" * 4)
    asking.client.refresh()
    eventually(lambda: asking.count(OcspResult.REFUSED) == 1, 5)
    assert asking.client.latest(asked) is not None


def test_an_answer_is_renewed_before_it_ends_and_a_revocation_is_told(asking: Asking, server: OcspServer) -> None:
    server.answer = always(seconds=3)
    asking.becomes(OcspStatus.GOOD)
    server.answer = always(seconds=3, status=REVOKED)
    began = monotonic()
    asking.becomes(OcspStatus.REVOKED)
    assert monotonic() - began < 2.5


def test_a_final_revocation_is_asked_about_no_more_and_stays(asking: Asking, server: OcspServer) -> None:
    server.answer = always(seconds=2, status=REVOKED)
    asking.becomes(OcspStatus.REVOKED)
    server.answer = always()
    asking.client.refresh()
    sleep(1.2)
    assert (asking.status(), len(server.asked)) == (OcspStatus.REVOKED, 1)


def test_a_hold_ends_with_a_later_good_word(asking: Asking, server: OcspServer) -> None:
    server.answer = always(status=REVOKED, reason=x509.ReasonFlags.certificate_hold)
    asking.becomes(OcspStatus.REVOKED)
    server.answer = lambda request: fresh(LEAF, MESH, this_update=now_to_the_second() + timedelta(seconds=5))
    asking.client.refresh()
    asking.becomes(OcspStatus.GOOD)


def test_an_older_answer_is_refused_and_counted(asking: Asking, server: OcspServer) -> None:
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)
    held = {"status": REVOKED, "reason": x509.ReasonFlags.certificate_hold}
    before = now_to_the_second() - timedelta(minutes=1)
    server.answer = always(this_update=before, **held)
    asking.client.refresh()
    eventually(lambda: asking.count(OcspResult.OLDER) == 1, 5)
    assert asking.status() is OcspStatus.GOOD
    assert "older" in str(asking.client.report().notices)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\x30", refusal(ocsp.OCSPResponseStatus.TRY_LATER), fresh(MESH.issue(dns=["b"]), MESH)]
)
def test_bad_bytes_keep_the_last_good_answer_and_are_told(asking: Asking, server: OcspServer, body: bytes) -> None:
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)
    server.answer = lambda request: body
    asking.client.refresh()
    eventually(lambda: asking.count(OcspResult.REFUSED) >= 1, 5)
    assert asking.status() is OcspStatus.GOOD
    assert f"the OCSP responder http://127.0.0.1:{server.port}: " in str(asking.client.report().notices)


def test_unknown_replaces_good_and_is_asked_again_soon(asking: Asking, server: OcspServer) -> None:
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)
    server.answer = always(status=UNKNOWN)
    asking.client.refresh()
    asking.becomes(OcspStatus.UNKNOWN)
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)


@pytest.mark.parametrize("status", [404, 500, 301])
def test_a_server_that_does_not_answer_is_asked_by_one_request_at_a_time(
    asking: Asking, server: OcspServer, status: int
) -> None:
    server.status, server.headers = status, {"Location": server.url}
    for name in range(50):
        asking.status(MESH.issue(dns=[f"{name}.example"]))
    eventually(lambda: asking.count(OcspResult.FAILED) >= 1, 5)
    sleep(0.4)
    assert len(server.asked) <= OCSP_THREADS + 2
    notices = str(asking.client.report().notices)
    assert f"cannot be reached: the server answered {status}" in notices
    assert "50 of 50 certificates" in notices


def test_when_it_is_back_all_that_waited_are_asked(asking: Asking, server: OcspServer) -> None:
    leaves = {leaf.certificate.serial_number: leaf for leaf in (MESH.issue(dns=["a"]) for _ in range(20))}
    server.status = 503
    for leaf in leaves.values():
        asking.status(leaf)
    eventually(lambda: asking.count(OcspResult.FAILED) >= 1, 5)
    server.answer = lambda request: fresh(leaves[ocsp.load_der_ocsp_request(request).serial_number], MESH)
    server.status = 200
    for leaf in leaves.values():
        asking.becomes(OcspStatus.GOOD, leaf)
    assert asking.client.report().notices == ()


# The first answer.


def test_the_first_answer_can_be_waited_for_once(asking: Asking, server: OcspServer) -> None:
    server.answer = always()
    server.held.clear()
    asking.status()
    first = asking.client.awaited(asking.question())
    assert first is not None
    assert not first.done()
    server.held.set()
    assert not wait([first], 5).not_done
    assert asking.status() is OcspStatus.GOOD
    assert asking.client.awaited(asking.question()) is None


def test_nobody_waits_for_a_responder_that_is_down(asking: Asking, server: OcspServer) -> None:
    server.status = 503
    asking.status()
    eventually(lambda: asking.count(OcspResult.FAILED) >= 1, 5)
    other = MESH.issue(dns=["b.example"])
    asking.status(other)
    assert asking.client.awaited(asking.question(other)) is None


def test_those_who_wait_go_on_when_the_responder_fails(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocsp_exchange, "OCSP_SECONDS", 0.3)
    server.held.clear()
    leaves = [MESH.issue(dns=["a"]) for _ in range(3 * OCSP_THREADS)]
    for leaf in leaves:
        asking.status(leaf)
    firsts = [first for leaf in leaves if (first := asking.client.awaited(asking.question(leaf))) is not None]
    assert len(firsts) == len(leaves)
    assert not wait(firsts, 5).not_done
    assert "cannot be reached" in str(asking.client.report().notices)


def test_nobody_waits_for_what_is_only_renewed(asking: Asking, server: OcspServer) -> None:
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)
    server.held.clear()
    asking.client.refresh()
    eventually(lambda: len(server.asked) == 2, 5)
    assert asking.client.awaited(asking.question()) is None


# Bounds.


def test_a_responder_is_asked_by_so_many_requests_at_one_time(asking: Asking, server: OcspServer) -> None:
    server.held.clear()
    for name in range(20):
        asking.status(MESH.issue(dns=[f"{name}.example"]))
    sleep(0.3)
    assert len(server.asked) == OCSP_THREADS


def test_whom_nobody_comes_for_is_not_asked_about(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OCSP_IDLE_SECONDS", 0.0)
    server.answer = always(seconds=2)
    asking.client.latest(asking.question())
    eventually(lambda: asking.client.report().asked == 0, 5)
    asked = len(server.asked)
    assert asking.question() in asking.changed
    monkeypatch.setattr(module, "OCSP_IDLE_SECONDS", 60.0)
    asking.becomes(OcspStatus.GOOD)
    assert len(server.asked) > asked


def test_what_was_not_looked_for_longest_is_forgotten_and_told(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OCSP_ASKED", 2)
    monkeypatch.setattr(ocsp_responder, "MAX_OCSP_ASKED", 2)
    server.answer = always()
    leaves = [LEAF, MESH.issue(dns=["b"]), MESH.issue(dns=["c"])]
    asking.becomes(OcspStatus.GOOD)
    asking.changed.clear()
    for _ in range(5):
        for leaf in leaves[1:]:
            asking.status(leaf)
    assert asking.question() in asking.changed
    assert asking.client.report().asked == 2


def test_who_is_revoked_stays_so_when_forgotten_and_for_another_responder(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = always(status=REVOKED)
    asking.becomes(OcspStatus.REVOKED)
    monkeypatch.setattr(module, "MAX_OCSP_ASKED", 1)
    server.held.clear()
    asking.status(MESH.issue(dns=["b"]))
    assert asking.status() is OcspStatus.REVOKED
    with ocsp_server() as other:
        found = asking.client.latest(question(LEAF, MESH, other.source()))
        assert found is not None
        assert found.status is OcspStatus.REVOKED


def test_a_revocation_counts_for_a_question_that_was_answered_good_before(asking: Asking, server: OcspServer) -> None:
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)
    with ocsp_server() as other:
        other.answer = always(status=REVOKED)
        elsewhere = question(LEAF, MESH, other.source())
        asking.changed.clear()
        eventually(lambda: (found := asking.client.latest(elsewhere)) is not None and found.final, 5)
    assert asking.question() in asking.changed
    assert asking.status() is OcspStatus.REVOKED
    server.answer = always()
    asking.client.refresh()
    eventually(lambda: asking.count(OcspResult.OLDER) > 0, 5)
    assert asking.status() is OcspStatus.REVOKED


def test_responders_beyond_the_bound_share_a_queue_and_are_asked_all_the_same(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OCSP_RESPONDERS", 1)
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)
    with ocsp_server() as gone:
        nobody = gone.source()
    with ocsp_server() as other:
        other.answer = always(status=REVOKED)
        # Whoever shares the queue and is down holds up nobody for long.
        asking.client.latest(question(LEAF, MESH, nobody))
        asked = question(LEAF, MESH, other.source())
        eventually(lambda: (found := asking.client.latest(asked)) is not None and found.final, 5)
    assert asking.status() is OcspStatus.REVOKED


def test_a_policy_that_has_named_many_responders_in_the_life_of_a_process_still_has_the_next_one_asked(
    asking: Asking, server: OcspServer
) -> None:
    for port in range(1, MAX_OCSP_RESPONDERS + 1):
        source = OcspSource(FetchUrl.parse(f"http://127.0.0.1:{port}/"), True)
        asking.client.latest(question(LEAF, MESH, source))
    server.answer = always(status=REVOKED)
    asking.becomes(OcspStatus.REVOKED)


def test_a_responder_that_nobody_needs_any_more_makes_room_for_another(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OCSP_RESPONDERS", 1)
    monkeypatch.setattr(module, "OCSP_RELEASE_SECONDS", 0.0)
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)
    with ocsp_server() as other:
        other.answer = always()
        elsewhere = question(LEAF, MESH, other.source())
        monkeypatch.setattr(module, "OCSP_IDLE_SECONDS", 0.2)
        sleep(0.3)
        asking.client.refresh()
        # It is idle only once it is due.
        eventually(lambda: not asking.client._asked[asking.question()].queued, 5)
        eventually(lambda: asking.client.latest(elsewhere) is not None, 5)
        assert list(asking.client._responders) == [elsewhere.source.url.origin]
        assert asking.status() is OcspStatus.GOOD, "what is known stays known"
        eventually(lambda: asking.status() is OcspStatus.GOOD and len(server.asked) == 2, 5)


def test_a_final_revocation_needs_no_responder(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OCSP_RESPONDERS", 1)
    server.answer = always(status=REVOKED)
    asking.becomes(OcspStatus.REVOKED)
    with ocsp_server() as other:
        other_leaf = MESH.issue(dns=["b.example"])
        other.answer = lambda request: fresh(other_leaf, MESH)
        elsewhere = question(other_leaf, MESH, other.source())
        eventually(lambda: asking.client.latest(elsewhere) is not None, 5)
        assert list(asking.client._responders) == [elsewhere.source.url.origin]
    assert asking.status() is OcspStatus.REVOKED


def test_who_is_revoked_stays_so_where_there_is_no_room_for_another_responder(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = always(status=REVOKED)
    asking.becomes(OcspStatus.REVOKED)
    monkeypatch.setattr(module, "MAX_OCSP_RESPONDERS", 1)
    with ocsp_server() as other:
        found = asking.client.latest(question(LEAF, MESH, other.source()))
        assert found is not None
        assert found.status is OcspStatus.REVOKED


def test_a_good_answer_that_comes_after_the_revocation_by_another_responder_never_counts(
    asking: Asking, server: OcspServer
) -> None:
    with ocsp_server() as other:
        other.answer = always()
        other.held.clear()
        elsewhere = question(LEAF, MESH, other.source())
        assert asking.client.latest(elsewhere) is None
        server.answer = always(status=REVOKED)
        asking.becomes(OcspStatus.REVOKED)
        other.held.set()
        # Nobody looks for the second answer until it is there.
        eventually(lambda: asking.count(OcspResult.OLDER) >= 1, 5)
        found = asking.client.latest(elsewhere)
        assert found is not None
        assert found.status is OcspStatus.REVOKED


def test_after_the_end_nobody_is_asked(asking: Asking, server: OcspServer) -> None:
    server.answer = always()
    asking.becomes(OcspStatus.GOOD)
    asking.client.stop()
    asking.client.refresh()
    asking.status(MESH.issue(dns=["b"]))
    sleep(0.2)
    assert len(server.asked) == 1


def test_an_outage_is_not_over_because_somebody_need_not_be_asked_about(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status = 503
    asking.status()
    eventually(lambda: asking.count(OcspResult.FAILED) >= 1, 5)
    monkeypatch.setattr(module, "OCSP_IDLE_SECONDS", 0.0)
    asking.client.refresh()
    eventually(lambda: asking.client.report().asked == 0, 5)
    assert "cannot be reached" in str(asking.client.report().notices)


def test_a_listener_that_fails_stops_nothing(asking: Asking, server: OcspServer) -> None:
    def failing(question: OcspQuestion) -> None:
        raise RuntimeError("bug")

    asking.client.on_change(failing)
    server.answer = always(seconds=2)
    for leaf in (LEAF, MESH.issue(dns=["b"])):
        asking.client.latest(asking.question(leaf))
    asking.becomes(OcspStatus.GOOD)
    server.answer = always(status=REVOKED)
    asking.becomes(OcspStatus.REVOKED)


def test_a_system_without_threads_refuses_until_it_has_one(
    asking: Asking, server: OcspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = always()

    def none_left(self: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", none_left)
        with pytest.raises(RuntimeError):
            asking.status()
    asking.becomes(OcspStatus.GOOD)
