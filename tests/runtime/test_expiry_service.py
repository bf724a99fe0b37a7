"""Ends as a running service tells them: gauges, health detail and log, with one process and with several."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pki.authority import Authority
from tests.runtime.service_process import Service, fetched, service
from tests.runtime.world import HEAD, ROOT, RULES, eventually, write_policy

#: Six days are left of its 26.
ENDING = Authority.root("mesh root", now=datetime.now(UTC) - timedelta(days=20), days=26)
WITH_CRL = HEAD.replace("acme.internal}", "acme.internal, crls: [pki/mesh.crl]}") + RULES
GAUGE = "peergate_trust_expiry_timestamp_seconds"
WARNING = "an anchor expires soon"


def end_of(authority: Authority) -> float:
    return authority.issued.certificate.not_valid_after_utc.timestamp()


def written(folder: Path, authority: Authority, text: str = HEAD + RULES) -> Path:
    policy = write_policy(folder, text)
    (folder / "pki/mesh-root.pem").write_bytes(authority.pem)
    return policy


def gauges(running: Service) -> list[str]:
    _, text = fetched(f"{running.ops}/metrics")
    return [line for line in text.splitlines() if line.startswith(GAUGE)]


def warnings(running: Service) -> int:
    return running.log.read_text().count(WARNING)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_end_is_told_once_whatever_the_number_of_workers(tmp_path: Path, workers: int) -> None:
    policy = written(tmp_path / "policy", ENDING)
    with service(tmp_path, policy, f"workers={workers}") as running:
        assert len(gauges(running)) == 1
        assert running.metric(GAUGE, entry="mesh", kind="anchor") == end_of(ENDING)
        (item,) = running.readiness()[1]["expiring"]
        assert (item["kind"], item["name"], item["expired"]) == ("anchor", "CN=mesh root", False)
        eventually(lambda: warnings(running) > 0)
        (policy.parent / "pki/mesh-root.pem").write_bytes(ROOT.pem)
        eventually(lambda: running.metric(GAUGE) == end_of(ROOT))
        assert running.readiness()[1]["expiring"] == []
        assert warnings(running) == 1


def test_a_new_crl_moves_the_gauge_and_a_refused_one_does_not(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    crl = policy.parent / "pki/mesh.crl"
    ends = [datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (9, 30)]
    crl.write_bytes(ROOT.crl(number=5, next_update=ends[0]))
    with service(tmp_path, write_policy(tmp_path / "policy", WITH_CRL)) as running:
        assert running.metric(GAUGE, kind="crl") == ends[0].timestamp()
        crl.write_bytes(ROOT.crl(number=4, next_update=ends[1]))
        eventually(lambda: running.metric("peergate_policy_last_load_failed") == 1)
        assert running.metric(GAUGE, kind="crl") == ends[0].timestamp()
        crl.write_bytes(ROOT.crl(number=6, next_update=ends[1]))
        eventually(lambda: running.metric(GAUGE, kind="crl") == ends[1].timestamp())
