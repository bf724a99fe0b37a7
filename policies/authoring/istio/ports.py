"""Istio's `ports` and `destination.port`, worked out for the one port that the workloads serve on."""

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.errors import NotCarriedError
from policies.authoring.istio.resource import Texts
from policies.language.wording import quoted

_MAX_PORT = 65535


def port_is_meant(port: int | None, values: Texts, not_values: Texts) -> bool:
    """Whether requests to `port` match; `values` empty: any port. Raises NotCarriedError."""
    wanted, unwanted = ({_port(value.text) for value in texts} for texts in (values, not_values))
    for value in (*values, *not_values):
        if _port(value.text) is None:
            raise NotCarriedError(value, ImportCode.INVALID, f"{quoted(value.text)} is no port", "it has digits only")
    if port is None and (values or not_values):
        word = (*values, *not_values)[0]
        message = f"whether a request came to port {word.text} is nothing that peergate is told"
        hint = "say on which port the workloads serve: --port PORT"
        raise NotCarriedError(word, ImportCode.UNSUPPORTED, message, hint)
    return (not values or port in wanted) and port not in unwanted


def _port(text: str) -> int | None:
    is_port = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_PORT)) and int(text) <= _MAX_PORT
    return int(text) if is_port else None
