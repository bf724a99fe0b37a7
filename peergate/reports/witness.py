"""A request that two policies decide differently: as a line for `policy replay`, and as a call of `policy explain`."""

import shlex
from collections.abc import Iterable

from policies.authoring.claim import CLAIM_FIELDS, Claim
from policies.authoring.diff.comparison import Comparison
from policies.authoring.diff.search import Witness
from policies.authoring.diff.wording import moment_text
from policies.engine.decision import Decision
from policies.engine.request import UNREPORTED, Request
from policies.reason import Reason

#: The flags of `policy explain`, where they are not the field's name.
_FLAGS = {"pins": "pin", "ip_san": "ip-san"}


def lines_of_witness(witness: Witness, comparison: Comparison) -> tuple[dict[str, object], dict[str, object]]:
    """The line for `policy replay` under the old and under the new policy: they differ where an entry was renamed."""
    request = witness.found.point.request
    common: dict[str, object] = {"method": request.method, "host": request.host, "path": request.target}
    if request.headers:
        common["headers"] = {name: list(values) for name, values in request.headers.items()}
    if request.source_ip is not None:
        common["source_ip"] = str(request.source_ip)
    if request.sni is not UNREPORTED:
        common["sni"] = request.sni
    common["time"] = request.time
    old, new = (_identity(witness, trust) for trust in _trust(witness, comparison))
    return old | common, new | common


def explain_call(witness: Witness, comparison: Comparison, policy: str, *, under_new: bool) -> str:
    """A command line that shows how `policy`, the new one or the old one, decides it."""
    request, claim = witness.found.point.request, witness.found.claim
    words = ["peergate", "policy", "explain", policy]
    if claim is not None:
        trust = _trust(witness, comparison)[under_new]
        words += [word for flag, value in _claimed(claim) for word in (flag, value)]
        words += [word for name in trust if not _follows(claim) for word in ("--trust", name)]
    words += _circumstances(request)
    if comparison.is_timed:
        words += ["--at", moment_text(request.time)]
    return shlex.join([*words, request.method, f"https://{request.host}{request.target}"])


def verdict(decision: Decision) -> str:
    """`allowed by …`, or `denied` and why."""
    by = " and ".join(decision.rules)
    if decision.allowed:
        return f"allowed by {by}"
    if decision.reason is Reason.DENIED_BY_RULE:
        return f"denied by {by}{''.join(f' ({problem})' for problem in decision.problems)}"
    return f"denied, {decision.reason}"


def _trust(witness: Witness, comparison: Comparison) -> tuple[list[str], list[str]]:
    """The entries that vouch for the caller, as both policies name them."""
    keys = witness.found.point.caller.trust
    pairs = [pair for pair in comparison.pairs if pair.key in keys]
    return (
        sorted(pair.old.name for pair in pairs if pair.old is not None),
        sorted(pair.new.name for pair in pairs if pair.new is not None),
    )


def _identity(witness: Witness, trust: list[str]) -> dict[str, object]:
    claim = witness.found.claim
    if claim is None:
        return {}
    said = {name: list(values) for name in CLAIM_FIELDS if name != "trust" and (values := getattr(claim, name))}
    return {"identity": {**said, "trust": trust}}


def _claimed(claim: Claim) -> Iterable[tuple[str, str]]:
    for name in CLAIM_FIELDS:
        for value in getattr(claim, name) or () if name != "trust" else ():
            yield f"--{_FLAGS.get(name, name)}", value


def _follows(claim: Claim) -> bool:
    """Whether who vouches for the caller follows from its SPIFFE ID."""
    return any(uri.startswith("spiffe://") for uri in claim.uri)


def _circumstances(request: Request) -> list[str]:
    words: list[str] = []
    for name, values in request.headers.items():
        words += [word for value in values for word in ("--header", f"{name}: {value}")]
    if request.source_ip is not None:
        words += ["--source", str(request.source_ip)]
    if request.sni is not UNREPORTED:
        words += ["--sni", request.sni if isinstance(request.sni, str) else ""]
    return words
