"""What a SPIFFE Workload API sends: whoever answers on that socket says whom to trust."""

import logging

from fuzz.target import Target, require
from fuzz.world import der
from policies.peer.spiffe import TrustDomain
from policies.peer.spiffe_bundle import authorities_from_der
from runtime.metrics import Metrics
from runtime.workload_told import WorkloadTold

# What is refused is logged, which is not what is looked at here.
logging.getLogger("peergate.spiffe").setLevel(logging.CRITICAL)
_DOMAIN = TrustDomain("acme.internal")
_METRICS = Metrics()


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field of a protobuf message; lengths below 16 384 in two bytes."""
    return bytes([number << 3 | 2, len(value) & 0x7F | 0x80, len(value) >> 7]) + value


def _message(*bundles: tuple[str, bytes]) -> bytes:
    return b"".join(_field(2, _field(1, name.encode()) + _field(2, value)) for name, value in bundles)


_GOOD = _message(("spiffe://acme.internal", der("root")))


def _check(data: bytes) -> None:
    told = WorkloadTold("unix:///run/agent.sock", _METRICS)
    require(told.latest(_DOMAIN) is None, "nobody is trusted before anything was told")
    told.take(_GOOD)
    before = told.latest(_DOMAIN)
    problem = told.take(data)
    after = told.latest(_DOMAIN)
    require(after is not None and all(ca.is_ca for ca in authorities_from_der(after)), "only a CA vouches for others")
    require(after == before or not problem or "CRL" in problem, "a message that is refused changes nothing")


TARGET = Target(
    "workload",
    "a message of a Workload API is taken whole, or the last good bundle stays",
    (
        _GOOD,
        _message(("spiffe://acme.internal", der("root") + der("issuing")), ("spiffe://other.example", der("root"))),
        _message(("spiffe://acme.internal", b""), ("spiffe://other.example", der("root"))),
        _field(1, b"\x30\x00") + _GOOD,
    ),
    _check,
    (b"\x12", b"\x0a", b"\x30\x82", b"spiffe://", b"acme.internal", b"/", b"\x80\x80\x80\x80\x01", b"\x08\x01"),
)
