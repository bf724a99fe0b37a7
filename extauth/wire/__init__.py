"""The messages of Envoy's ext_authz service, generated from `proto/` into a descriptor pool of their own."""
