"""grpc.health.v1: SERVING while there is a policy, answered from the policy itself at the time of the question.

The names that are known are the server as a whole (empty) and the authorization service.
"""

from collections.abc import Callable

from google.protobuf.message import DecodeError

from extauth.wire.messages import HealthCheckRequest, HealthCheckResponse

SERVICE = "grpc.health.v1.Health"
AUTHORIZATION = "envoy.service.auth.v3.Authorization"
_KNOWN = frozenset({"", AUTHORIZATION})


def health_answer(message: bytes, is_serving: Callable[[], bool]) -> bytes | None:
    """Answer `grpc.health.v1.HealthCheckRequest`; None for a service that is not known (gRPC status NOT_FOUND)."""
    try:
        service = HealthCheckRequest.FromString(message).service
    except DecodeError:
        return None
    if service not in _KNOWN:
        return None
    status = HealthCheckResponse.SERVING if is_serving() else HealthCheckResponse.NOT_SERVING
    return HealthCheckResponse(status=status).SerializeToString()
