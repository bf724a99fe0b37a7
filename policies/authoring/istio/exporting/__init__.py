"""A peergate policy -> Istio AuthorizationPolicies that say the same, or problems (`exported_from_policy`)."""
