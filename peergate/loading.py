"""The policy that a command is about: read, compiled, or refused with all its problems."""

from dataclasses import dataclass
from pathlib import Path

from peergate.console import stderr, styled
from peergate.errors import ArgumentError
from peergate.reports.problems import problem_text
from policies.engine.policy_set import PolicySet
from policies.language.problem import Problem
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicyReading, PolicySource


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy, or its problems (sorted) and None; `source` and `reading` are where it came from."""

    policy: PolicySet | None
    problems: tuple[Problem, ...]
    source: PolicySource
    reading: PolicyReading


def loaded_policy(path: str) -> LoadedPolicy:
    """Read and compile the policy at `path`. Raises ArgumentError if there is nothing."""
    _check_there(path)
    source = PolicySource(path)
    reading = source.reading()
    loaded = loaded_from_reading(reading)
    return LoadedPolicy(loaded.policy, loaded.problems, source, reading)


def print_unusable(loaded: LoadedPolicy, name: str | None = None) -> None:
    """Say on standard error why a command that needs a good policy has none; `name`: what the user calls it."""
    console = stderr()
    for problem in loaded.problems:
        console.print(problem_text(problem), soft_wrap=True)
    console.print(
        styled(f"{name or loaded.source.path}: the policy has problems, so it decides nothing"), soft_wrap=True
    )


def _check_there(path: str) -> None:
    try:
        there = path != "" and Path(path).exists()
    except (OSError, ValueError) as error:
        raise ArgumentError(f"{path!r} cannot be looked at: {error}") from None
    if not there:
        raise ArgumentError(f"{path!r} does not exist; name a policy file or folder")
