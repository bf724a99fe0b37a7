"""Envoy's own messages by envoy-data-plane: an encoder and decoder that shares nothing with ours."""

import warnings

with warnings.catch_warnings():
    # Its classes use a form of pydantic validators that newer pydantics warn of, at import.
    warnings.simplefilter("ignore")
    from envoy_data_plane.envoy.config.core.v3 import (
        Address,
        HeaderMap,
        HeaderValue,
        HeaderValueOption,
        SocketAddress,
    )
    from envoy_data_plane.envoy.service.auth.v3 import (
        AttributeContext,
        AttributeContextHttpRequest,
        AttributeContextPeer,
        AttributeContextRequest,
        AttributeContextTlsSession,
        CheckRequest,
        CheckResponse,
    )

__all__ = [
    "Address",
    "AttributeContext",
    "AttributeContextHttpRequest",
    "AttributeContextPeer",
    "AttributeContextRequest",
    "AttributeContextTlsSession",
    "CheckRequest",
    "CheckResponse",
    "HeaderMap",
    "HeaderValue",
    "HeaderValueOption",
    "SocketAddress",
]
