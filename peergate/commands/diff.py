"""`peergate policy diff`: what one of two policies allows and the other does not."""

from dataclasses import dataclass, replace
from pathlib import Path
from time import time

from peergate.exit_code import ExitCode
from peergate.formats import DiffFailOn, DiffFormat
from peergate.loading import LoadedPolicy, loaded_policy, print_unusable
from peergate.reports.diff import Compared, json_from_difference, print_difference
from peergate.reports.diff_markdown import markdown_from_difference
from peergate.revision import checked_out
from policies.authoring.diff.comparison import Comparison
from policies.authoring.diff.findings import Difference, difference


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two: as the user names it, and as it was loaded."""

    name: str
    loaded: LoadedPolicy


def diff(old: str, new: str, form: DiffFormat, fail_on: DiffFailOn | None) -> ExitCode:
    """Compare the policies at `old` and `new`, paths or git revisions, and print what differs."""
    before, after = _loaded(old, new), _loaded(new, old)
    if before.loaded.policy is None or after.loaded.policy is None:
        for side in (before, after):
            if side.loaded.policy is None:
                print_unusable(side.loaded, side.name)
        return ExitCode.NO
    comparison = Comparison(before.loaded.policy, after.loaded.policy, float(int(time())))
    tried = next((argument for argument in (new, old) if _exists(argument)), "POLICY")
    compared = Compared(old, new, tried, comparison, difference(comparison))
    if form is DiffFormat.TEXT:
        print_difference(compared)
    elif form is DiffFormat.JSON:
        print(json_from_difference(compared))
    else:
        print(markdown_from_difference(compared), end="")
    return ExitCode.NO if _fails(compared.difference, fail_on) else ExitCode.FINE


def _fails(found: Difference, fail_on: DiffFailOn | None) -> bool:
    return found.may_widen if fail_on is DiffFailOn.WIDEN else not found.is_empty


def _loaded(argument: str, other: str) -> _Side:
    if _exists(argument):
        return _Side(argument, loaded_policy(argument))
    with checked_out(argument, other if _exists(other) else ".") as (policy, root):
        loaded = loaded_policy(str(policy))
    revision = argument.partition(":")[0]
    problems = tuple(
        replace(problem, at=replace(problem.at, file=problem.at.file.replace(f"{root}/", f"{revision}:", 1)))
        for problem in loaded.problems
    )
    return _Side(argument, replace(loaded, problems=problems))


def _exists(argument: str) -> bool:
    try:
        return argument != "" and Path(argument).exists()
    except (OSError, ValueError):
        return False
