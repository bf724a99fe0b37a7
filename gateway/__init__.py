"""The standalone gateway, middleware and forward-auth: not there yet."""
