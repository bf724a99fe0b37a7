"""Policies on disk, compiled."""

from pathlib import Path

from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from runtime.policy_source import PolicySource


def loaded(folder: Path) -> PolicySet:
    """The policy of a folder."""
    reading = PolicySource(str(folder)).reading()
    found = load_policy(reading.files, reading)
    assert found.policy is not None, [str(problem) for problem in (*reading.problems, *found.problems)]
    return found.policy
