"""`peergate policy explain`: what a policy decides on one request, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from peergate.arguments import asked_time, read_argument
from peergate.certificate_file import presented_from_files
from peergate.commands.replay import line_batches, opened
from peergate.console import stderr, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.formats import Format
from peergate.loading import loaded_policy, print_unusable
from peergate.reports.explain import json_from_explanation, print_explanation
from policies.authoring.address import address_from_text
from policies.authoring.claim import CLAIM_FIELDS, Claim, ClaimError, asserted_from_claim
from policies.authoring.examination import Examination, examination_from_presented
from policies.authoring.explain import explanation_from_decision
from policies.authoring.json_line import LineError, object_from_line
from policies.authoring.trace import trace_from_decision
from policies.authoring.url import target_from_url
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.recorded import RecordError, request_from_record
from policies.engine.request import UNREPORTED, Request
from policies.language.wording import quoted
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, Presented, PresentedCertificate

#: The flag of a field of a claim, where it is not the field's name.
_FLAGS = {"pins": "pin", "ip_san": "ip-san"}


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


def too_many_words() -> ArgumentError:
    """The answer to words behind POLICY, METHOD and URL: mostly it is the caller that was named without its option."""
    *flags, last = [f"--{_FLAGS.get(field, field)}" for field in CLAIM_FIELDS if field != "trust"]
    return ArgumentError(
        f"only POLICY, METHOD and URL go without an option; a caller is named by --cert FILE, {', '.join(flags)} or "
        f"{last}, as in `peergate policy explain POLICY --uri spiffe://domain/workload GET https://host/path`"
    )


def no_url(method: str, url: str) -> ArgumentError:
    """The answer to fewer words than METHOD and URL, or to a caller and a METHOD in their places."""
    words = [word for word in (method, url) if word]
    shown = next((word for word in reversed(words) if word.isascii() and word.isalpha() and word.isupper()), "GET")
    missing = "the URL is missing" if words else "METHOD and URL are missing"
    if url:
        missing += f": {quoted(url)} is neither https://host/path nor /path; a caller is named by an option"
    return ArgumentError(
        f"{missing}, as in `peergate policy explain POLICY --uri spiffe://domain/workload {shown} https://host/path`; "
        "a recorded decision is asked for by --decision ID and --log FILE"
    )


def explain(path: str, question: Question, form: Format) -> ExitCode:
    """Decide, and print the verdict with its reasons."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    return _explained(loaded.policy, _request(question, loaded.policy), form, _askable(question))


def explain_recorded(path: str, decision_id: str, log: str, form: Format) -> ExitCode:
    """Decide again on the request of one decision record in `log`, at its time, and print the verdict."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    record = _record(decision_id, log)
    try:
        request = request_from_record(record)
    except RecordError as error:
        raise ArgumentError(f"--decision {decision_id}: the record cannot be judged again: {error}") from None
    if record.get("generation") != loaded.policy.generation:
        said = f"recorded under generation {record.get('generation')}, judged under {loaded.policy.generation}"
        stderr().print(styled((said, "yellow")), soft_wrap=True)
    return _explained(loaded.policy, request, form)


def _record(decision_id: str, log: str) -> Mapping[str, object]:
    """The first record of that id; lines that are no JSON object are passed over, as a log may end in half a line."""
    wanted = decision_id.encode("utf-8", "surrogateescape")
    with opened(log) as stream:
        for line in (line for lines in line_batches(stream) for line in lines if wanted in line):
            try:
                fields = object_from_line(line)
            except LineError:
                continue
            if fields.get("decision_id") == decision_id:
                return fields
    raise ArgumentError(f"{log!r} has no record of the decision {decision_id!r}")


def _askable(question: Question) -> Mapping[str, str]:
    """The flags that were not given, under the word that decisions have for what they say."""
    flags = (("source address", "--source IP", question.source), ("when", "--sni NAME", question.sni))
    return {fact: flag for fact, flag, given in flags if given is None}


def _explained(
    policy: PolicySet, request: Request, form: Format, askable: Mapping[str, str] = MappingProxyType({})
) -> ExitCode:
    decision = evaluate(policy, request)
    explanation = explanation_from_decision(policy, request, decision)
    examination = _examination(request, policy)
    unknown = {note.partition(": ")[2] for note in decision.unknown}
    flags = [flag for fact, flag in askable.items() if fact in unknown]
    if examination is not None and examination.fix:
        explanation = replace(explanation, advice=examination.fix)
    elif flags and not decision.allowed:
        explanation = replace(explanation, advice=f"give {' and '.join(flags)}: {explanation.advice}")
    trace = trace_from_decision(policy, request, decision)
    if form is Format.JSON:
        print(json_from_explanation(decision, explanation, examination, trace))
    else:
        print_explanation(request, decision, explanation, examination, trace)
    return ExitCode.FINE if decision.allowed else ExitCode.NO


def _examination(request: Request, policy: PolicySet) -> Examination | None:
    """The checks on the caller's certificate; None if it showed none, or if its names are asserted."""
    if isinstance(request.peer, PresentedCertificate | MalformedCertificate):
        return examination_from_presented(request.peer, request.time, policy.trust)
    return None


def _request(question: Question, policy: PolicySet) -> Request:
    target = read_argument("URL", question.url, target_from_url)
    if target.host is None:
        raise ArgumentError(f"{question.url!r} has no host; write https://host/path")
    return Request(
        peer=_peer(question, policy),
        method=question.method,
        target=target.path,
        host=target.host,
        headers=_headers(question.headers),
        seen_headers=None,
        source_ip=None if question.source is None else read_argument("--source", question.source, address_from_text),
        sni=UNREPORTED if question.sni is None else question.sni or None,
        time=asked_time(question.at),
    )


def _peer(question: Question, policy: PolicySet) -> Presented:
    asserts = question.claim != Claim()
    if question.certificate is not None and asserts:
        raise ArgumentError("--cert shows a certificate; --uri, --dns, --trust and the like assert one: use either")
    if question.certificate is not None:
        return presented_from_files(question.certificate)
    if not asserts:
        return NO_CERTIFICATE
    for uri in question.claim.uri:
        if ":" not in uri:
            raise ArgumentError(f"--uri {uri!r} is no URI; write the caller's URI SAN, as in spiffe://domain/workload")
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


def _headers(lines: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ArgumentError(f"--header {line!r} is not `Name: value`")
        key = name.strip().lower()
        found[key] = (*found.get(key, ()), value.strip())
    return found
