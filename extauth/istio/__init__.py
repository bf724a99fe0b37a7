"""A policy in an Istio mesh: what `peergate policy export istio` prints, and what deploy/istio is made of."""
