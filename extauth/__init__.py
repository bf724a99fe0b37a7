"""The ext_authz service: what Envoy asks becomes a `Request`, and the judgement on it becomes Envoy's answer."""
