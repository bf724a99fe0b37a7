"""`doctor` tells people and programs what is wrong with a certificate, and what to do."""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.authority import Authority
from policies.authoring.examination_entry import ENTRY_CHECKS
from policies.authoring.examination_leaf import LEAF_CHECKS
from tests.peergate.commands import STARTER, Ended, Peergate

NOW = datetime.now(UTC)
MESH, PARTNER = Authority.root("Acme Mesh Root", now=NOW), Authority.root("Partner Root", now=NOW)
ISSUING = MESH.intermediate("Acme Mesh Issuing CA 2026")
BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
LEAF = ISSUING.issue(uri=[BILLING])
STOLEN = ISSUING.issue(uri=[BILLING], subject="CN=stolen,O=Acme")
NEW = MESH.intermediate("Acme Mesh Issuing CA 2027").issue(uri=[BILLING])
OLD = PARTNER.issue(dns=["a.example"], not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=2))

POLICY = """version: 1
trust:
  mesh:
    anchors: [mesh.pem]
    intermediates: [issuing.pem]
    spiffe_trust_domain: acme.internal
    crls: [mesh.crl, issuing.crl]
    revocation: require
  partners: {anchors: [partner.pem], max_lifetime: 30d}
rules:
  - {id: a, allow: authenticated, to: any}
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy in `policy/`, and certificates beside it."""
    folder = tmp_path_factory.mktemp("pki")
    policy = folder / "policy"
    policy.mkdir()
    for name, data in {
        "policy/policy.yaml": POLICY.encode(),
        "policy/mesh.pem": MESH.pem,
        "policy/issuing.pem": ISSUING.pem,
        "policy/partner.pem": PARTNER.pem,
        "policy/mesh.crl": MESH.crl(number=4),
        "policy/issuing.crl": ISSUING.crl([STOLEN.certificate], number=12),
        "leaf.pem": LEAF.chain_pem,
        "new.pem": NEW.pem,
        "new-chain.pem": NEW.chain_pem,
        "leaf.der": LEAF.der,
        "issuing.pem": ISSUING.pem,
        "stolen.pem": STOLEN.chain_pem,
        "old.pem": OLD.pem,
    }.items():
        (folder / name).write_bytes(data)
    return folder


def doctor(peergate: Peergate, pki: Path, name: str, *more: str, policy: bool = True) -> Ended:
    asked = ["--policy", str(pki / "policy")] if policy else []
    return peergate("doctor", "--cert", str(pki / name), *asked, *more)


def rows(out: str) -> dict[str, str]:
    """Check -> outcome, of the last table that has it."""
    return dict(re.findall(r"^  ([\w ]+?) +(pass|FAIL|not reached)  ", out, re.MULTILINE))


# The answer.


def test_an_accepted_certificate_is_0(peergate: Peergate, pki: Path) -> None:
    ended = doctor(peergate, pki, "leaf.pem")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == "Accepted by mesh."


def test_a_refused_certificate_is_1_with_reason_and_fix_at_the_top(peergate: Peergate, pki: Path) -> None:
    ended = doctor(peergate, pki, "old.pem")
    first, second, third, *_ = ended.out.splitlines()
    assert (ended.code, ended.err) == (1, "")
    assert first == "Refused, certificate_expired: the certificate has expired."
    assert second == "Fix: renew it; it was issued for 7 d."
    assert third.startswith("Judged at ")


def test_a_certificate_that_cannot_be_read_is_1_and_shows_nothing_of_it(peergate: Peergate, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nMAAK\n-----END CERTIFICATE-----\n")
    ended = peergate("doctor", "--cert", str(tmp_path / "bad.pem"))
    assert ended.code == 1
    assert ended.out.startswith("Refused, certificate_malformed: ")
    assert "What it says" not in ended.out
    assert set(rows(ended.out).values()) == {"FAIL", "not reached"}


def test_a_file_that_holds_no_certificate_is_2_and_one_line(peergate: Peergate, pki: Path) -> None:
    ended = doctor(peergate, pki, "policy")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"peergate: --cert {pki}/policy: not a regular file\n"


def test_time_is_a_parameter(peergate: Peergate, pki: Path) -> None:
    assert doctor(peergate, pki, "leaf.pem", "--at", "2040-01-01T00:00:00Z").code == 1
    ended = doctor(peergate, pki, "leaf.pem", "--at", "noon")
    assert (ended.code, ended.err[:16]) == (2, "peergate: --at: ")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_no_time_that_can_be_written_ends_it(peergate: Peergate, pki: Path, at: str) -> None:
    assert doctor(peergate, pki, "leaf.pem", "--at", at).code in {1, 2}


def test_a_policy_with_problems_judges_nothing(peergate: Peergate, pki: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\nrules: []\n")
    ended = peergate("doctor", "--cert", str(pki / "leaf.pem"), "--policy", str(tmp_path))
    assert (ended.code, ended.out) == (1, "")
    assert "value_empty" in ended.err


def test_a_certificate_is_needed(peergate: Peergate) -> None:
    ended = peergate("doctor")
    assert (ended.code, ended.err) == (2, "peergate: missing option '--cert' (see peergate doctor --help)\n")


def test_der_with_its_chain_apart_is_the_same_as_pem_with_both(peergate: Peergate, pki: Path) -> None:
    at = ("--at", NOW.isoformat(timespec="seconds"))
    apart = doctor(peergate, pki, "leaf.der", "--chain", str(pki / "issuing.pem"), *at)
    assert apart == doctor(peergate, pki, "leaf.pem", *at)


# What people see.


def test_the_certificate_is_shown_with_what_names_it_in_a_policy(peergate: Peergate, pki: Path) -> None:
    out = doctor(peergate, pki, "leaf.pem").out
    spki = LEAF.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert f'  pins: ["sha256:{b64encode(sha256(spki).digest()).decode()}"]' in out
    assert f"    - sha256:{sha256(LEAF.der).hexdigest()}\n" in out
    assert f"  uri        {BILLING}\n" in out
    assert f"  serial     {LEAF.certificate.serial_number:x}\n" in out


def test_what_names_it_in_a_policy_can_be_pasted_there(peergate: Peergate, pki: Path, tmp_path: Path) -> None:
    out = doctor(peergate, pki, "leaf.pem").out
    pasted = "".join(re.findall(r"^  (?:pins|fingerprint):.*\n|^    - sha256:.*\n", out, re.MULTILINE))
    assert pasted.count("\n") == 3
    (tmp_path / "mesh.pem").write_bytes(MESH.pem)
    (tmp_path / "policy.yaml").write_text(
        "version: 1\ntrust: {mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal}}\n"
        f"identities:\n it:\n{pasted}rules:\n  - {{id: a, allow: it, to: any}}\n"
    )
    path = str(pki / "leaf.pem")
    assert peergate("policy", "explain", str(tmp_path), "--cert", path, "GET", "https://h/").code == 0


def test_the_chain_is_shown_with_the_dates_of_each(peergate: Peergate, pki: Path) -> None:
    out = doctor(peergate, pki, "leaf.pem").out
    assert "  CA      `CN=Acme Mesh Issuing CA 2026` (of `intermediates`)\n" in out
    assert "  anchor  `CN=Acme Mesh Root` (of `anchors`)\n" in out
    assert "  CA      `CN=Acme Mesh Issuing CA 2027` (sent along)\n" in doctor(peergate, pki, "new-chain.pem").out
    assert out.count("29 d 23 h left\n") == 1


def test_every_check_has_its_row(peergate: Peergate, pki: Path) -> None:
    found = rows(doctor(peergate, pki, "leaf.pem").out)
    assert set(found) == {*LEAF_CHECKS, *ENTRY_CHECKS}


def test_the_entry_that_accepts_comes_first(peergate: Peergate, pki: Path) -> None:
    titles = re.findall(r"^Trust entry (.*)$", doctor(peergate, pki, "leaf.pem").out, re.MULTILINE)
    assert titles == ["mesh: accepts it", "partners: refuses it, certificate_untrusted"]
    titles = re.findall(r"^Trust entry (.*)$", doctor(peergate, pki, "old.pem").out, re.MULTILINE)
    assert titles == [
        "partners: would accept it, but for the certificate itself",
        "mesh: refuses it, certificate_untrusted",
    ]


def test_the_list_that_revokes_is_shown_with_its_dates(peergate: Peergate, pki: Path) -> None:
    ended = doctor(peergate, pki, "stolen.pem")
    assert ended.out.startswith("Refused, certificate_revoked: mesh: a CRL lists the certificate or a CA above it.\n")
    words = " ".join(ended.out.split())
    assert "CRL 12 of `CN=Acme Mesh Issuing CA 2026` lists `CN=stolen,O=Acme`: 20" in words
    assert "CRL 4 of `CN=Acme Mesh Root` does not list `CN=Acme Mesh Issuing CA 2026`: 20" in words


def test_a_missing_intermediate_is_named_with_its_fix(peergate: Peergate, pki: Path) -> None:
    ended = doctor(peergate, pki, "new.pem")
    assert ended.code == 1
    assert "  missing  `CN=Acme Mesh Issuing CA 2027`\n" in ended.out
    assert "add it to `intermediates` of mesh" in " ".join(ended.out.split())


@pytest.mark.parametrize("columns", ["40", "80", "120"])
@pytest.mark.parametrize("name", ["leaf.pem", "new.pem", "stolen.pem", "old.pem"])
def test_no_line_ends_in_blanks_and_none_is_wider_than_the_terminal(
    peergate: Peergate, pki: Path, monkeypatch: pytest.MonkeyPatch, columns: str, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = doctor(peergate, pki, name).out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    # What is there to be pasted stays on one line.
    assert [line for line in lines if len(line) > max(int(columns), 80)] == []


def test_a_hostile_name_is_printed_as_text(peergate: Peergate, tmp_path: Path) -> None:
    evil = MESH.issue(subject="CN=[red]\u200btxt,O=[/]", dns=["a.example"])
    (tmp_path / "evil.pem").write_bytes(evil.pem)
    out = peergate("doctor", "--cert", str(tmp_path / "evil.pem")).out
    assert "\u200b" not in out
    assert "  subject    CN=[red]\\E2\\80\\8Btxt,O=[/]\n" in out


# Without a policy.


def test_without_a_policy_only_the_certificate_is_looked_at_and_that_is_said(peergate: Peergate, pki: Path) -> None:
    ended = doctor(peergate, pki, "leaf.pem", policy=False)
    assert ended.code == 0
    assert ended.out.startswith("Nothing is wrong with the certificate itself.\n")
    assert "No policy was asked: its chain, its trust domain, max_lifetime and revocation were not" in ended.out
    assert "Trust entry" not in ended.out


def test_without_a_policy_a_certificate_may_still_be_refused(peergate: Peergate, pki: Path) -> None:
    ended = doctor(peergate, pki, "old.pem", policy=False)
    assert ended.code == 1
    assert ended.out.startswith("Refused, certificate_expired: ")


# What programs see.


def test_json_has_the_verdict_the_certificate_and_every_check(peergate: Peergate, pki: Path) -> None:
    answer = json.loads(doctor(peergate, pki, "stolen.pem", "--format", "json").out)
    assert (answer["verdict"], answer["reason"], answer["trust"]) == ("refused", "certificate_revoked", [])
    assert answer["fix"] == "issue a new certificate for a new key"
    assert (answer["certificate"]["subject"], answer["certificate"]["uri"]) == ("CN=stolen,O=Acme", [BILLING])
    assert [check["check"] for check in answer["checks"]] == list(LEAF_CHECKS)
    mesh, partners = answer["entries"]
    assert (mesh["entry"], mesh["accepts"], mesh["whole"]) == ("mesh", False, True)
    assert [link["from"] for link in mesh["chain"]] == ["leaf", "intermediates", "anchors"]
    assert mesh["checks"][-1]["result"] == "fail"
    assert [(crl["number"], crl["listed"], crl["current"]) for crl in mesh["crls"]] == [
        (12, True, True),
        (4, False, True),
    ]
    assert (partners["reason"], partners["whole"], partners["crls"]) == ("certificate_untrusted", False, [])
    assert len(answer["generation"]) > 8
    assert answer["until"] == answer["certificate"]["not_after"]


def test_json_without_a_policy_has_no_generation_and_no_entries(peergate: Peergate, pki: Path) -> None:
    answer = json.loads(doctor(peergate, pki, "leaf.pem", "--format", "json", policy=False).out)
    assert (answer["verdict"], answer["reason"], answer["generation"], answer["entries"]) == (
        "undecided",
        None,
        None,
        [],
    )


def test_json_of_what_cannot_be_read_has_no_certificate(peergate: Peergate, tmp_path: Path) -> None:
    (tmp_path / "bad.der").write_bytes(b"\x30\x02\x05\x00")
    ended = peergate("doctor", "--cert", str(tmp_path / "bad.der"), "--policy", STARTER, "--format", "json")
    answer = json.loads(ended.out)
    assert (ended.code, answer["certificate"], answer["reason"]) == (1, None, "certificate_malformed")
