"""`peergate up`: Envoy with mTLS, the policy inside it, and peergate for what Envoy asks, on one machine."""
