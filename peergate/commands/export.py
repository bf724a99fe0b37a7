"""`peergate policy export envoy`: the policy as filters for an Envoy, and what of it Envoy decides by itself."""

import json
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extauth.native.compile import compiled_from_policy
from extauth.native.filters import http_filters, manager_options, network_filters, route_options
from extauth.native.report import WORDS, NativeReport, report_from_policy
from extauth.native.shadow import shadow_from_policy
from peergate.console import print_facts, stdout, styled
from peergate.exit_code import ExitCode
from peergate.formats import Format
from peergate.loading import loaded_policy, print_unusable
from peergate.up.configuration import upstream_from_text
from policies.engine.policy_set import PolicySet
from runtime.address import TcpAddress, UnixAddress, address_from_text
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.connection_manager import NativeFilters
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.proto_json import Json
from runtime.envoy.tls import DownstreamTls, InlineTrust
from runtime.errors import ConfigurationError

#: Whom the filters ask is a cluster of the user's Envoy, by name; its address stands there.
_ADDRESS_OF_CLUSTER = UnixAddress("/")


@dataclass(frozen=True, slots=True)
class Listener:
    """What a whole configuration needs beside the policy: paths as Envoy will find them."""

    listen: str
    cert: str
    key: str
    upstream: str
    peergate: str


def export_envoy(path: str, ports: Sequence[int], listener: Listener | None) -> ExitCode:
    """Print the filters as JSON, or with `listener` a whole bootstrap. A policy with problems prints nothing.

    Raises ConfigurationError for an address that is none.
    """
    loaded = loaded_policy(path)
    if loaded.policy is None:
        print_unusable(loaded)
        return ExitCode.NO
    exported = _filters(loaded.policy, ports) if listener is None else _bootstrap(loaded.policy, ports, listener)
    print(json.dumps(exported, indent=1))
    return ExitCode.FINE


def _filters(policy: PolicySet, ports: Sequence[int]) -> Json:
    now = time.time()
    compiled = compiled_from_policy(policy, now, tuple(ports))
    shadow = shadow_from_policy(policy, now, tuple(ports))
    return {
        "network_filters": [*network_filters(compiled.admission)],
        "http_filters": [*http_filters(compiled, Authorization(_ADDRESS_OF_CLUSTER), shadow)],
        "http_connection_manager": manager_options(compiled.admission),
        "route_config": route_options(compiled.admission),
    }


def _bootstrap(policy: PolicySet, ports: Sequence[int], listener: Listener) -> Json:
    listen = address_from_text(listener.listen)
    if not isinstance(listen, TcpAddress):
        raise ConfigurationError(f"--listen {listen}: Envoy listens on HOST:PORT here")
    authorization = Authorization(address_from_text(listener.peergate))
    now = time.time()
    compiled = compiled_from_policy(policy, now, (listen.port, *ports))
    shadow = shadow_from_policy(policy, now, (listen.port, *ports))
    pem = "".join(map(ssl.DER_cert_to_PEM_cert, policy.trust.client_ca_ders()))
    if not pem:
        raise ConfigurationError("the policy has no trust entry, so no client could be let in")
    return bootstrap_from_settings(
        EnvoySettings(
            listen=listen,
            tls=DownstreamTls(
                certificate=Path(listener.cert),
                key=Path(listener.key),
                client_cas=InlineTrust(pem),
                require_client_certificate=not policy.allows_unauthenticated,
            ),
            authorization=authorization,
            upstream=upstream_from_text(listener.upstream),
            admin=TcpAddress("127.0.0.1", 9901),
            access_log=Path("/dev/stdout"),
            native=NativeFilters(
                tuple(network_filters(compiled.admission)),
                tuple(http_filters(compiled, authorization, shadow)),
                manager_options(compiled.admission),
                route_options(compiled.admission),
            ),
        )
    )


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
