"""The filters of one HTTP connection manager that enforce a policy natively and ask peergate for the rest.

Fail closed: peergate is asked unless the policy inside Envoy has said `allow:`. Where its filter is missing, or a part
of it, every request is asked; where nobody answers, it is denied.
"""

from collections.abc import Callable
from dataclasses import dataclass

from extauth.native.compile import Compiled
from extauth.native.matcher import CHAIN, PATH, SANS, SERIAL
from extauth.native.names import ALLOW, DENY, NO_CERTIFICATE, NO_RULE
from extauth.native.validity import NOT_AFTER, NOT_BEFORE, date_headers
from policies.engine.header_names import IDENTITY_HEADERS, IDENTITY_PREFIXES, REWRITING_HEADERS
from policies.reason import Reason
from runtime.envoy.ext_authz import Authorization, json_from_authorization
from runtime.envoy.proto_json import Json, JsonValue, typed
from runtime.identity_headers import DECISION_ID, IDENTITY, REASON, SPIFFE_ID, XFCC

#: Where Envoy keeps what was decided, for the access log and for ext_authz.
RBAC = "envoy.filters.http.rbac"
DECIDED = "enforced_effective_policy_id"
_NAMES = "caller_"
CALLED = f"{_NAMES}shadow_effective_policy_id"

_MUTATION = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
_RBAC = "envoy.extensions.filters.http.rbac.v3.RBAC"
_RECEIVED, _CALLER, _POLICY, _TOLD = "peergate.received", "peergate.caller", "peergate.policy", "peergate.told"
#: The filters that a policy makes, in their order, with the type of their configuration.
POLICY_FILTERS = {_RECEIVED: _MUTATION, _CALLER: _RBAC, _POLICY: _RBAC, _TOLD: _MUTATION}

_CONNECTION_FACTS = {
    SANS: "%DOWNSTREAM_PEER_URI_SAN%|%DOWNSTREAM_PEER_DNS_SAN%|%DOWNSTREAM_PEER_EMAIL_SAN%|%DOWNSTREAM_PEER_IP_SAN%",
    CHAIN: "%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256%",
    SERIAL: "%DOWNSTREAM_PEER_SERIAL%",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """What the filters do beside the policy: whom to ask, and which headers a rule of it may set."""

    authorization: Authorization
    settable_headers: frozenset[str]


def network_filters() -> list[Json]:
    """Network filters to put before the connection manager: they note the certificate of each connection, once."""
    values: list[JsonValue] = [_state(key, value) for key, value in _CONNECTION_FACTS.items()]
    return [
        typed(
            "envoy.filters.network.set_filter_state",
            "envoy.extensions.filters.network.set_filter_state.v3.Config",
            on_downstream_tls_handshake=values,
        )
    ]


def http_filters(compiled: Compiled, guard: Guard) -> list[Json]:
    """HTTP filters to put before the router."""
    received, caller, policy, told = policy_filters(compiled, guard.settable_headers)
    return [received, _path_noted(), caller, policy, told, _asking(guard.authorization)]


def discovered_filters(source: Callable[[str], Json], authorization: Authorization) -> list[Json]:
    """The same, with those that a policy makes found at `source` of their name (`ConfigSource`)."""
    found: list[Json] = [
        {"name": name, "config_discovery": {"config_source": source(name), "type_urls": [f"type.googleapis.com/{url}"]}}
        for name, url in POLICY_FILTERS.items()
    ]
    return [found[0], _path_noted(), *found[1:], _asking(authorization)]


def policy_filters(compiled: Compiled, settable: frozenset[str]) -> list[Json]:
    """The filters that depend on the policy, one for each of `POLICY_FILTERS`."""
    dates = {} if compiled.admission is None else date_headers(compiled.admission)
    before: list[JsonValue] = [*removals(settable), *(_put(name, value) for name, value in dates.items())]
    after: list[JsonValue] = [{"remove": NOT_AFTER}, {"remove": NOT_BEFORE}]
    told: Json = {DECISION_ID: "%STREAM_ID%", IDENTITY: f"%DYNAMIC_METADATA({RBAC}:{CALLED})%"}
    if compiled.admission is not None and compiled.admission.trust_domain is not None:
        told[SPIFFE_ID] = "%DOWNSTREAM_PEER_URI_SAN%"
    after += [_put(name, str(value)) for name, value in told.items()]
    named: Json = {"shadow_matcher": compiled.names, "shadow_rules_stat_prefix": _NAMES} if compiled.names else {}
    return [
        _mutation(_RECEIVED, before),
        typed(_CALLER, _RBAC, **named),
        typed(_POLICY, _RBAC, matcher=compiled.decides),
        _mutation(_TOLD, after),
    ]


def denials() -> Json:
    """`LocalReplyConfig`: a caller whom Envoy denies reads what peergate would say (`runtime.denial`)."""
    return {
        "mappers": [
            _denial(DENY, Reason.DENIED_BY_RULE),
            _denial(NO_RULE, Reason.NO_MATCHING_RULE),
            _denial(NO_CERTIFICATE, Reason.NO_CERTIFICATE),
        ]
    }


def _denial(decided: str, reason: Reason) -> Json:
    # Metadata of the decision comes too late for a local reply; its details do not.
    expression = f'response.code_details.startsWith("rbac_access_denied_matched_policy[{decided}")'
    return {
        "filter": {
            "extension_filter": typed(
                "envoy.access_loggers.extension_filters.cel",
                "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                expression=expression,
            )
        },
        "headers_to_add": [_put(REASON, reason.value)["append"], _put(DECISION_ID, "%STREAM_ID%")["append"]],
        "body_format_override": {
            "json_format": {"error": "denied", "reason": reason.value, "decision_id": "%STREAM_ID%"}
        },
    }


def removals(settable: frozenset[str]) -> list[JsonValue]:
    """Law 7: headers that carry an identity, make a framework see another request, or that a rule may set.

    Names with `_` are not among them: the connection manager drops them (`headers_with_underscores_action`).
    """
    names = (IDENTITY_HEADERS | REWRITING_HEADERS | settable) - {XFCC}
    found: list[JsonValue] = [{"remove": name} for name in sorted(names)]
    found += [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in IDENTITY_PREFIXES]
    return found


def _state(key: str, value: str) -> Json:
    return {
        "object_key": key,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": value}},
    }


def _path_noted() -> Json:
    return typed(
        "peergate.path",
        "envoy.extensions.filters.http.set_filter_state.v3.Config",
        on_request_headers=[_state(PATH, "%PATH(NQ:PATH)%")],
    )


def _mutation(name: str, mutations: list[JsonValue]) -> Json:
    return typed(name, _MUTATION, mutations={"request_mutations": mutations})


def _put(name: str, value: str) -> Json:
    return {"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}


def _asking(authorization: Authorization) -> Json:
    """ext_authz, for every request that the policy inside Envoy has not allowed."""
    asking = json_from_authorization(authorization)
    unless_allowed: Json = {
        "filter": RBAC,
        "path": [{"key": DECIDED}],
        "value": {"string_match": {"prefix": ALLOW}},
        "invert": True,
    }
    return {**asking, "typed_config": {**_object(asking["typed_config"]), "filter_enabled_metadata": unless_allowed}}


def _object(value: JsonValue) -> Json:
    return value if isinstance(value, dict) else {}
