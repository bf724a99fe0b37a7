"""The bounds that a user may set."""

from dataclasses import dataclass

from gateway.server import limits


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one listener takes at most; `gateway.server.limits` says what each is about."""

    max_connections: int = limits.MAX_CONNECTIONS
    max_address_connections: int = limits.MAX_ADDRESS_CONNECTIONS
    idle_seconds: float = limits.IDLE_SECONDS
    max_age_seconds: float = limits.MAX_AGE_SECONDS
    max_body_bytes: int = limits.MAX_BODY_BYTES
