"""What ends a connection before it is one.

ConnectionRefused
└── ProxyHeaderError   a trusted balancer did not begin with a PROXY header that can be read
"""


class ConnectionRefused(Exception):  # noqa: N818 - a refusal, not a mistake of ours
    """The connection is closed. The message is for the log."""


class ProxyHeaderError(ConnectionRefused):
    """No PROXY protocol version 2 header, or one that is malformed."""
