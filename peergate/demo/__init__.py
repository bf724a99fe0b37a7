"""`peergate demo`: a throw-away PKI, an upstream, `peergate up`, and a tour of allowed and denied calls."""

from peergate.demo.run import run_demo

__all__ = ["run_demo"]
