"""`peergate policy explain`: what a policy decides on one request, and why."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import TypeVar

from rich.text import Text

from peergate.console import plain, print_facts, stdout, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.formats import Format
from peergate.loading import loaded_policy, print_unusable
from policies.authoring.address import address_from_text
from policies.authoring.claim import Claim, ClaimError, asserted_from_claim
from policies.authoring.explain import Explanation, MatchedRule, explanation_from_decision
from policies.authoring.replay import answer_from_decision
from policies.authoring.url import target_from_url
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.language.compiler.values import epoch_from_moment
from policies.peer.errors import PeerError
from policies.peer.limits import MAX_INTERMEDIATES
from policies.peer.pem import der_from_pem
from policies.peer.presented import NO_CERTIFICATE, Presented, presented_from_der
from runtime.files import read_regular_file

T = TypeVar("T")
#: The flag of a field of a claim, where it is not the field's name.
_FLAGS = {"pins": "pin", "ip_san": "ip-san"}
#: Bytes of a file with a leaf and its chain.
_MAX_CHAIN_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked on the command line, as text. `certificate` is the name of a file; `headers` are `Name: value`."""

    method: str
    url: str
    certificate: str | None
    claim: Claim
    headers: tuple[str, ...]
    source: str | None
    sni: str | None
    at: str | None


def explain(path: str, question: Question, form: Format) -> ExitCode:
    """Decide, and print the verdict with its reasons."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    request = _request(question, loaded.policy)
    decision = evaluate(loaded.policy, request)
    explanation = explanation_from_decision(loaded.policy, request, decision)
    if form is Format.JSON:
        print(_json(decision, explanation))
    else:
        _print_text(request, decision, explanation)
    return ExitCode.FINE if decision.allowed else ExitCode.NO


def _request(question: Question, policy: PolicySet) -> Request:
    target = _read("URL", question.url, target_from_url)
    if target.host is None:
        raise ArgumentError(f"{question.url!r} has no host; write https://host/path")
    return Request(
        peer=_peer(question, policy),
        method=question.method,
        target=target.path,
        host=target.host,
        headers=_headers(question.headers),
        seen_headers=None,
        source_ip=None if question.source is None else _read("--source", question.source, address_from_text),
        sni=UNREPORTED if question.sni is None else question.sni or None,
        time=time() if question.at is None else _read("--at", question.at, epoch_from_moment),
    )


def _read(what: str, text: str, value_from_text: Callable[[str], T]) -> T:
    try:
        return value_from_text(text)
    except ValueError as error:
        raise ArgumentError(f"{what}: {error}") from None


def _peer(question: Question, policy: PolicySet) -> Presented:
    asserts = question.claim != Claim()
    if question.certificate is not None and asserts:
        raise ArgumentError("--cert shows a certificate; --uri, --dns, --trust and the like assert one: use either")
    if question.certificate is not None:
        return _certificate(question.certificate)
    if not asserts:
        return NO_CERTIFICATE
    known = {entry.name for entry in policy.trust.entries}
    for name in question.claim.trust or ():
        if name not in known:
            raise ArgumentError(
                f"--trust: the policy has no entry {name!r}; it has {', '.join(sorted(known)) or 'none'}"
            )
    try:
        return asserted_from_claim(question.claim, policy.trust)
    except ClaimError as error:
        raise ArgumentError(f"--{_FLAGS.get(error.field, error.field)}: {error}") from None


def _certificate(path: str) -> Presented:
    """A PEM file: leaf, then the CA certificates that came with it."""
    try:
        text = read_regular_file(path, _MAX_CHAIN_FILE_BYTES).decode("ascii")
        leaf, *others = der_from_pem(text, limit=1 + MAX_INTERMEDIATES, explained=True)
        return presented_from_der(leaf, others)
    except OSError as error:
        raise ArgumentError(f"--cert {path}: {error.strerror}") from None
    except (PeerError, UnicodeDecodeError) as error:
        raise ArgumentError(f"--cert {path}: {error}") from None


def _headers(lines: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ArgumentError(f"--header {line!r} is not `Name: value`")
        key = name.strip().lower()
        found[key] = (*found.get(key, ()), value.strip())
    return found


def _json(decision: Decision, explanation: Explanation) -> str:
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
    if explanation.advice:
        answer["next"] = explanation.advice
    return json.dumps(answer, indent=2)


def _print_text(request: Request, decision: Decision, explanation: Explanation) -> None:
    console = stdout()
    console.print(styled((explanation.verdict, "bold green" if decision.allowed else "bold red")))
    console.print()
    print_facts(console, _facts(request, decision, explanation))


def _facts(request: Request, decision: Decision, explanation: Explanation) -> Iterable[tuple[str, Text | str]]:
    yield "effect", f"{decision.effect}, {decision.reason}"
    yield from _several("caller", explanation.caller)
    if explanation.asserted:
        yield "", Text("asserted: certificate checks are skipped", "yellow")
    yield "trust", ", ".join(decision.trust) or "-"
    yield "identities", ", ".join(decision.identities) or "-"
    yield "host", explanation.host or request.host or "-"
    yield "path", explanation.path or request.target
    yield "source", "unknown" if request.source_ip is None else str(request.source_ip)
    yield "time", datetime.fromtimestamp(request.time, UTC).isoformat(timespec="seconds")
    yield from _several("rules", [_rule_text(rule) for rule in explanation.rules])
    yield from _several("bound", [f"{name} = {value}" for name, value in decision.captures.items()])
    yield from _several("headers", [f"{name}: {value}" for name, value in decision.headers])
    yield from _several("unknown", decision.unknown)
    if explanation.shadow:
        yield "shadow", explanation.shadow
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
