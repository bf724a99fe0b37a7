"""Forward-auth: nginx, HAProxy, Caddy and Traefik ask about each request, and forward what is allowed themselves."""
