"""A file of tests loads whole or not at all, and every problem has its place."""

from datetime import timedelta

import pytest

from peergate.stand_ins import StandIns
from policies.authoring.suite import Case, suite_from_bytes
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED
from policies.language.problem import Problem
from policies.peer.presented import NO_CERTIFICATE, AssertedIdentity, PresentedCertificate
from tests.authoring.policies import MESH, NOW, SURROUNDINGS, Memory, policy_from_text

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
LEAF = MESH.intermediate("issuing").issue(uri=[BILLING])
FILES = Memory({**SURROUNDINGS.files, "billing.pem": LEAF.chain_pem, "text.pem": b"no certificate"})


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return policy_from_text()


def cases(policy: PolicySet, text: str) -> tuple[Case, ...]:
    maker = StandIns(policy.trust)
    suite, problems = suite_from_bytes("a.test.yaml", text.encode(), policy, FILES, maker, NOW.timestamp())
    assert problems == ()
    assert suite is not None
    return suite.cases


def problems(policy: PolicySet, text: str) -> tuple[Problem, ...]:
    maker = StandIns(policy.trust)
    suite, found = suite_from_bytes("a.test.yaml", text.encode(), policy, FILES, maker, NOW.timestamp())
    assert suite is None
    return found


ONE = """version: 1
tests:
  - {name: a claim, as: unauthenticated, request: GET https://h/p, expect: deny}
"""


def one(policy: PolicySet, test: str, head: str = "") -> Case:
    (case,) = cases(policy, f"version: 1\n{head}\ntests:\n  - {test}\n")
    return case


def test_a_case_has_the_name_and_the_place_of_its_test(policy: PolicySet) -> None:
    (case,) = cases(policy, ONE)
    assert (case.test, str(case.at.file), case.at.line, case.at.column) == ("a claim", "a.test.yaml", 3, 5)
    assert (case.caller, case.line) == ("unauthenticated", "GET h/p")


def test_a_test_is_a_table_of_callers_and_requests(policy: PolicySet) -> None:
    head = f"callers: {{b: {{uri: '{BILLING}'}}}}"
    test = "{as: [b, unauthenticated], request: [GET https://h/1, POST https://h/2], expect: deny}"
    found = cases(policy, f"version: 1\n{head}\ntests: [{test}]")
    assert [(case.caller, case.line) for case in found] == [
        ("b", "GET h/1"),
        ("b", "POST h/2"),
        ("unauthenticated", "GET h/1"),
        ("unauthenticated", "POST h/2"),
    ]


def test_an_identity_is_asserted(policy: PolicySet) -> None:
    case = one(policy, f"{{as: {{uri: '{BILLING}'}}, request: GET https://h/p, expect: deny}}")
    assert isinstance(case.request.peer, AssertedIdentity)
    assert (case.caller, case.request.peer.trust) == (BILLING, frozenset({"mesh"}))


def test_a_certificate_file_is_judged_in_full(policy: PolicySet) -> None:
    case = one(policy, "{as: {certificate: billing.pem}, request: GET https://h/p, expect: deny}")
    assert isinstance(case.request.peer, PresentedCertificate)
    assert (case.request.peer.leaf.der, len(case.request.peer.intermediates)) == (LEAF.der, 1)


def test_a_named_caller_may_be_unauthenticated(policy: PolicySet) -> None:
    case = one(policy, "{as: probe, request: GET https://h/p, expect: deny}", "callers: {probe: unauthenticated}")
    assert (case.caller, case.request.peer) == ("probe", NO_CERTIFICATE)


def test_what_nothing_says_is_unknown_and_the_time_is_now(policy: PolicySet) -> None:
    request = one(policy, "{as: unauthenticated, request: GET https://h/p, expect: deny}").request
    assert (request.source_ip, request.sni, request.headers) == (None, UNREPORTED, {})
    assert (request.seen_headers, request.time) == (None, NOW.timestamp())


def test_a_request_overrules_its_test_and_a_test_the_defaults(policy: PolicySet) -> None:
    head = "defaults: {host: d, path: /d, method: GET, source_ip: 10.0.0.1, sni: d, time: 2026-01-01T00:00:00Z}"
    test = "{as: unauthenticated, host: t, source_ip: 10.0.0.2, request: {source_ip: 10.0.0.3, sni: ''}, expect: deny}"
    case = one(policy, test, head)
    assert case.line == "GET t/d"
    assert (str(case.request.source_ip), case.request.sni) == ("10.0.0.3", None)
    assert case.request.time == (NOW - timedelta(days=62, hours=12)).timestamp()


def test_headers_are_merged_name_by_name(policy: PolicySet) -> None:
    head = "defaults: {headers: {X-A: [one, two], x-b: d}}"
    request = "{method: GET, url: https://h/, headers: {X-B: r}}"
    test = f"{{as: unauthenticated, headers: {{x-c: t}}, request: {request}, expect: deny}}"
    assert one(policy, test, head).request.headers == {"x-a": ("one", "two"), "x-b": ("r",), "x-c": ("t",)}


def test_grpc_is_a_post_to_the_method_with_the_content_type(policy: PolicySet) -> None:
    request = one(policy, "{as: unauthenticated, host: h, request: {grpc: a.B/C}, expect: deny}").request
    assert (request.method, request.target, request.headers) == (
        "POST",
        "/a.B/C",
        {"content-type": ("application/grpc",)},
    )


def test_a_path_stays_as_written(policy: PolicySet) -> None:
    case = one(policy, '{as: unauthenticated, host: h, request: "GET /a/../b%2f;x y?q", expect: deny}')
    assert case.request.target == "/a/../b%2f;x y?q"


def test_epoch_zero_is_a_time(policy: PolicySet) -> None:
    case = one(policy, "{as: unauthenticated, time: 1970-01-01T00:00:00Z, request: GET https://h/, expect: deny}")
    assert case.request.time == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.test.yaml:0:0: file_empty"),
        ("version: 1", "a.test.yaml:1:1: key_missing"),
        ("tests: [{as: a}]", "a.test.yaml:1:1: key_missing"),
        ("version: 1\ntests: []", "2:8: value_empty"),
        (ONE.replace("1", "2", 1), "1:10: version_unknown"),
        (f"{ONE}callers: {{a: nobody}}", "4:14: value_invalid"),
        (f"{ONE}callers: {{anyone: unauthenticated}}", "4:11: name_reserved"),
        (f"{ONE}rules: []", "rules stand in the policy"),
        (f"{ONE}defaults: {{url: /}}", "4:12: key_unknown"),
    ],
)
def test_a_problem_of_the_file_is_reported_where_it_stands(policy: PolicySet, text: str, expected: str) -> None:
    assert expected in "\n".join(map(str, problems(policy, text)))


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("az: nobody", "3:6: key_unknown: `az` is not a key of a test (did you mean `as`?)"),
        ("as: nobody", "3:10: name_unknown: there is no caller named `nobody`"),
        ("as: []", "3:10: value_empty"),
        ("as: &a unauthenticated", "3:10: anchor"),
        ("as: {dns: a.example}", "must say which trust entry"),
        ("as: {trust: mash, dns: a.example}", "3:18: name_unknown: the policy has no trust entry named `mash`"),
        ("as: {trust: mesh, dns: [a.example, '*.x']}", "3:41: value_invalid: `dns`: a certificate with a wildcard"),
        ("as: {trust: mesh, ip: 10.0.0.1}", "`ip_san` is an address in the certificate"),
        ("as: {certificate: no.pem}", "3:24: file_unreadable"),
        ("as: {certificate: text.pem}", "3:24: certificate_invalid"),
        ("as: {certificate: billing.pem, dns: a.b}", "3:24: keys_conflict"),
        ("request: GET /p", "3:15: value_invalid: the request names no host"),
        ("request: /p", "3:15: value_invalid: `/p` is no request"),
        ("request: GET h/p", "3:15: value_invalid: `GET h/p` is no request"),
        ("request: {path: /p, host: h}", "the request names no method"),
        ("request: {method: GET, host: h}", "the request names no path"),
        ("request: {method: GET, url: 'https://h/', path: /}", "3:15: keys_conflict: `url` already says `path`"),
        ("request: {grpc: a/b, method: GET, host: h}", "3:15: keys_conflict: `grpc` already says `method`"),
        ("request: get https://h/p", "3:15: value_invalid: `get` is no method: methods are written in capitals"),
        ("request: Get https://h/p", "(write GET, or expect `deny because request_malformed`)"),
        ("request: {method: get, url: 'https://h/'}", "3:24: value_invalid: `get` is no method"),
        ("source_ip: x", "3:17: value_invalid: `source_ip`: not an IP address"),
        ("time: noon", "3:12: value_invalid: `time`: `noon` is not a moment"),
        ("expect: maybe", "3:14: value_invalid: `maybe` is no expectation"),
        ("expect: allow by nobody", "3:14: name_unknown: the policy has no rule `nobody`"),
    ],
)
def test_a_problem_of_a_test_is_reported_where_it_stands(policy: PolicySet, test: str, expected: str) -> None:
    key = test.partition(":")[0]
    others = {"as": "unauthenticated", "request": "GET https://h/", "expect": "deny"}
    rest = ", ".join(f"{name}: {value}" for name, value in others.items() if name != key)
    text = f"version: 1\ntests:\n  - {{{test}, {rest}}}\n"
    assert expected in "\n".join(map(str, problems(policy, text)))


def test_a_method_with_small_letters_is_one_problem_wherever_it_is_said(policy: PolicySet) -> None:
    text = """version: 1
defaults: {method: delete}
tests:
  - {as: unauthenticated, request: {url: https://h/}, expect: deny}
"""
    (problem,) = problems(policy, text)
    assert "a.test.yaml:2:20: value_invalid: `delete` is no method" in str(problem)


@pytest.mark.parametrize("expected", ["deny", "allow", "deny because no_matching_rule"])
def test_only_a_test_of_malformed_requests_may_have_one(policy: PolicySet, expected: str) -> None:
    test = "{as: unauthenticated, request: get https://h/p, expect: %s}"
    assert "`get` is no method" in str(problems(policy, f"version: 1\ntests:\n  - {test % expected}\n"))
    case = one(policy, test % "deny because request_malformed")
    assert case.expected.is_met_by(evaluate(policy, case.request))


def test_all_problems_are_reported_at_once_and_sorted(policy: PolicySet) -> None:
    text = """version: 1
tests:
  - {as: nobody, request: GET https://h/, expect: perhaps}
  - {as: unauthenticated, request: [/x, GET y], expect: deny}
"""
    found = problems(policy, text)
    assert [(problem.at.line, str(problem.code)) for problem in found] == [
        (3, "name_unknown"),
        (3, "value_invalid"),
        (4, "value_invalid"),
        (4, "value_invalid"),
    ]
    assert list(found) == sorted(found)


def test_a_table_too_large_to_run_is_refused(policy: PolicySet) -> None:
    many = ", ".join(["unauthenticated"] * 400)
    lines = ", ".join(["GET https://h/"] * 400)
    found = problems(policy, f"version: 1\ntests: [{{as: [{many}], request: [{lines}], expect: deny}}]")
    assert [str(problem.code) for problem in found] == ["too_many_values"]
