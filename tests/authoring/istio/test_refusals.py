"""What an import refuses, in words: nothing is carried over approximately, and nothing is lost without a word."""

import pytest

from tests.authoring.istio.imports import imported, mesh, resource

_HEAD = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
WEB = {"source": {"principals": ["cluster.local/ns/prod/sa/web"]}}


def said(*policies: dict[str, object] | str, workloads: tuple[str, ...] | None = None) -> list[str]:
    told = None if workloads is None else mesh(workloads)
    source = policies[0] if isinstance(policies[0], str) else policies
    return [str(problem) for problem in imported(source, told).problems]  # type: ignore[arg-type]


def rule_of(**parts: object) -> dict[str, object]:
    return resource("a", {"rules": [parts]})


@pytest.mark.parametrize(
    ("rule", "code", "word"),
    [
        ({"to": [{"operation": {"paths": ["/api*"]}}]}, "istio_inexact", "`/api*` also matches `/api2`"),
        ({"to": [{"operation": {"paths": ["*.html"]}}]}, "istio_inexact", "*.html"),
        ({"to": [{"operation": {"methods": ["P*"]}}]}, "istio_inexact", "P*"),
        ({"from": [{"source": {"principals": ["cluster.local/ns/prod/sa/w*"]}}]}, "istio_inexact", "sa/w*"),
        ({"from": [{"source": {"remoteIpBlocks": ["10.0.0.0/8"]}}]}, "istio_unsupported", "remoteIpBlocks"),
        ({"from": [{"source": {"requestPrincipals": ["*"]}}]}, "istio_unsupported", "requestPrincipals"),
        ({"from": [{"source": {"ipBlocks": ["10.0.0.1/8"]}}]}, "istio_inexact", "10.0.0.1/8"),
        ({"when": [{"key": "request.auth.claims[iss]", "values": ["a"]}]}, "istio_unsupported", "request.auth.claims"),
        ({"when": [{"key": "request.headers[x-a]", "values": ["a*"]}]}, "istio_inexact", "whole values"),
        ({"when": [{"key": "request.headers[x-a]", "notValues": ["a"]}]}, "istio_inexact", "absence"),
        ({"when": [{"key": "request.headers[host]", "values": ["a"]}]}, "istio_unsupported", "`host`"),
        ({"when": [{"key": "connection.sni", "notValues": ["a.example"]}]}, "istio_inexact", "server names"),
        ({"when": [{"key": "no.such.key", "values": ["a"]}]}, "istio_invalid", "no.such.key"),
        ({"from": [{"source": {"principalz": ["a"]}}]}, "istio_invalid", "principalz"),
    ],
)
def test_an_allow_that_cannot_be_said_exactly_is_left_out_with_its_reason_and_place(
    rule: dict[str, object], code: str, word: str
) -> None:
    found = imported([rule_of(**rule)])
    assert found.text is not None
    assert "LEFT OUT" in found.text
    assert "allow:" not in found.text
    assert found.left_out == 1
    assert [f"{code}: " in str(problem) and word in str(problem) for problem in found.problems].count(True) == 1
    assert str(found.problems[0]).startswith("mesh.yaml:1:")


def test_a_deny_that_cannot_be_said_exactly_leaves_no_text_at_all() -> None:
    deny = resource("no-api", {"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/api*"]}}]}]})
    allow = resource("web", {"rules": [{"from": [WEB]}]})
    found = imported([deny, allow])
    assert found.text is None
    assert "`/api*` also matches `/api2`" in str(found.problems[0])


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (resource("a", {"action": "CUSTOM", "provider": {"name": "x"}, "rules": [{}]}), "CUSTOM"),
        (resource("a", {"action": "PERMIT", "rules": [{}]}), "PERMIT"),
        (resource("a", {"targetRefs": [{"kind": "Gateway", "name": "g"}], "rules": [{}]}), "targetRefs"),
        (resource("a", {"rulez": [{}]}), "rulez"),
        ({**resource("a", {"rules": [{}]}), "apiVersion": "security.istio.io/v2"}, "security.istio.io/v2"),
        ({**resource("a", {"rules": [{}]}), "metadata": {"name": "a"}}, "metadata.namespace"),
    ],
)
def test_what_no_policy_can_be_made_of_is_refused_as_a_whole(policy: dict[str, object], word: str) -> None:
    found = imported([policy])
    assert found.text is None
    assert any(word in str(problem) for problem in found.problems), found.problems


def test_without_a_host_it_is_said_which_to_name() -> None:
    policy = resource("a", {"selector": {"matchLabels": {"app": "orders"}}, "rules": [{}]})
    (problem,) = said(policy, workloads=())
    assert "name each host: --host HOST=prod,app=orders" in problem


def test_a_host_that_no_policy_applies_to_is_not_opened_silently() -> None:
    found = imported([resource("a", {"rules": [{}]})], mesh(("other.svc=other",)))
    assert found.text is None
    assert "Istio would allow everything there" in str(found.problems[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "a: [",
        "- just a list",
        "apiVersion: v1\nkind: Service\n",
        "kind: AuthorizationPolicy\nkind: AuthorizationPolicy\n",
        "a: &x 1\nb: *x\n",
        "a: " + "[" * 200,
        _HEAD + "metadata: 7\nspec: 7",
        _HEAD + "metadata: {name: a, namespace: b}\nspec: {rules: 7}",
        "kind: List\nitems: {a: b}\n",
    ],
)
def test_hostile_and_broken_files_are_problems_and_never_a_policy(text: str) -> None:
    found = imported(text)
    assert found.text is None
    assert found.problems
    assert all(str(problem).startswith("mesh.yaml") for problem in found.problems)


def test_two_policies_of_one_name_are_refused() -> None:
    policy = resource("a", {"rules": [{}]})
    assert "stands twice" in said(policy, policy)[0]
