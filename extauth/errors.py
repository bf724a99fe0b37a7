"""What is wrong with what Envoy, or something in its place, sent.

CheckError
├── MalformedCheckError   not a readable description of one HTTP request: it is denied as `request_malformed`
└── UntrustedHopError     whoever calls over HTTP may not speak for others (law 7): denied likewise

A refusal to start is a `runtime.errors.ConfigurationError`.
"""


class CheckError(ValueError):
    """A question that cannot be judged. The message goes to log and console, never to the caller."""


class MalformedCheckError(CheckError):
    """Not a readable description of one HTTP request."""


class UntrustedHopError(CheckError):
    """Everything in the question is hearsay, as its sender is no trusted hop."""
