"""Istio AuthorizationPolicies -> a peergate policy that says the same, or problems (`imported_from_files`)."""
