"""What was exported is imported again, and the two policies are proved to decide every request alike."""

import pytest

from policies.authoring.diff.comparison import Comparison
from policies.authoring.diff.findings import difference
from policies.authoring.istio.importing import imported_from_files
from policies.authoring.istio.mesh import Mesh
from policies.authoring.istio.workload import Workload
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from tests.authoring.istio.exports import DOMAIN, HEAD, WORKLOADS, anchor, export
from tests.authoring.istio.test_export_golden import CASES, FOLDER
from tests.engine.callers import NOW, NoFiles

#: Both directions are about callers whose names have the form that Istio requires; the import says so by such a rule.
FORM = "only-istio-workloads"
ONLY_WORKLOADS = f"""
  - id: {FORM}
    deny: {{all: [authenticated, {{not: {{uri: "spiffe://{DOMAIN}/ns/*/sa/*"}}}}]}}
    to: any
"""
#: gRPC is told by the beginning of a header, and an import knows whole values only. The others allow something under
#: hosts that are not named.
ONE_WAY = {"grpc", "hosts", "nothing-allowed"}
BOTH_WAYS = [name for name in CASES if not name.startswith("refused") and name not in ONE_WAY]


def loaded(text: str) -> PolicySet:
    """The policy of a text, for callers of the form only."""
    text = text if FORM in text else text + ONLY_WORKLOADS
    found = load_policy({"policy.yaml": text.encode()}, NoFiles({"mesh.pem": anchor()}))
    assert found.policy is not None, found.problems
    return found.policy


def again(text: str) -> PolicySet:
    """The policy that comes of exporting and importing a text."""
    made = export(text, WORKLOADS[:1])
    assert made.text is not None, made.said
    mesh = Mesh(tuple(map(Workload.parse, WORKLOADS[:1])), DOMAIN, anchors="mesh.pem")
    imported = imported_from_files({"istio.yaml": made.text.encode()}, mesh)
    assert imported.text is not None, imported.problems
    assert not imported.left_out, imported.problems
    return loaded(imported.text)


def differs(old: PolicySet, new: PolicySet) -> bool:
    return not difference(Comparison(old, new, NOW)).is_empty


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_an_export_that_is_imported_decides_every_request_as_before(name: str) -> None:
    text = (FOLDER / f"{name}.in.yaml").read_text(encoding="utf-8")
    assert not differs(loaded(text), again(text))


def test_the_comparison_would_see_a_difference() -> None:
    one = f'{HEAD}rules:\n  - {{id: a, allow: authenticated, to: {{hosts: [orders.prod.svc], paths: ["/a/**"]}}}}\n'
    assert not differs(loaded(one), again(one))
    assert differs(loaded(one), again(one.replace("/a/**", "/a/*")))
    assert differs(loaded(one), again(one.replace("authenticated", "unauthenticated")))
