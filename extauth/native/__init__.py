"""The policy inside Envoy: a PolicySet becomes filters that decide most requests without asking anybody."""
