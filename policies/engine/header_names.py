"""Header names that mean something to proxies: what no rule may read or set, what never passes as sent (law 7).

All names are lower case. A received name is compared after `_` has become `-`, as servers that map headers to variables
(CGI, WSGI) cannot tell the two apart.
"""

#: Carry or claim an identity: believed only from a trusted hop, never passed on as sent.
IDENTITY_HEADERS = frozenset({"x-forwarded-client-cert", "client-cert", "client-cert-chain"})
IDENTITY_PREFIXES = ("ssl-client-", "x-forwarded-tls-", "x-peergate-")
#: Make some frameworks see another path or method than the one that was judged.
REWRITING_HEADERS = frozenset(
    {"x-original-url", "x-rewrite-url", "x-http-method", "x-http-method-override", "x-method-override"}
)
#: Say where a request came from: every proxy writes them anew, so what was judged is not what the upstream gets.
ORIGIN_HEADERS = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"}
)
#: Belong to one connection (RFC 9110 §7.6.1) or frame the message (RFC 9112 §6).
CONNECTION_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def folded_name(name: str) -> str:
    """`name` as servers compare it: lower case, `_` as `-`."""
    return name.lower().replace("_", "-")


def is_identity_header(name: str) -> bool:
    """Whether the folded `name` carries or claims an identity."""
    return name in IDENTITY_HEADERS or name.startswith(IDENTITY_PREFIXES)


def is_reserved(name: str) -> bool:
    """Whether no rule may read or set the folded `name`."""
    return name == "host" or name.startswith(":") or name in CONNECTION_HEADERS or is_identity_header(name)
