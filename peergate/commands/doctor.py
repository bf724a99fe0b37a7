"""`peergate doctor`: why a certificate is refused, or will be, check by check, and what to do about it."""

import json

from peergate.arguments import asked_time
from peergate.certificate_file import presented_from_files
from peergate.console import print_wrapped, stdout, styled
from peergate.exit_code import ExitCode
from peergate.formats import Format
from peergate.loading import loaded_policy, print_unusable
from peergate.reports.certificate import print_certificate
from peergate.reports.examination import examination_object, print_checks, verdict_text
from policies.authoring.examination import Examination, Verdict, examination_from_presented
from policies.engine.policy_set import PolicySet

_WITHOUT_POLICY = (
    "No policy was asked: its chain, its trust domain, max_lifetime and revocation were not looked at. "
    "Name one with --policy."
)


def doctor(certificate: str, chain: str | None, policy: str | None, at: str | None, form: Format) -> ExitCode:
    """Examine the certificate of a file as the trust entries of `policy` do; None = by itself."""
    time = asked_time(at)
    presented = presented_from_files(certificate, chain)
    compiled: PolicySet | None = None
    if policy is not None:
        loaded = loaded_policy(policy)
        if loaded.policy is None:
            print_unusable(loaded)
            return ExitCode.NO
        compiled = loaded.policy
    examination = examination_from_presented(presented, time, None if compiled is None else compiled.trust)
    if form is Format.JSON:
        generation = None if compiled is None else compiled.generation
        print(json.dumps({**examination_object(examination), "generation": generation}, indent=2))
    else:
        _print_text(examination)
    return ExitCode.NO if examination.verdict is Verdict.REFUSED else ExitCode.FINE


def _print_text(examination: Examination) -> None:
    console = stdout()
    print_wrapped(console, verdict_text(examination))
    console.print()
    if examination.leaf is not None:
        console.print(styled(("What it says", "bold")))
        print_certificate(console, examination.leaf, examination.time)
        console.print()
    print_checks(console, examination)
    if examination.standing is None:
        console.print()
        print_wrapped(console, styled(_WITHOUT_POLICY))
