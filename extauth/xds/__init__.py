"""The discovery service: one policy, compiled for Envoy, delivered to a fleet of Envoys and confirmed by each."""
