"""The explanation of a decision: for people, and as JSON."""

import json
from collections.abc import Iterable, Sequence

from rich.text import Text

from peergate.console import plain, print_facts, print_wrapped, stdout, styled
from peergate.reports.examination import examination_object, print_checks
from policies.authoring.examination import Examination
from policies.authoring.examination_wording import utc
from policies.authoring.explain import Explanation, MatchedRule
from policies.authoring.replay import answer_from_decision
from policies.authoring.trace import Missing, Trace, TracedRule
from policies.engine.decision import Decision
from policies.engine.request import Request


def json_from_explanation(
    decision: Decision, explanation: Explanation, examination: Examination | None, trace: Trace
) -> str:
    """Verdict, decision, matching rules, rules that did not match, and the examination of the caller's certificate."""
    answer: dict[str, object] = {"verdict": explanation.verdict, **answer_from_decision(decision)}
    if explanation.asserted:
        answer["checks"] = "skipped"
    answer |= {
        "host": explanation.host,
        "path": explanation.path,
        "caller": list(explanation.caller),
        "matched": [
            {
                "id": rule.id,
                "effect": rule.effect,
                "decided": rule.decided,
                "description": rule.description,
                "labels": dict(rule.labels),
            }
            for rule in explanation.rules
        ],
    }
    answer["unmatched"] = [traced_object(rule) for rule in trace.rules]
    answer["unmatched_left_out"] = trace.left_out
    if trace.nearest is not None:
        answer["nearest"] = traced_object(trace.nearest)
    if explanation.advice:
        answer["next"] = explanation.advice
    if examination is not None:
        answer["examination"] = examination_object(examination)
    return json.dumps(answer, indent=2)


def print_explanation(
    request: Request, decision: Decision, explanation: Explanation, examination: Examination | None, trace: Trace
) -> None:
    """The verdict and its reasons, the rules that did not match, then the checks on the caller's certificate."""
    console = stdout()
    print_wrapped(console, styled((explanation.verdict, "bold green" if decision.allowed else "bold red")))
    console.print()
    print_facts(console, _facts(request, decision, explanation, trace))
    if trace.rules:
        console.print()
        console.print("Rules about this caller or this route that did not match:")
        print_facts(console, traced_facts(trace), indent=2)
    if examination is not None:
        console.print()
        print_checks(console, examination)


def traced_facts(trace: Trace, most: int | None = None) -> Iterable[tuple[Text | str, Text | str]]:
    """Rules that did not match, each with the first condition that failed; `most`: how many are shown."""
    for rule in trace.rules[:most]:
        mode = " (shadow)" if rule.shadow else ""
        yield styled(f"{rule.effect} ", (rule.id, "bold"), mode), _first_failed(rule.missing)
    left_out = trace.left_out + len(trace.rules) - len(trace.rules[:most])
    if left_out:
        yield "", f"and {left_out} more, further away"


def _first_failed(missing: Sequence[Missing]) -> str:
    first = missing[0]
    more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
    if not first.known:
        return f"the {first.what} is unknown; it has to be {first.wanted}{more}"
    return f"the {first.what} is not {first.wanted}{more}"


def nearest_text(trace: Trace) -> str:
    """What would have to be different for the nearest rule to match; empty if none is near."""
    if trace.nearest is None:
        return ""
    (missing,) = trace.nearest.missing
    return f"rule {trace.nearest.id} would match if the {missing.what} were {missing.wanted}"


def traced_object(rule: TracedRule) -> dict[str, object]:
    """A rule that did not match, with everything that it lacks."""
    return {
        "id": rule.id,
        "effect": rule.effect,
        "shadow": rule.shadow,
        "missing": [
            {"what": missing.what, "wanted": missing.wanted, "known": missing.known} for missing in rule.missing
        ],
    }


def _facts(
    request: Request, decision: Decision, explanation: Explanation, trace: Trace
) -> Iterable[tuple[str, Text | str]]:
    yield "effect", f"{decision.effect}, {decision.reason}"
    yield from _several("caller", explanation.caller)
    if explanation.asserted:
        yield "", Text("asserted: certificate checks are skipped", "yellow")
    yield "trust", ", ".join(decision.trust) or "-"
    yield "identities", ", ".join(decision.identities) or "-"
    yield "host", explanation.host or request.host or "-"
    yield "path", explanation.path or request.target
    yield "source", "unknown" if request.source_ip is None else str(request.source_ip)
    yield "time", utc(request.time)
    yield from _several("rules", [_rule_text(rule) for rule in explanation.rules])
    yield from _several("bound", [f"{name} = {value}" for name, value in decision.captures.items()])
    yield from _several("headers", [f"{name}: {value}" for name, value in decision.headers])
    yield from _several("unknown", decision.unknown)
    if explanation.shadow:
        yield "shadow", explanation.shadow
    if nearest := nearest_text(trace):
        yield "nearest", Text(plain(nearest), "bold")
    if explanation.advice:
        yield "next", Text(plain(explanation.advice), "bold")


def _several(name: str, facts: Sequence[Text | str]) -> Iterable[tuple[str, Text | str]]:
    for number, fact in enumerate(facts):
        yield "" if number else name, fact


def _rule_text(rule: MatchedRule) -> Text:
    mode = "" if rule.decided else " (shadow)"
    labels = "".join(f"  {name}={value}" for name, value in rule.labels)
    text = styled(f"{rule.effect} ", (rule.id, "bold"), mode, (labels, "dim"))
    return text.append(f"\n{plain(rule.description)}", "dim") if rule.description else text
