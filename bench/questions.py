"""What Envoy asks peergate about a GET of one caller, in both forms of ext_authz.

Fields and headers are those that Envoy sends with the configuration in `runtime.envoy`: the certificate, raw headers,
XFCC with the chain, the connection's address, the SNI.
"""

from bench.http2 import Http2Request, grpc_request
from bench.scenario import LITERAL_PATH, Caller
from extauth.health import AUTHORIZATION
from extauth.wire.messages import AttributeContext, CheckRequest

#: How a CheckResponse with status OK begins: field 1, `google.rpc.Status`, empty, since its code is 0.
GRPC_OK = b"\x0a\x00"
_CLIENT = "10.20.30.40"


def check_request(caller: Caller) -> CheckRequest:
    """The question over gRPC."""
    check = CheckRequest()
    attributes = check.attributes
    attributes.source.address.socket_address.address = _CLIENT
    attributes.source.address.socket_address.port_value = 51_234
    attributes.source.principal = f"{caller.uri}"
    attributes.source.certificate = caller.percent_pem
    attributes.destination.address.socket_address.address = "10.20.30.41"
    attributes.destination.address.socket_address.port_value = 8443
    attributes.request.time.seconds = int(caller.issued.certificate.not_valid_before_utc.timestamp())
    attributes.tls_session.sni = caller.host
    http: AttributeContext.HttpRequest = attributes.request.http
    http.id, http.method, http.path, http.host = "9134671237841237", "GET", LITERAL_PATH, caller.host
    http.scheme, http.protocol, http.size = "https", "HTTP/2", -1
    pseudo = {":authority": caller.host, ":method": "GET", ":path": LITERAL_PATH, ":scheme": "https"}
    for name, value in (pseudo | _headers(caller)).items():
        http.header_map.headers.add(key=name, raw_value=value.encode())
    return check


def grpc_question(caller: Caller) -> Http2Request:
    """The question over gRPC as it goes over the wire."""
    return grpc_request(f"/{AUTHORIZATION}/Check", check_request(caller).SerializeToString())


def http_question(caller: Caller) -> bytes:
    """The question over HTTP as it goes over the wire: of the headers, what Envoy is told to show, and its own."""
    shown = {name: value for name, value in _headers(caller).items() if name.startswith(("x-forwarded", "traceparent"))}
    fields = {"host": caller.host, "content-length": "0", "x-envoy-internal": "true", **shown}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"GET {LITERAL_PATH} HTTP/1.1\r\n{head}\r\n".encode()


def _headers(caller: Caller) -> dict[str, str]:
    return {
        "user-agent": "Go-http-client/2.0",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "x-request-id": "7a1c9f0e-5d1f-4a1e-9d5c-0f3c8f5f3a11",
        "x-forwarded-proto": "https",
        "x-forwarded-for": _CLIENT,
        "x-forwarded-client-cert": caller.xfcc,
    }
