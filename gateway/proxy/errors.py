"""Why a request that was allowed is not answered by its upstream.

ProxyError
├── UnforwardableError      400   the request cannot be forwarded exactly as it was received
├── NoUpstreamError         503   no upstream is configured for its host and path
├── UnreachableError        502   no endpoint of the upstream could be connected to
├── UntrustedUpstreamError  502   what answered there did not prove to be the upstream
├── LostError               502   the connection ended before an answer, or the answer is not HTTP
└── SlowError               504   no connection, no answer, or nothing of a body taken within its time
"""


class ProxyError(Exception):
    """The message goes to the log; the caller reads `status` and `word`."""

    status = 502
    word = "upstream_failed"


class UnforwardableError(ProxyError):
    """The request cannot be forwarded as it was received."""

    status = 400
    word = "request_malformed"


class NoUpstreamError(ProxyError):
    """Nobody said where such requests go."""

    status = 503
    word = "no_upstream"


class UnreachableError(ProxyError):
    """No connection."""

    word = "upstream_unreachable"


class UntrustedUpstreamError(ProxyError):
    """The certificate is not the one that was asked for."""

    word = "upstream_untrusted"


class LostError(ProxyError):
    """The connection ended, or what came over it is not HTTP."""

    word = "upstream_failed"


class SlowError(ProxyError):
    """Out of time."""

    status = 504
    word = "upstream_timeout"
