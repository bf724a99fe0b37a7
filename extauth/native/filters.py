"""The filters of one HTTP connection manager that enforce a policy natively and ask peergate for the rest.

Fail closed: peergate is asked unless the policy inside Envoy has said `allow:`. Where its filter is missing, or a part
of it, every request is asked; where nobody answers, it is denied.
"""

from extauth.native.admission import Admission
from extauth.native.compile import Compiled
from extauth.native.dates import format_of_dates, formats_of_end
from extauth.native.matcher import CHAIN, CHANGE, FACTS, ISSUER, PATH, SANS, SERIAL, TRUST
from extauth.native.names import ALLOW, DENY, NO_CERTIFICATE, NO_RULE
from extauth.native.told import TOLD, Told, fields_from_told
from extauth.native.validity import NOT_AFTER, NOT_BEFORE
from policies.engine.header_names import IDENTITY_HEADERS, IDENTITY_PREFIXES, REWRITING_HEADERS
from policies.reason import Reason
from runtime.envoy.ext_authz import Authorization, json_from_authorization
from runtime.envoy.proto_json import Json, JsonValue, any_of, typed
from runtime.identity_headers import DECISION_ID, IDENTITY, REASON, SPIFFE_ID, XFCC

#: Where Envoy keeps what was decided, for the access log and for ext_authz.
RBAC = "envoy.filters.http.rbac"
DECIDED = "enforced_effective_policy_id"
_NAMES = "caller_"
CALLED = f"{_NAMES}shadow_effective_policy_id"
_SHADOW_RULES = "rules_"
SHADOWED = f"{_SHADOW_RULES}shadow_effective_policy_id"
_CHANGED = "change_"

POLICY, _SHADOW, _TOLD, _CHANGE = "peergate.policy", "peergate.shadow", "peergate.told", "peergate.change"
_NOTE = "envoy.extensions.filters.http.set_filter_state.v3.Config"
_RBAC = "envoy.extensions.filters.http.rbac.v3.RBAC"
_CALLER = "peergate.caller"
_END_STATES = [f"peergate.end.{number}" for number in range(len(formats_of_end()))]

_CONNECTION_FACTS = {
    SANS: "%DOWNSTREAM_PEER_URI_SAN%|%DOWNSTREAM_PEER_DNS_SAN%|%DOWNSTREAM_PEER_EMAIL_SAN%|%DOWNSTREAM_PEER_IP_SAN%",
    CHAIN: "%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256%",
    SERIAL: "%DOWNSTREAM_PEER_SERIAL%",
    ISSUER: "%DOWNSTREAM_PEER_ISSUER%",
    **dict(zip(_END_STATES, formats_of_end(), strict=True)),
}
#: What headers carry for the sake of a `max_lifetime`, of filter state: it is read once for each connection.
_LIFETIME_FACTS = {
    NOT_AFTER: ("peergate.not_after", "%DOWNSTREAM_PEER_CERT_V_END(%s)%"),
    NOT_BEFORE: ("peergate.not_before", "%DOWNSTREAM_PEER_CERT_V_START(%s)%"),
}


def network_filters(admission: Admission | None = None) -> list[Json]:
    """Network filters to put before the connection manager: they note the certificate of each connection, once.

    `admission`: None where the listener does not change with the policy. Otherwise they note which CAs let a connection
    in: a CA that is taken out of the policy lets nobody in anew, but what it let in stays open, and is asked about.
    """
    values: list[JsonValue] = [_state(key, value) for key, value in _CONNECTION_FACTS.items()]
    if _tells_lifetimes(admission):
        values += [_state(key, value) for key, value in _LIFETIME_FACTS.values()]
    caller = f"%FILTER_STATE({SANS}:PLAIN)% %FILTER_STATE({CHAIN}:PLAIN)%"
    if admission is not None:
        values.append(_state(TRUST, admission.stamp))
        caller += f" {admission.stamp}"
    values.append(_state(_CALLER, caller))
    return [
        typed(
            "envoy.filters.network.set_filter_state",
            "envoy.extensions.filters.network.set_filter_state.v3.Config",
            on_downstream_tls_handshake=values,
        )
    ]


def http_filters(compiled: Compiled, authorization: Authorization, shadow: Json | None = None) -> list[Json]:
    """HTTP filters to put before the router; `shadow`: the matcher of shadow rules (`extauth.native.shadow`)."""
    noted = () if shadow is None else (shadow_filter(shadow),)
    return [_request_noted(), *noted, policy_filter(compiled), _asking(authorization)]


def discovered_filters(
    source: Json, change: Json, shadow: Json, told: Json, authorization: Authorization
) -> list[Json]:
    """The same, with what the policy makes found at `source`, and for its shadow rules at `shadow` (`ConfigSource`).

    `change`: where `change_filter` is found; `told`: where `told_filter` is. Without their configuration, the latter
    and the filter of the shadow rules do nothing: they hold up no request. The other two do.
    """
    return [
        {"name": _CHANGE, "config_discovery": _awaited(change)},
        _request_noted(_state(CHANGE, f"%DYNAMIC_METADATA({RBAC}:{_CHANGED}shadow_effective_policy_id)%")),
        {"name": _TOLD, "config_discovery": _beside(told, _NOTE)},
        {"name": _SHADOW, "config_discovery": _beside(shadow, _RBAC)},
        {"name": POLICY, "config_discovery": _awaited(source)},
        _asking(authorization),
    ]


def _awaited(source: Json) -> Json:
    return {"config_source": source, "type_urls": [f"type.googleapis.com/{_RBAC}"]}


def _beside(source: Json, message: str) -> Json:
    return {
        "config_source": source,
        "type_urls": [f"type.googleapis.com/{message}"],
        "default_config": any_of(message),
        "apply_default_config_without_warming": True,
    }


def told_filter(told: Told) -> Json:
    """The filter that notes for the access log what a policy asks for (`extauth.native.told`)."""
    if not (fields := fields_from_told(told)):
        return typed(_TOLD, _NOTE)
    noted: Json = {"object_key": TOLD, "factory_key": "envoy.string", "format_string": {"json_format": fields}}
    return typed(_TOLD, _NOTE, on_request_headers=[noted])


def policy_filter(compiled: Compiled) -> Json:
    """The one filter that decides by the policy: a request is decided by one generation."""
    named: Json = {"shadow_matcher": compiled.names, "shadow_rules_stat_prefix": _NAMES} if compiled.names else {}
    return typed(POLICY, _RBAC, matcher=compiled.decides, **named)


def change_filter(matcher: Json | None) -> Json:
    """The filter that marks whom a change is about (`extauth.native.change`), for that of the policy, behind it."""
    marked: Json = {"shadow_matcher": matcher, "shadow_rules_stat_prefix": _CHANGED} if matcher else {}
    return typed(_CHANGE, _RBAC, **marked)


def shadow_filter(matcher: Json | None) -> Json:
    """The filter that notes what shadow rules would decide (`extauth.native.shadow`) and decides nothing itself.

    It stands before the filter of the policy, so that it also notes what that one denies.
    """
    named: Json = {"shadow_matcher": matcher, "shadow_rules_stat_prefix": _SHADOW_RULES} if matcher else {}
    return typed(_SHADOW, _RBAC, **named)


def manager_options(admission: Admission | None = None) -> Json:
    """What the connection manager has beside the filters: law 7, and what a denied caller reads.

    An identity header is ours from here on: where peergate is asked, it has the last word about them.
    `admission`: as for `network_filters`.
    """
    # Whoever is let in without a question has no URI but a SPIFFE ID.
    ours = {SPIFFE_ID: "%DOWNSTREAM_PEER_URI_SAN%"}
    if _tells_lifetimes(admission):
        ours |= {name: f"%FILTER_STATE({key}:PLAIN)%" for name, (key, _) in _LIFETIME_FACTS.items()}
    mutations: list[JsonValue] = [{"remove": name} for name in _REMOVED_NAMES]
    mutations += [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in IDENTITY_PREFIXES]
    mutations += [_put(name, value) for name, value in ours.items()]
    return {
        "early_header_mutation_extensions": [
            typed(
                "envoy.http.early_header_mutation.header_mutation",
                "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                mutations=mutations,
            )
        ],
        "local_reply_config": denials(),
    }


def route_options(admission: Admission | None = None) -> Json:
    """What the route configuration has: dates go no further, and the upstream is told what it was not told yet.

    `admission`: as for `network_filters`.
    """
    told = {DECISION_ID: "%STREAM_ID%", IDENTITY: f"%DYNAMIC_METADATA({RBAC}:{CALLED})%"}
    return {
        **({"request_headers_to_remove": [*_LIFETIME_FACTS]} if _tells_lifetimes(admission) else {}),
        "request_headers_to_add": [
            {"header": {"key": name, "value": value}, "append_action": "ADD_IF_ABSENT"} for name, value in told.items()
        ],
    }


def _tells_lifetimes(admission: Admission | None) -> bool:
    """Whether requests carry dates for a `max_lifetime`. Where they are missing, everybody is asked about it."""
    return admission is None or any(entry.max_lifetime is not None for entry in admission.judged)


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


#: Headers that carry an identity or make a framework see another request. Names with `_` are not among them: the
#: connection manager drops them (`headers_with_underscores_action`).
_REMOVED_NAMES = sorted((IDENTITY_HEADERS | REWRITING_HEADERS) - {XFCC})


def _state(key: str, value: str) -> Json:
    return {
        "object_key": key,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": value}},
    }


def _request_noted(*more: Json) -> Json:
    """Notes when the last header is there: when the first byte was is for whoever sends slowly to choose."""
    shown = ["%REQ(:METHOD)%", "%REQ(:AUTHORITY)%", "%PATH(NQ:PATH)%", f"%FILTER_STATE({_CALLER}:PLAIN)%"]
    noted = [_state(PATH, "%PATH(NQ:PATH)%"), _state(FACTS, " ".join([format_of_dates(_END_STATES), *shown]))]
    return typed("peergate.path", _NOTE, on_request_headers=[*noted, *more])


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
