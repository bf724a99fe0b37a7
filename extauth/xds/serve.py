"""`serve`: the discovery service as a whole, until a signal ends it."""

from extauth.xds.configuration import XdsConfiguration, XdsSettings
from extauth.xds.front import XdsFront
from extauth.xds.native import NativeCompiler
from runtime.address import TcpAddress
from runtime.envoy.ext_authz import Authorization
from runtime.run import run_service
from runtime.service import Serving

#: Where the Envoys ask is in their own configuration, as the cluster that the filter names.
_ASKING = Authorization(TcpAddress("127.0.0.1", 0))


def serve(configuration: XdsConfiguration, settings: XdsSettings) -> None:
    """Serve until SIGTERM or SIGINT; returns after the drain. Call it from the main thread.

    Raises ConfigurationError, with nothing left open.
    """
    compiler = NativeCompiler(_ASKING, settings.listener_ports)
    fronts: list[XdsFront] = []

    def front(serving: Serving) -> XdsFront:
        fronts.append(XdsFront(settings, serving, compiler, compiler.until))
        return fronts[0]

    def fleet() -> object:
        return fronts[0].hub.json()

    run_service(configuration, front, (settings.listen,), {"/fleet": fleet})
