"""The TLS server under the gateway: who connects, for how long, and what the application is told of it."""
