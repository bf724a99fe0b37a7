"""What has ended, or soon will, at the time that is given."""

from datetime import UTC, datetime, timedelta

from policies.peer.certificate import certificates_from_pem
from tests.authoring.lint.linted import HEAD, MESH_ID, findings
from tests.authoring.policies import MESH, NOW, PARTNERS, Memory

WHEN = ", when: {before: 2026-03-05T00:00:00Z}"
PLAIN = f'rules:\n  - {{id: a, allow: {{uri: "{MESH_ID}/web"}}, to: {{paths: [/a]}}}}\n'
RULE = PLAIN.replace("}}\n", f"}}{WHEN}}}\n")
(_ANCHOR,) = certificates_from_pem(MESH.pem, 1)
CRLS = "version: 1\ntrust:\n  mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal, crls: [mesh.crl]}\n"


def found(text: str, at: datetime, head: str = HEAD) -> list[str]:
    files = Memory({"mesh.pem": MESH.pem, "partners.pem": PARTNERS.pem, "mesh.crl": MESH.crl()})
    return [str(item.code) for item in findings(text, now=at.timestamp(), surroundings=files, head=head)]


def test_a_window_is_past_from_its_end_on() -> None:
    end = datetime(2026, 3, 5, tzinfo=UTC)
    assert found(RULE, end - timedelta(seconds=1)) == []
    assert found(RULE, end) == ["window_past"]


def test_a_window_that_has_not_begun_is_no_finding() -> None:
    later = RULE.replace("before: 2026-03-05", "after: 2026-05-05")
    assert found(later, NOW) == []


def test_an_anchor_is_reported_in_its_last_days_and_after_them() -> None:
    end = datetime.fromtimestamp(_ANCHOR.not_after, UTC)
    half = (end - datetime.fromtimestamp(_ANCHOR.not_before, UTC)) / 2
    ahead = min(half, timedelta(days=30))
    assert found(PLAIN, end - ahead - timedelta(hours=1)) == []
    assert found(PLAIN, end - ahead + timedelta(hours=1)) == ["anchor_expiring"]
    assert found(PLAIN, end + timedelta(days=900)) == ["anchor_expiring"]


def test_a_crl_is_reported_before_its_next_update() -> None:
    assert found(PLAIN, NOW, head=CRLS) == []
    assert "crl_expiring" in found(PLAIN, NOW + timedelta(days=400), head=CRLS)
