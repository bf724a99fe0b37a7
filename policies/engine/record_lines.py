"""Decision records as lines of JSON, fast: what many records have in common is encoded once.

Law: `RecordLines.line` says what `line_from_record` of `decision_record` says, in another order of fields. What a
certificate says is remembered for each certificate, and what was decided for each verdict; what is left to encode of a
usual request are a few texts. Whatever is unusual (an error, an unknown, a refused certificate, a text that is not
Unicode) is encoded whole.
"""

from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import TypeVar

from policies.engine.decision import Decision
from policies.engine.record import (
    MAX_RECORDED_CHARS,
    Presentation,
    add_presentation,
    certificate_fields,
    decision_record,
    header_fields,
    json_text,
    line_from_record,
    presentation_of,
    recorded_method,
    recorded_path,
    timestamp_from_epoch,
    verdict_fields,
)
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import NamedCaller, NoCertificate, PresentedCertificate

#: Certificates whose fields are kept encoded, about 1 KiB each.
MAX_ENCODED_CERTIFICATES = 8192
#: Verdicts whose fields are kept encoded, about 500 bytes each.
MAX_ENCODED_VERDICTS = 8192
#: How JSON writes every half of a surrogate pair; a lone half is what strict parsers refuse.
_SURROGATE = "\\ud"

_Key = TypeVar("_Key")


class RecordLines:
    """Lines of decision records, for one thread."""

    __slots__ = ("_certificates", "_verdicts")

    def __init__(self) -> None:
        self._certificates: dict[bytes, str | None] = {}
        self._verdicts: dict[tuple[object, ...], str | None] = {}

    def line(
        self,
        decision: Decision,
        request: Request | None,
        *,
        decision_id: str,
        enforcement: str,
        time: float,
        latency: float,
        labels: Mapping[str, str],
        trace_id: str | None = None,
        following: Decision | None = None,
    ) -> str:
        """One line of JSON, ASCII, without a line end. The arguments are those of `decision_record`."""
        if request is not None and _is_usual(decision, request):
            asked = _trace(trace_id) + _request(decision, request)
            decided = self._verdict(decision, request, enforcement, labels, following)
            certificate = self._certificate(request)
            if decided is not None and certificate is not None and _SURROGATE not in asked:
                return (
                    f'{{"@timestamp":"{timestamp_from_epoch(time)}","decision_id":{quoted(decision_id)},'
                    f'"latency_us":{latency * 1e6:.1f},{decided},{asked}{certificate}}}'
                )
        record = decision_record(
            decision,
            request,
            decision_id=decision_id,
            enforcement=enforcement,
            time=time,
            latency=latency,
            labels=labels,
            trace_id=trace_id,
            following=following,
        )
        return line_from_record(record)

    def _verdict(
        self,
        decision: Decision,
        request: Request,
        enforcement: str,
        labels: Mapping[str, str],
        following: Decision | None,
    ) -> str | None:
        """The fields of a usual verdict; None if they hold a lone surrogate.

        INVARIANT: the key holds all that `verdict_fields` and `add_presentation` read of a usual request.
        """
        key = (
            decision.generation,
            enforcement,
            decision.reason,
            decision.rules,
            decision.identities,
            decision.trust,
            tuple(labels.items()) if labels else (),
            type(request.peer),
            None if following is None else (following.generation, following.reason, following.rules),
        )
        if key not in self._verdicts:
            fields = verdict_fields(decision, enforcement, labels, following)
            add_presentation(fields, decision, request.peer)
            _keep(self._verdicts, key, json_text(fields)[1:-1], MAX_ENCODED_VERDICTS)
        return self._verdicts[key]

    def _certificate(self, request: Request) -> str | None:
        """The fields of a certificate, after a comma; None if they hold a lone surrogate."""
        peer = request.peer
        if not isinstance(peer, PresentedCertificate | NamedCaller):
            return ""
        if peer.key not in self._certificates:
            text = f",{json_text(certificate_fields(peer))[1:-1]}"
            _keep(self._certificates, peer.key, text, MAX_ENCODED_CERTIFICATES)
        return self._certificates[peer.key]


def _is_usual(decision: Decision, request: Request) -> bool:
    """Whether nothing of the verdict is about this one request."""
    if decision.problems or decision.unknown or decision.shadow is not None:
        return False
    if isinstance(request.peer, PresentedCertificate):
        return presentation_of(decision.reason) is Presentation.VERIFIED
    return isinstance(request.peer, NoCertificate | NamedCaller)


def _trace(trace_id: str | None) -> str:
    return "" if trace_id is None else f'"trace.id":{quoted(trace_id)},'


def _request(decision: Decision, request: Request) -> str:
    path, query, _ = request.target.partition("?")
    source = "null" if request.source_ip is None else quoted(str(request.source_ip))
    fields = (
        f'"http.request.method":{quoted(recorded_method(request))},'
        f'"url.domain":{quoted(request.host[:MAX_RECORDED_CHARS])},"url.path":{quoted(recorded_path(path))},'
        f'"request.query_present":{"true" if query else "false"},"source.ip":{source}'
    )
    if request.sni is not UNREPORTED:
        name = "null" if request.sni is None else quoted(request.sni[:MAX_RECORDED_CHARS])
        fields += f',"tls.client.server_name":{name}'
    headers = header_fields(decision, request)
    return f"{fields},{json_text(headers)[1:-1]}" if headers else fields


def _keep(kept: dict[_Key, str | None], key: _Key, text: str, limit: int) -> None:
    if len(kept) >= limit:
        kept.clear()
    kept[key] = None if _SURROGATE in text else text
