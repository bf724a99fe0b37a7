"""`peergate policy export envoy`: the policy as filters for an Envoy, and what of it Envoy decides by itself."""

import json
import time
from collections import Counter
from collections.abc import Sequence

from extauth.native.compile import compiled_from_policy
from extauth.native.filters import http_filters, manager_options, network_filters, route_options
from extauth.native.report import WORDS, NativeReport, report_from_policy
from peergate.console import print_facts, stdout, styled
from peergate.exit_code import ExitCode
from peergate.formats import Format
from peergate.loading import loaded_policy, print_unusable
from policies.engine.policy_set import PolicySet
from runtime.address import UnixAddress
from runtime.envoy.ext_authz import Authorization

#: Whom the filters ask is a cluster of the user's Envoy, by name; its address stands there.
_ADDRESS_OF_CLUSTER = UnixAddress("/")


def export_envoy(path: str, ports: Sequence[int]) -> ExitCode:
    """Print the filters as JSON. A policy with problems is told on standard error, and nothing is printed."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    compiled = compiled_from_policy(loaded.policy, time.time(), tuple(ports))
    exported = {
        "network_filters": network_filters(),
        "http_filters": http_filters(compiled, Authorization(_ADDRESS_OF_CLUSTER)),
        "http_connection_manager": manager_options(),
        "route_config": route_options(),
    }
    print(json.dumps(exported, indent=1))
    return ExitCode.FINE


def report_envoy(path: str, form: Format) -> ExitCode:
    """Print, rule by rule, whether Envoy decides by itself, or why it asks."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    report = report_from_policy(loaded.policy, time.time())
    if form is Format.JSON:
        rules = [{"rule": rule.rule, "native": not rule.asked, "asked": list(rule.asked)} for rule in report.rules]
        print(json.dumps({"native_share": report.native_share, "rules": rules}, indent=1))
    else:
        _print_report(loaded.policy, report)
    return ExitCode.FINE


def _print_report(policy: PolicySet, report: NativeReport) -> None:
    console = stdout()
    native = sum(not rule.asked for rule in report.rules)
    enforced = len(report.rules) - sum(rule.shadow for rule in policy.rules)
    share = f"{report.native_share:.0%}"
    console.print(styled((f"Envoy decides {native} of {enforced} rules by itself ({share})", "bold")), soft_wrap=True)
    asked = [rule for rule in report.rules if rule.asked]
    if asked:
        console.print()
        print_facts(console, [(styled(rule.rule), f"ask: {', '.join(rule.asked)}") for rule in asked], indent=2)
        console.print()
        counted = Counter(why for rule in asked for why in rule.asked)
        print_facts(console, [(styled((why, "yellow")), WORDS[why]) for why, _ in counted.most_common()], indent=2)
