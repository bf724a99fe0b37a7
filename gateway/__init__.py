"""The gateway: a TLS server, the policy as ASGI middleware, and a reverse proxy; each of use without the others."""
