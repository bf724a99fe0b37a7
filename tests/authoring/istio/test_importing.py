"""What an import refuses, leaves out, and is not upset by."""

import pytest

from tests.authoring.istio.imports import imported, loaded, mesh, resource

HEAD = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
WEB = {"source": {"principals": ["cluster.local/ns/prod/sa/web"]}}


def test_a_rule_that_allows_and_cannot_be_carried_over_is_left_out_and_the_text_says_so() -> None:
    rules = [{"from": [WEB]}, {"to": [{"operation": {"paths": ["/api*"]}}]}]
    made = imported([resource("orders", {"rules": rules})])
    assert made.text is not None
    assert (made.left_out, [str(problem.code) for problem in made.problems]) == (1, ["istio_inexact"])
    assert "# LEFT OUT: Istio allows this, and here it is denied. AuthorizationPolicy prod/orders" in made.text
    assert 'list both: ["/api", "/api/*"]' in made.problems[0].hint
    assert [rule.id for rule in loaded(made.text).rules] == ["prod.orders.1"]


def test_a_rule_that_denies_and_cannot_be_carried_over_leaves_no_text() -> None:
    rules = [{"to": [{"operation": {"paths": ["/api*"]}}]}]
    made = imported([resource("a", {"rules": [{}]}), resource("b", {"action": "DENY", "rules": rules})])
    assert made.text is None
    assert len(made.problems) == 1


def test_a_policy_that_allows_nothing_denies_everything() -> None:
    made = imported([resource("nothing", {})])
    assert made.text is not None
    assert [rule.id for rule in loaded(made.text).rules] == ["nothing-is-allowed"]


def test_an_excluded_method_is_a_deny_only_where_no_other_rule_allows_it() -> None:
    but_post = {"to": [{"operation": {"notMethods": ["POST"]}}]}
    made = imported([resource("a", {"rules": [but_post, {"to": [{"operation": {"methods": ["GET"]}}]}]})])
    assert made.text is not None
    assert [rule.id for rule in loaded(made.text).rules] == ["prod.a.1", "prod.a.1-except", "prod.a.2"]
    refused = imported([resource("a", {"rules": [but_post, {"to": [{"operation": {"methods": ["POST"]}}]}]})])
    assert refused.left_out == 1
    assert "a deny beside it would also hit what another rule allows" in refused.problems[0].message


def test_without_a_host_the_import_says_how_to_name_those_of_each_policy() -> None:
    spec = {"selector": {"matchLabels": {"app": "orders"}}, "rules": [{}]}
    made = imported([resource("a", spec)], mesh([]))
    assert made.text is None
    assert made.problems[0].hint == "name each host: --host HOST=prod,app=orders"


def test_a_workload_that_no_policy_decides_about_is_refused_as_istio_would_allow_everything() -> None:
    made = imported([resource("a", {"rules": [{}]})], mesh(["orders.test.svc=test"]))
    assert made.text is None
    assert "Istio would allow everything there" in made.problems[0].message


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"action": "CUSTOM", "provider": {"name": "x"}, "rules": [{}]}, "has the action CUSTOM"),
        ({"targetRefs": [{"kind": "Gateway", "name": "g"}], "rules": [{}]}, "`targetRefs` names a gateway"),
        ({"rules": [{"from": [{"source": {"requestPrincipals": ["*"]}}]}]}, "`requestPrincipals` has no counterpart"),
        (
            {"rules": [{"from": [{"source": {"remoteIpBlocks": ["10.0.0.0/8"]}}]}]},
            "`remoteIpBlocks` has no counterpart",
        ),
        ({"rules": [{"to": [{"operation": {"ports": ["80"]}}]}]}, "port 80 is nothing that peergate is told"),
        ({"rules": [{"when": [{"key": "request.auth.claims[iss]", "values": ["x"]}]}]}, "has no counterpart"),
        ({"rules": [{"when": [{"key": "request.headers[x]", "notValues": ["y"]}]}]}, "not for its absence"),
        ({"rules": [{"to": [{"operation": {"hosts": ["orders.prod.svc"]}}]}]}, "which peergate never does"),
        ({"rules": [{"to": [{"operation": {"paths": ["*.html"]}}]}]}, "is a suffix at any depth"),
        ({"rules": [{"to": [{"operation": {"paths": ["/a/%62"]}}]}]}, "has the segment `%62`"),
        (
            {"rules": [{"from": [{"source": {"principals": ["spiffe://cluster.local/ns/a/sa/b"]}}]}]},
            "have no spiffe://",
        ),
        ({"rules": [{"from": [{"source": {"principal": ["x"]}}]}]}, "has no field `principal`"),
        ({"rules": [{"from": []}]}, "`from` takes a list that is not empty"),
    ],
)
def test_what_is_refused_is_named(spec: dict[str, object], said: str) -> None:
    made = imported([resource("a", spec)])
    assert any(said in problem.message for problem in made.problems), made.problems
    assert all(problem.at.file == "mesh.yaml" for problem in made.problems)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\x01\x02",
        "a: [",
        "[" * 5000,
        "a: &x [1]\nb: *x\n",
        "kind: a\nkind: b\n",
        "- 1\n",
        "kind: List\nitems: 5\n",
        "kind: AuthorizationPolicy\n",
        f"{HEAD}metadata: []\nspec: []\n",
        f"{HEAD}metadata: {{name: a, namespace: b}}\nspec: {{rules: {{a: b}}}}\n",
        "%YAML 1.1\n---\na: b\n",
        "---\n" * 20_000,
        "kind: Deployment\n",
    ],
)
def test_a_hostile_file_gives_problems_and_no_text(text: str) -> None:
    made = imported(text)
    assert made.text is None
    assert made.problems
