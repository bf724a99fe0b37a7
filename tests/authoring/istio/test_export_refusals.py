"""What an export refuses beside the golden cases, and that nothing hostile gets out of its place."""

import json

import pytest
import yaml

from policies.authoring.istio.exporting.limits import MAX_COMBINATIONS
from tests.authoring.istio.exports import DOMAIN, HEAD, WORKLOADS, export

ALL = "rules: [{id: all, allow: authenticated, to: {hosts: [orders.prod.svc]}}]\n"


def with_trust(more: str) -> str:
    return HEAD.replace(f"spiffe_trust_domain: {DOMAIN}", f"spiffe_trust_domain: {DOMAIN}, {more}") + ALL


def test_revocation_that_the_mesh_does_not_know_is_refused_at_its_place() -> None:
    (said,) = export(with_trust("crls: [mesh.crl]")).said
    assert said.startswith("policy.yaml:3:")
    assert "do not look at the `crls` of a policy" in said


@pytest.mark.parametrize(
    "more", ["crls: [mesh.crl], revocation: off", "min_rsa_bits: 2048", "intermediates: [other.pem]"]
)
def test_a_setting_that_asks_for_no_more_than_the_mesh_does_is_no_hindrance(more: str) -> None:
    assert export(with_trust(more)).text is not None


def test_callers_that_come_down_to_too_many_combinations_are_refused() -> None:
    def but(name: str) -> dict[str, object]:
        return {"not": {"uri": f"spiffe://{DOMAIN}/ns/n/sa/{name}"}}

    def said(pairs: int) -> list[str]:
        both = json.dumps({"all": [{"any": [but(f"a{each}"), but(f"b{each}")]} for each in range(pairs)]})
        return export(f"{HEAD}rules: [{{id: a, deny: {both}, to: any}}]\n", WORKLOADS[:1]).said

    assert said(10) == []
    assert f"more than {MAX_COMBINATIONS} combinations" in said(11)[0]


def test_a_long_list_of_callers_and_what_is_not_in_it_are_exported_soon() -> None:
    uris = [f"spiffe://{DOMAIN}/ns/n/sa/a{each}" for each in range(3000)]
    identities = json.dumps({"listed": {"uri": uris}, "others": {"not": "listed"}})
    rules = "[{id: a, allow: listed, to: {paths: [/a]}}, {id: b, deny: others, to: {paths: [/b]}}]"
    made = export(f"{HEAD}identities: {identities}\nrules: {rules}\n", ("orders.prod.svc=prod",))
    denied, allowed = (each["spec"]["rules"][0]["from"][0]["source"] for each in made.resources("AuthorizationPolicy"))
    assert len(allowed["principals"]) == len(denied["notPrincipals"]) == len(uris)


def test_every_reason_is_told_once_however_often_it_holds() -> None:
    rule = "{id: a, allow: {dns: x}, to: {hosts: [orders.prod.svc], paths: [/a=b, /a=b/c]}}"
    said = export(f"{HEAD}rules: [{rule}]\n").said
    assert len(said) == len(set(said)) == 2


@pytest.mark.parametrize("text", ["a\\nkind: Secret", "a\\n---\\nkind: Secret", "# {}", "{x}"])
def test_a_description_stays_a_comment(text: str) -> None:
    rule = f'{{id: a, description: "{text}", allow: authenticated, to: {{hosts: [orders.prod.svc], methods: [GET]}}}}'
    plain = export(f"{HEAD}rules: [{rule}]\n".replace(f'description: "{text}", ', ""))
    assert export(f"{HEAD}rules: [{rule}]\n").documents == plain.documents


@pytest.mark.parametrize("host", ["no.prod.svc", "true", "1.2.3.4", "1e3", "a_b.prod.svc"])
def test_names_that_yaml_reads_as_something_else_stay_text(host: str) -> None:
    route = f'{{hosts: ["{host}"], methods: ["NO"], headers: {{x-a: ["1.10", "yes"]}}}}'
    made = export(f"{HEAD}rules: [{{id: a, allow: authenticated, to: {route}}}]\n", (f"{host}=prod,y=on,v=1e3",))
    assert made.text is not None
    assert "matchLabels: {'v': '1e3', 'y': 'on'}" in made.text
    (policy,) = made.resources("AuthorizationPolicy")
    assert policy["spec"]["selector"] == {"matchLabels": {"y": "on", "v": "1e3"}}
    (written,) = policy["spec"]["rules"]
    assert written["to"] == [{"operation": {"hosts": [host, f"{host}:*"], "methods": ["NO"]}}]
    assert written["when"] == [{"key": "request.headers[x-a]", "values": ["1.10", "yes"]}]


def test_equal_policies_give_equal_text_whatever_their_order() -> None:
    rules = [
        "{id: b, allow: authenticated, to: {hosts: [orders.prod.svc], methods: [PUT, GET]}}",
        "{id: a, deny: anyone, to: {paths: [/x]}}",
    ]
    one, other = (export(f"{HEAD}rules: [{', '.join(order)}]\n") for order in (rules, rules[::-1]))
    assert one.text == other.text


def test_every_document_is_a_resource_of_its_own() -> None:
    made = export(f"{HEAD}{ALL}")
    assert made.text is not None
    names = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(made.text) if each]
    assert len(names) == len(set(names)) == 2 * 3


@pytest.mark.parametrize(
    "rules", ["{id: a, deny: anyone, to: any}", "{id: a, allow: authenticated, to: {methods: [GET]}}"]
)
def test_pods_without_labels_are_all_of_the_namespace(rules: str) -> None:
    made = export(f"{HEAD}rules: [{rules}]\n", ("orders.prod.svc=prod",))
    for resource in made.documents:
        assert resource["metadata"]["namespace"] == "prod"
        assert not {"selector", "workloadSelector"} & set(resource["spec"])
