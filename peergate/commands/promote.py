"""`peergate policy promote`: shadow rules are turned on, in the files themselves."""

import time
from collections.abc import Mapping, Sequence

from peergate.console import stderr, stdout, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.loading import LoadedPolicy, loaded_policy, print_unusable
from peergate.reports.problems import problem_text
from peergate.writing import rewrite
from policies.authoring.lint.finding import Finding
from policies.authoring.lint.linting import findings_from_policy, new_findings
from policies.authoring.promotion import Promotion, PromotionError, promotion_from_files
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from policies.language.suggestion import Vocabulary, did_you_mean


def promote(path: str, rules: Sequence[str]) -> ExitCode:
    """Turn on these shadow rules of the policy at `path`, or all of them if none is named. Raises ArgumentError."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        stderr().print(styled("nothing was changed"))
        return ExitCode.NO
    _check_rules(loaded.policy, rules)
    try:
        promotion = promotion_from_files(loaded.reading.files, frozenset(rules) or None)
    except PromotionError as error:
        raise ArgumentError(f"{error}; nothing was changed") from None
    if not promotion.ids:
        stdout().print(styled(f"{path}: no rule is in shadow mode; nothing was changed"), soft_wrap=True)
        return ExitCode.FINE
    findings = _new_findings(loaded, loaded.policy, promotion)
    rewrite(loaded.reading.files, promotion.files)
    _print_promoted(promotion, findings)
    return ExitCode.FINE


def _print_promoted(promotion: Promotion, findings: Sequence[Finding]) -> None:
    console = stdout()
    console.print(styled(f"enforced from now on: {', '.join(promotion.ids)}"), soft_wrap=True)
    console.print(styled(f"changed: {', '.join(promotion.files)}"), soft_wrap=True)
    if findings:
        console.print(styled(("new findings of `policy check`:", "yellow")), soft_wrap=True)
    for finding in findings:
        console.print(problem_text(finding), soft_wrap=True)


def _check_rules(policy: PolicySet, rules: Sequence[str]) -> None:
    shadow = {rule.id: rule.shadow for rule in policy.rules}
    for rule in rules:
        if rule not in shadow:
            hint = did_you_mean(rule, Vocabulary(shadow))
            raise ArgumentError(f"there is no rule {rule!r}{f'; {hint}' if hint else ''}; nothing was changed")
        if not shadow[rule]:
            raise ArgumentError(f"the rule {rule!r} is enforced already; nothing was changed")


def _new_findings(loaded: LoadedPolicy, policy: PolicySet, promotion: Promotion) -> tuple[Finding, ...]:
    """What the linter finds because of the promotion. Raises ArgumentError if the policy would not be as expected."""
    files = {**loaded.reading.files, **promotion.files}
    after, now = _compiled(loaded, policy, promotion, files), time.time()
    before = findings_from_policy(policy, loaded.reading.files, now)
    return tuple(new_findings(before, findings_from_policy(after, files, now)))


def _compiled(loaded: LoadedPolicy, policy: PolicySet, promotion: Promotion, files: Mapping[str, bytes]) -> PolicySet:
    """Compile what would be written: it must load, with these rules enforced and every other mode as it was."""
    after = load_policy(files, loaded.reading).policy
    expected = {rule.id for rule in policy.rules if rule.shadow} - set(promotion.ids)
    if after is None or {rule.id for rule in after.rules if rule.shadow} != expected:
        raise ArgumentError("the policy would not load as expected; nothing was changed: change the modes by hand")
    return after
