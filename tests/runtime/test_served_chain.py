"""The end of the listeners' own certificate is known, also after it was renewed and before anybody connects."""

from datetime import timedelta
from pathlib import Path

import pytest

from pki.authority import Issued
from runtime import served_chain as served
from runtime.expiry import Expiring, ExpiryKind
from runtime.listener_tls import LiveTls, TlsFiles
from runtime.served_chain import ServedChain
from tests.extauth.service_process import eventually, running
from tests.extauth.world import issuing, mesh
from tests.runtime.said import messages
from tests.runtime.service_process import fetched

GAUGE = "peergate_served_certificate_expiry_timestamp_seconds"


def certificate(days: float) -> Issued:
    return issuing().issue(subject="CN=peergate", server=True, not_after=mesh().now + timedelta(days=days))


def files(folder: Path, issued: Issued) -> TlsFiles:
    (folder / "c.pem").write_bytes(issued.chain_pem)
    (folder / "k.pem").write_bytes(issued.key_pem)
    return TlsFiles(str(folder / "c.pem"), str(folder / "k.pem"))


def end_of(issued: Issued) -> float:
    return issued.certificate.not_valid_after_utc.timestamp()


def first_end(chain: ServedChain) -> float:
    return min(item.ends for item in chain.expiring())


def test_leaf_and_intermediates_are_told(tmp_path: Path) -> None:
    found = ServedChain(LiveTls(files(tmp_path, certificate(1)))).expiring()
    assert [(item.kind, item.name) for item in found] == [
        (ExpiryKind.SERVED, "CN=peergate"),
        (ExpiryKind.SERVED, "CN=mesh issuing"),
    ]


def test_a_renewed_certificate_is_told_before_any_handshake_and_the_listener_still_takes_it_over(
    tmp_path: Path,
) -> None:
    old, new = certificate(1), certificate(2)
    live = LiveTls(files(tmp_path, old))
    chain = ServedChain(live)
    assert first_end(chain) == end_of(old)
    files(tmp_path, new)
    assert first_end(chain) == end_of(new)
    renewed = live.renewed()
    assert renewed is not None
    assert renewed.certificate == new.chain_pem
    assert live.renewed() is None


def test_a_bad_change_is_not_told(tmp_path: Path) -> None:
    old = certificate(1)
    chain = ServedChain(LiveTls(files(tmp_path, old)))
    (tmp_path / "c.pem").write_bytes(certificate(2).chain_pem)  # with the key of the other one
    assert first_end(chain) == end_of(old)


def test_a_chain_that_cannot_be_read_has_no_end_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreadable(_: bytes) -> tuple[Expiring, ...]:
        raise ValueError("odd")

    monkeypatch.setattr(served, "expiring_from_served", unreadable)
    chain = ServedChain(LiveTls(files(tmp_path, certificate(1))))
    assert (chain.expiring(), chain.expiring()) == ((), ())
    assert messages(caplog) == ["when the listener's certificate ends is not known"]


def test_a_running_service_has_the_gauge_of_both_listeners_once(tmp_path: Path) -> None:
    first, second = certificate(3), certificate(4)
    tls = files(tmp_path, first)
    flags = ("--tls-cert", tls.certificate, "--tls-key", tls.key)
    http = ("--http", f"unix:{tmp_path / 'http.sock'}", "--trusted-hop", "unix")

    def samples() -> list[float]:
        _, text = fetched(f"http://{started.ops}/metrics")
        return [float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{GAUGE} ")]

    with running(tmp_path, *flags, *http) as started:
        assert samples() == [end_of(first)]
        assert [item["kind"] for item in started.readiness()[1]["expiring"]] == ["served"]
        files(tmp_path, second)
        eventually(lambda: samples() == [end_of(second)], 5)
