"""Convert: Verdict -> CheckResponse, in one place.

The danger here is that an empty CheckResponse permits: the code of an absent status is 0, which is OK. So every
response starts at PERMISSION_DENIED, and becomes OK by its last step.
"""

from extauth.wire.messages import CheckResponse, HeaderValueOption, Status
from runtime.check import Verdict
from runtime.denial import denial_body, denial_headers, http_status_of
from runtime.identity_headers import HeaderChanges
from runtime.judge import Judgement

#: google.rpc.Code.
_OK = 0
_PERMISSION_DENIED = 7
_OVERWRITE = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


def response_from_verdict(verdict: Verdict) -> CheckResponse:
    """The answer to Envoy."""
    judgement = verdict.judgement
    response = CheckResponse(status=Status(code=_PERMISSION_DENIED))
    _describe(response, judgement)
    if not judgement.permitted:
        _deny(response, judgement)
        return response
    _tell_upstream(response, verdict.changes)
    response.status.code = _OK
    return response


def _deny(response: CheckResponse, judgement: Judgement) -> None:
    reason = judgement.decision.reason
    denied = response.denied_response
    denied.status.code = http_status_of(reason)
    denied.body = denial_body(judgement)
    for name, value in denial_headers(judgement):
        option = denied.headers.add(append_action=_OVERWRITE)
        option.header.key, option.header.value = name, value


def _tell_upstream(response: CheckResponse, changes: HeaderChanges) -> None:
    """Envoy sets first and removes then, so no name may be in both (`HeaderChanges` keeps that)."""
    ok = response.ok_response
    for name, value in changes.put:
        option = ok.headers.add(append_action=_OVERWRITE)
        option.header.key, option.header.value = name, value
    ok.headers_to_remove.extend(changes.removed)


def _describe(response: CheckResponse, judgement: Judgement) -> None:
    """Dynamic metadata (`envoy.filters.http.ext_authz`) for access logs and later filters: names joined with commas."""
    decision = judgement.decision
    fields = response.dynamic_metadata.fields
    fields["decision_id"].string_value = judgement.decision_id
    fields["effect"].string_value = decision.effect.value
    fields["reason"].string_value = decision.reason.value
    fields["rules"].string_value = ",".join(decision.rules)
    fields["identities"].string_value = ",".join(decision.identities)
    fields["generation"].string_value = decision.generation
