"""Serving an application of one's own with our TLS server: others do not tell an application who connects."""

import gc
import signal
from typing import Any

from gateway.middleware import Authorizer
from gateway.server.live_contexts import LiveContexts
from gateway.server.server import GatewayServer
from runtime.address import address_from_text
from runtime.limits import YOUNG_OBJECTS
from runtime.listener import listener_from_address
from runtime.listener_tls import LiveTls, TlsFiles
from runtime.service_log import start_service_log
from runtime.signals import SignalInbox

#: Seconds that requests under way may take once a signal has come.
_DRAIN_SECONDS = 20.0
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT})


def serve_application(app: Any, authorizer: Authorizer, *, listen: str, cert: str, key: str) -> None:
    """Serve `app`, an ASGI application that AuthorizationMiddleware wraps, over mTLS until SIGTERM or SIGINT.

    `listen`: `HOST:PORT` or `unix:/path`; `cert`, `key`: PEM files, read again when they change. Client CAs are those
    of the policy. Call it from the main thread. Raises ConfigurationError before anything listens.
    """
    start_service_log()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    contexts = LiveContexts(LiveTls(TlsFiles(cert, key, flag_prefix="")), authorizer)
    server = GatewayServer(app, listener_from_address(address_from_text(listen)), lambda: contexts.current)
    with SignalInbox() as signals:
        server.start()
        contexts.start()
        try:
            while _ENDING.isdisjoint(signals.received(None)):
                pass
        finally:
            contexts.stop()
            server.stop(_DRAIN_SECONDS)
            authorizer.close()
