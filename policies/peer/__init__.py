"""What a certificate proves: X.509 facts, names, SPIFFE IDs, forwarded certificates, trust and revocation."""
