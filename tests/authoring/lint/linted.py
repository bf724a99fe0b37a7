"""Policies for the tests of the linter, and what is found in them."""

from policies.authoring.lint.finding import Finding
from policies.authoring.lint.linting import findings_from_policy
from policies.language.load import load_policy
from tests.authoring.policies import NOW, SURROUNDINGS, Memory

HEAD = """version: 1
trust:
  mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal}
"""
MESH_ID = "spiffe://acme.internal/ns/prod/sa"


def findings(
    text: str, *, head: str = HEAD, now: float = NOW.timestamp(), surroundings: Memory = SURROUNDINGS
) -> list[Finding]:
    """What the linter says about `head` and `text`."""
    files = {"policy.yaml": (head + text).encode()}
    loaded = load_policy(files, surroundings)
    if loaded.policy is None:
        raise AssertionError("\n".join(map(str, loaded.problems)))
    return list(findings_from_policy(loaded.policy, files, now))


def codes(text: str, *, head: str = HEAD) -> list[str]:
    """The codes of what is found, by place."""
    return [str(finding.code) for finding in findings(text, head=head)]
