"""Every finding about a policy that was loaded."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from policies.authoring.lint.bindings import binding_findings
from policies.authoring.lint.breadth import breadth_findings
from policies.authoring.lint.expiry import expiry_findings
from policies.authoring.lint.finding import NATIVE_CODES, Finding, LintCode
from policies.authoring.lint.places import places_from_files
from policies.authoring.lint.redundancy import redundancy_findings
from policies.authoring.lint.spelling import spelling_findings
from policies.authoring.lint.suppression import unsuppressed
from policies.authoring.lint.unused import unused_findings
from policies.engine.policy_set import PolicySet

#: A line of a file, as a message names it: `(file:line)`.
_LINE = re.compile(r":\d+\)")


def findings_from_policy(
    policy: PolicySet, files: Mapping[str, bytes], now: float, native: Iterable[Finding] | None = None
) -> tuple[Finding, ...]:
    """The findings that are not suppressed, sorted by place. `files`: those that `policy` was loaded from.

    `now`: seconds since the epoch, for what ends. `native`: what makes an Envoy ask; None = it was not looked for.
    """
    places = places_from_files(files)
    found = (
        *redundancy_findings(policy, places),
        *unused_findings(places),
        *breadth_findings(policy, places),
        *spelling_findings(places),
        *binding_findings(policy, places),
        *expiry_findings(policy, places, now),
        *(native or ()),
    )
    return unsuppressed(found, files, frozenset() if native is not None else NATIVE_CODES)


def new_findings(before: Iterable[Finding], after: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of `after`, in order, that `before` does not have; an edit between them may have moved lines."""
    known = Counter(map(_what_is_said, before))
    for finding in after:
        said = _what_is_said(finding)
        if known[said]:
            known[said] -= 1
        else:
            yield finding


def _what_is_said(finding: Finding) -> tuple[str, LintCode, str]:
    return finding.at.file, finding.code, _LINE.sub(")", finding.message)
