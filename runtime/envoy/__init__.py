"""Envoy as peergate runs it: the binary, its configuration, its process."""
