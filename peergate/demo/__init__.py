"""`peergate demo`: a throw-away PKI, an upstream, Envoy and peergate, and a tour of allowed and denied calls."""

from peergate.demo.run import run_demo

__all__ = ["run_demo"]
