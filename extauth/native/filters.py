"""The filters of one HTTP connection manager that enforce a policy natively and ask peergate for the rest.

Fail closed: peergate is asked unless the policy inside Envoy has said `allow:`. Where its filter is missing, or a part
of it, every request is asked; where nobody answers, it is denied.
"""

import re
from dataclasses import dataclass

from extauth.native.compile import Compiled
from extauth.native.matcher import CHAIN, PATH, SANS, SERIAL
from extauth.native.names import ALLOW, DENY, NO_RULE
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
_CALLED = f"{_NAMES}shadow_effective_policy_id"

#: Every spelling of x-forwarded-client-cert but its own, which Envoy itself writes.
_DISGUISED_XFCC = "x_forwarded[-_]client[-_]cert|x-forwarded(?:_client[-_]cert|-client_cert)"

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
    dates = {} if compiled.admission is None else date_headers(compiled.admission)
    before: list[JsonValue] = [*removals(guard.settable_headers), *(_put(name, value) for name, value in dates.items())]
    after: list[JsonValue] = [{"remove": NOT_AFTER}, {"remove": NOT_BEFORE}]
    told: Json = {DECISION_ID: "%STREAM_ID%"}
    filters: list[Json] = [_mutation("peergate.received", before), _path_noted()]
    if compiled.names is not None:
        filters.append(_rbac("peergate.caller", shadow_matcher=compiled.names, shadow_rules_stat_prefix=_NAMES))
        told[IDENTITY] = f"%DYNAMIC_METADATA({RBAC}:{_CALLED})%"
    if compiled.admission is not None and compiled.admission.trust_domain is not None:
        told[SPIFFE_ID] = "%DOWNSTREAM_PEER_URI_SAN%"
    filters.append(_rbac("peergate.policy", matcher=compiled.decides))
    after += [_put(name, str(value)) for name, value in told.items()]
    filters += [_mutation("peergate.told", after), _asking(guard.authorization)]
    return filters


def denials() -> Json:
    """`LocalReplyConfig`: a caller whom Envoy denies reads what peergate would say (`runtime.denial`)."""
    return {
        "mappers": [
            _denial(DENY, Reason.DENIED_BY_RULE),
            _denial(NO_RULE, Reason.NO_MATCHING_RULE),
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
    """Law 7: headers that carry an identity, make a framework see another request, or that a rule may set."""
    names = (IDENTITY_HEADERS | REWRITING_HEADERS | settable) - {XFCC}
    found: list[JsonValue] = [_removed(re.escape(name)) for name in sorted(names)]
    found += [_removed(re.escape(prefix) + ".*") for prefix in IDENTITY_PREFIXES]
    return [*found, _removed(_DISGUISED_XFCC)]


def _removed(expression: str) -> Json:
    """A name in every spelling that servers cannot tell apart: `_` for `-`, and any case."""
    spelled = expression.replace(r"\-", "[-_]")
    return {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": f"(?i){spelled}"}}}}


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
    return typed(
        name,
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": mutations},
    )


def _put(name: str, value: str) -> Json:
    return {"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}


def _rbac(name: str, **fields: JsonValue) -> Json:
    return typed(name, "envoy.extensions.filters.http.rbac.v3.RBAC", **fields)


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
