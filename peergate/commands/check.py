"""`peergate policy check`: every problem of a policy, or what it holds."""

import json

from peergate.console import stderr, stdout, styled
from peergate.exit_code import ExitCode
from peergate.formats import CheckFormat
from peergate.loading import LoadedPolicy, loaded_policy
from peergate.reports.problems import github_from_problems, problem_object, problem_text, sarif_from_problems
from policies.engine.policy_set import PolicySet


def check(path: str, form: CheckFormat) -> ExitCode:
    """Check the policy at `path` and print the result."""
    loaded = loaded_policy(path)
    if form is CheckFormat.TEXT:
        _print_text(loaded)
    elif form is CheckFormat.JSON:
        print(_json(loaded))
    elif form is CheckFormat.SARIF:
        print(sarif_from_problems(loaded.problems))
    else:
        for line in github_from_problems(loaded.problems):
            print(line)
    return ExitCode.FINE if loaded.policy is not None else ExitCode.NO


def counted(number: int, what: str) -> str:
    """`1 rule`, `2 rules`, `2 identities`."""
    if number == 1:
        return f"1 {what}"
    return f"{number} {what[:-1]}ies" if what.endswith("y") else f"{number} {what}s"


def _print_text(loaded: LoadedPolicy) -> None:
    console = stdout()
    for problem in loaded.problems:
        console.print(problem_text(problem), soft_wrap=True)
    if loaded.policy is None:
        files = len({problem.at.file for problem in loaded.problems})
        said = f"{counted(len(loaded.problems), 'problem')} in {counted(files, 'file')}; the policy would not be loaded"
        stderr().print(styled((said, "bold red")), soft_wrap=True)
        return
    parts = [counted(number, what) for what, number in _contents(loaded.policy).items()]
    console.print(
        styled(
            (f"{loaded.source.path}: fine. ", "green"), f"{', '.join(parts)}; generation {loaded.policy.generation}"
        ),
        soft_wrap=True,
    )


def _json(loaded: LoadedPolicy) -> str:
    answer: dict[str, object] = {"ok": loaded.policy is not None}
    if loaded.policy is not None:
        contents = {
            f"{what}s" if what != "identity" else "identities": n for what, n in _contents(loaded.policy).items()
        }
        answer |= contents | {"generation": loaded.policy.generation}
    answer["problems"] = [problem_object(problem) for problem in loaded.problems]
    return json.dumps(answer, indent=2)


def _contents(policy: PolicySet) -> dict[str, int]:
    return {
        "identity": sum(1 for identity in policy.identities if identity.name),
        "route": len({route.name or position for position, route in enumerate(policy.routes)}),
        "rule": len(policy.rules),
    }
