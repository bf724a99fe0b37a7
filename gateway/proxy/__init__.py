"""The reverse proxy behind the gateway: what was allowed is forwarded as it was received."""
