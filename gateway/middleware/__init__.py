"""The policy as ASGI middleware, for any Starlette or FastAPI application (docs/middleware.md)."""

from gateway.middleware.authorization import AuthorizationMiddleware
from gateway.middleware.authorizer import Authorizer
from gateway.middleware.judged import Judged, judged_from_scope
from gateway.middleware.peer import PeerMiddleware
from gateway.middleware.requirement import requires_identity

__all__ = [
    "AuthorizationMiddleware",
    "Authorizer",
    "Judged",
    "PeerMiddleware",
    "judged_from_scope",
    "requires_identity",
]
