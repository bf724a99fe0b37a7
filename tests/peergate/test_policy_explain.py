"""`policy explain` answers one question, in words or as JSON."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from peergate.loading import loaded_policy
from pki.authority import Authority
from policies.authoring.claim import Claim, asserted_from_claim
from policies.engine.evaluate import evaluate
from policies.engine.record import decision_record, line_from_record
from policies.engine.request import UNREPORTED, Request
from tests.peergate.commands import LIBRARY, STARTER, WEB, Peergate

ORDERS = "https://orders.prod.svc/v1/orders"


def test_an_allowed_request_is_0_and_names_the_rule(peergate: Peergate) -> None:
    ended = peergate("policy", "explain", STARTER, "--uri", WEB, "GET", f"{ORDERS}/%41?x=1")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == "Allowed by rule callers-read-orders."
    assert "path        /v1/orders/A\n" in ended.out
    assert "asserted: certificate checks are skipped" in ended.out


def test_a_denied_request_is_1_and_says_why(peergate: Peergate) -> None:
    ended = peergate("policy", "explain", STARTER, "--uri", WEB, "DELETE", ORDERS)
    assert ended.code == 1
    assert ended.out.splitlines()[0] == "Denied: no rule allows web to DELETE orders.prod.svc/v1/orders."


def test_without_any_name_the_caller_has_no_certificate(peergate: Peergate) -> None:
    ended = peergate("policy", "explain", STARTER, "GET", ORDERS)
    assert ended.code == 1
    assert "caller      no certificate\n" in ended.out


@pytest.mark.parametrize("word", ["web", "", "a\nb", "\udcff"])
def test_a_caller_without_an_option_is_2_and_told_every_option_that_names_one_with_an_example(
    peergate: Peergate, word: str
) -> None:
    ended = peergate("policy", "explain", STARTER, word, "PUT", ORDERS)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert set(re.findall(r"--[a-z-]+", ended.err)) == {
        *(
            "--cert",
            "--uri",
            "--dns",
            "--email",
            "--ip-san",
            "--subject",
            "--issuer",
            "--serial",
            "--fingerprint",
            "--pin",
        )
    }
    assert "`peergate policy explain POLICY --uri spiffe://domain/workload GET https://host/path`" in ended.err


def test_the_example_that_names_a_caller_can_be_followed(peergate: Peergate) -> None:
    said = peergate("policy", "explain", STARTER, "web", "PUT", ORDERS).err
    example = re.search("`peergate (.*)`", said)
    assert example
    ended = peergate(*example[1].replace("POLICY", STARTER).split())
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.parametrize(
    ("words", "said", "method"),
    [
        (["web", "PUT"], "the URL is missing: `PUT` is neither https://host/path nor /path; a caller is", "PUT"),
        (["GET", "orders"], "the URL is missing: `orders` is neither", "GET"),
        (["GET", "a\nb"], "the URL is missing: `a\\nb` is neither", "GET"),
        (["PUT"], "the URL is missing, as in ", "PUT"),
        (["web"], "the URL is missing, as in ", "GET"),
        ([], "METHOD and URL are missing, as in ", "GET"),
    ],
)
def test_without_a_url_it_is_2_and_says_what_is_missing_with_a_call_that_can_be_followed(
    peergate: Peergate, words: list[str], said: str, method: str
) -> None:
    ended = peergate("policy", "explain", STARTER, *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err
    example = re.search("`peergate ([^`]*)`", ended.err)
    assert example
    assert f" {method} https://" in example[1]
    assert peergate(*example[1].replace("POLICY", STARTER).split()).err == ""


def test_no_line_ends_in_blanks_and_none_is_wider_than_the_terminal(
    peergate: Peergate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ["--trust", "people", "--email", "linus@ops.acme.example", "--subject", "CN=L,OU=On-Call"]
    at = ["--source", "10.99.0.3", "--at", "2026-03-05T10:00:00Z"]
    path = str(LIBRARY / "break-glass")
    out = peergate("policy", "explain", path, *arguments, *at, "GET", "https://orders.prod.svc/v1/orders/1").out
    assert [line for line in out.splitlines() if line != line.rstrip() or len(line) > 80] == []
    assert "shadow      with shadow rules enforced: denied by rule on-call-needs-approval\n" in out


def test_json_has_verdict_decision_and_matched_rules(peergate: Peergate) -> None:
    ended = peergate("policy", "explain", STARTER, "--uri", WEB, "--format", "json", "GET", ORDERS)
    answer = json.loads(ended.out)
    assert (answer["effect"], answer["reason"], answer["rules"]) == (
        "allow",
        "allowed_by_rule",
        ["callers-read-orders"],
    )
    assert (answer["host"], answer["path"], answer["checks"]) == ("orders.prod.svc", "/v1/orders", "skipped")
    assert answer["matched"][0]["description"] == "Both services read orders."


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A policy whose CA is ours."""
    now = datetime.now(UTC)
    mesh = Authority.root("own root", now=now)
    issuing = mesh.intermediate("own issuing")
    (tmp_path / "root.pem").write_bytes(mesh.pem)
    (tmp_path / "leaf.pem").write_bytes(issuing.issue(uri=[WEB]).chain_pem)
    (tmp_path / "alone.pem").write_bytes(issuing.issue(uri=[WEB]).pem)
    (tmp_path / "policy.yaml").write_text(
        """version: 1
trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal}}
rules:
  - {id: web, allow: {uri: "spiffe://acme.internal/ns/prod/sa/web"}, to: {paths: [/a], headers: {x-env: [prod]}}}
"""
    )
    return tmp_path


def test_a_certificate_is_judged_with_its_chain(peergate: Peergate, own: Path) -> None:
    arguments = ("--header", "X-Env: prod", "GET", "https://h/a")
    ended = peergate("policy", "explain", str(own), "--cert", str(own / "leaf.pem"), *arguments)
    assert ended.code == 0
    assert f"caller      uri {WEB}\n" in ended.out
    assert "asserted" not in ended.out


def test_a_certificate_without_its_chain_is_untrusted(peergate: Peergate, own: Path) -> None:
    ended = peergate("policy", "explain", str(own), "--cert", str(own / "alone.pem"), "GET", "https://h/a")
    assert ended.code == 1
    assert "deny, certificate_untrusted" in ended.out


def test_a_certificate_is_examined_check_by_check(peergate: Peergate, own: Path) -> None:
    ended = peergate("policy", "explain", str(own), "--cert", str(own / "leaf.pem"), "GET", "https://h/b")
    assert ended.out.startswith("Denied: no rule allows this caller")
    assert "\nTrust entry mesh: accepts it\n" in ended.out
    assert "  CA      `CN=own issuing` (sent along)\n" in ended.out
    assert re.search(r"^  chain +pass +leads to the anchor `CN=own root`$", ended.out, re.MULTILINE)


def test_what_to_do_about_a_refused_certificate_is_what_its_checks_say(peergate: Peergate, own: Path) -> None:
    asked = ("policy", "explain", str(own), "--cert", str(own / "alone.pem"))
    out = peergate(*asked, "GET", "https://h/a").out
    assert "next        the issuer `CN=own issuing` is not among anchors and intermediates:" in out
    answer = json.loads(peergate(*asked, "--format", "json", "GET", "https://h/a").out)
    assert answer["next"] == answer["examination"]["fix"]
    assert answer["examination"]["entries"][0]["reason"] == answer["reason"] == "certificate_untrusted"


def test_a_certificate_that_cannot_be_read_is_judged_as_malformed(peergate: Peergate, own: Path) -> None:
    (own / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nMAAK\n-----END CERTIFICATE-----\n")
    ended = peergate("policy", "explain", str(own), "--cert", str(own / "bad.pem"), "GET", "https://h/a")
    assert ended.code == 1
    assert "effect      deny, certificate_malformed\n" in ended.out


def test_without_a_certificate_nothing_is_examined(peergate: Peergate, own: Path) -> None:
    for caller in ([], ["--uri", WEB]):
        ended = peergate("policy", "explain", str(own), *caller, "--format", "json", "GET", "https://h/a")
        assert "examination" not in json.loads(ended.out)


def test_no_time_that_can_be_written_ends_it(peergate: Peergate) -> None:
    assert peergate("policy", "explain", STARTER, "--at", "9999-12-31T23:59:59-14:00", "GET", ORDERS).code == 1


def test_time_is_a_parameter(peergate: Peergate, own: Path) -> None:
    arguments = ("--cert", str(own / "leaf.pem"), "--at", "2040-01-01T00:00:00Z")
    ended = peergate("policy", "explain", str(own), *arguments, "GET", "https://h/a")
    assert "Denied: the certificate has expired" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["GET", "/v1/orders"], "'/v1/orders' has no host; write https://host/path"),
        (["GET", "orders.prod.svc"], "is neither https://host/path nor /path"),
        (["--source", "x", "GET", ORDERS], "--source: not an IP address"),
        (["--at", "noon", "GET", ORDERS], "--at: `noon` is not a moment"),
        (["--uri", "spiffe://NOPE/x", "GET", ORDERS], "--uri: not a SPIFFE ID"),
        (["--dns", "*.x", "GET", ORDERS], "--dns: a certificate with a wildcard is refused"),
        (["--pin", "x", "GET", ORDERS], "--pin: "),
        (["--trust", "gone", "GET", ORDERS], "--trust: the policy has no entry 'gone'; it has mesh"),
        (["--cert", "/nowhere", "GET", ORDERS], "--cert /nowhere: No such file or directory"),
        (["--cert", __file__, "GET", ORDERS], f"--cert {__file__}: "),
        (["--cert", "/nowhere", "--uri", WEB, "GET", ORDERS], "use either"),
        (["--header", "x-env", "GET", ORDERS], "--header 'x-env' is not `Name: value`"),
        (["--uri", "billing", "GET", ORDERS], "--uri 'billing' is no URI; write the caller's URI SAN"),
    ],
)
def test_a_question_that_makes_no_sense_is_2_and_names_the_flag(
    peergate: Peergate, arguments: list[str], said: str
) -> None:
    ended = peergate("policy", "explain", STARTER, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_a_policy_with_problems_answers_nothing(peergate: Peergate, own: Path) -> None:
    (own / "policy.yaml").write_text("version: 1\nrules: []\n")
    ended = peergate("policy", "explain", str(own), "GET", "https://h/a")
    assert (ended.code, ended.out) == (1, "")
    assert "value_empty" in ended.err


def test_a_hostile_path_is_printed_as_text(peergate: Peergate) -> None:
    out = peergate("policy", "explain", STARTER, "GET", "https://orders.prod.svc/\x1b[2J[red]").out
    assert "\x1b" not in out
    assert "/\\x1b[2J[red]" in out


NOW = 1_790_000_000.0
WEB_POSTS = ("policy", "explain", STARTER, "--uri", WEB, "POST", "https://orders.prod.svc/v1/orders/17")


def test_the_nearest_rule_and_what_the_others_lack_are_shown(peergate: Peergate) -> None:
    out = peergate(*WEB_POSTS).out
    assert "nearest     rule callers-read-orders would match if the method were `GET` or `HEAD`\n" in out
    assert out.endswith(
        "Rules about this caller or this route that did not match:\n"
        "  allow callers-read-orders   the method is not `GET` or `HEAD`\n"
        "  allow admin-changes-orders  the caller is not `admin`\n"
    )


def test_json_has_what_each_rule_lacks(peergate: Peergate) -> None:
    answer = json.loads(peergate(*WEB_POSTS, "--format", "json").out)
    assert answer["nearest"] == answer["unmatched"][0]
    assert answer["nearest"]["missing"] == [{"what": "method", "wanted": "`GET` or `HEAD`", "known": True}]
    assert answer["unmatched_left_out"] == 0


PROBES = ("policy", "explain", str(LIBRARY / "health-checks"), "GET", "https://orders.prod.svc/healthz")


def test_a_source_address_that_a_rule_asks_for_is_told_to_be_missing_with_its_flag(peergate: Peergate) -> None:
    out = peergate(*PROBES).out
    assert "next        give --source IP: a fact that a rule asks for was not known here (source address)" in out
    assert re.search(r"  allow \S+ +the source address is unknown; it has to be in \d", out)


def test_a_source_address_that_was_given_is_not_asked_for(peergate: Peergate) -> None:
    out = peergate(*PROBES, "--source", "203.0.113.9").out
    assert "--source" not in out
    assert re.search(r"  allow \S+ +the source address is not in \d", out)


def test_a_server_name_that_a_rule_asks_for_is_told_to_be_missing_with_its_flag(peergate: Peergate, own: Path) -> None:
    policy = own / "policy.yaml"
    policy.write_text(policy.read_text().replace(", to: {", ", when: {sni: h}, to: {"))
    asked = ("policy", "explain", str(own), "--uri", WEB, "--header", "x-env: prod", "GET", "https://h/a")
    assert "next        give --sni NAME: " in peergate(*asked).out
    assert "--sni" not in peergate(*asked, "--sni", "other.example").out


@pytest.fixture
def log(tmp_path: Path) -> str:
    """A log whose last line is cut off, with one denied request of the web service."""
    loaded = loaded_policy(STARTER)
    assert loaded.policy is not None
    request = Request(
        peer=asserted_from_claim(Claim(uri=(WEB,)), loaded.policy.trust),
        method="POST",
        target="/v1/orders/17",
        host="orders.prod.svc",
        headers={},
        seen_headers=None,
        source_ip=None,
        sni=UNREPORTED,
        time=NOW,
    )
    decision = evaluate(loaded.policy, request)
    record = decision_record(
        decision, request, decision_id="0badcafe", enforcement="extauth", time=NOW, latency=0.001, labels={}
    )
    path = tmp_path / "decisions.jsonl"
    path.write_text(f'no json 0badcafe\n{line_from_record(record)}\n{{"decision_id":"0badcafe')
    return str(path)


def test_a_recorded_decision_is_explained(peergate: Peergate, log: str) -> None:
    ended = peergate("policy", "explain", STARTER, "--decision", "0badcafe", "--log", log)
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.startswith("Denied: no rule allows web to POST orders.prod.svc/v1/orders/17.\n")
    assert "nearest     rule callers-read-orders" in ended.out


def test_a_record_of_another_generation_is_said(peergate: Peergate, log: str) -> None:
    text = Path(log).read_text()
    Path(log).write_text(re.sub(r'"generation":"[0-9a-f]{16}"', '"generation":"0123456789abcdef"', text))
    ended = peergate("policy", "explain", STARTER, "--decision", "0badcafe", "--log", log)
    assert ended.err.startswith("recorded under generation 0123456789abcdef, judged under ")


def test_a_decision_that_the_log_does_not_have_is_a_wrong_command_line(peergate: Peergate, log: str) -> None:
    ended = peergate("policy", "explain", STARTER, "--decision", "cafe", "--log", log)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"peergate: {log!r} has no record of the decision 'cafe'\n"


@pytest.mark.parametrize(
    "arguments", [[], ["GET"], ["--decision", "x"], ["--log", "x"], ["--decision", "x", "--log", "y", "--uri", WEB]]
)
def test_half_a_question_is_a_wrong_command_line(peergate: Peergate, arguments: list[str]) -> None:
    ended = peergate("policy", "explain", STARTER, *arguments)
    assert ended.code == 2
    assert "--decision ID" in ended.err
