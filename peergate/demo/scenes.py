"""The two places of enforcement that the demo shows: an Envoy with the policy inside, and the gateway."""

from peergate.demo.scene import Scene
from peergate.demo.service import GatewayProcess, UpProcess
from peergate.demo.tour import Call
from policies.engine.record import Enforcement


class UpScene(Scene):
    """`peergate up`: Envoy decides what it can say, and asks about the rest."""

    service = UpProcess

    def enforcement_of(self, wanted: Call) -> Enforcement:
        """Inside Envoy, unless it must ask."""
        return Enforcement.EXTAUTH if wanted.asked else Enforcement.NATIVE


class AskingScene(Scene):
    """`peergate up --no-native`: Envoy asks about every request."""

    service = UpProcess

    def enforcement_of(self, _wanted: Call) -> Enforcement:
        """Never inside Envoy."""
        return Enforcement.EXTAUTH


class GatewayScene(Scene):
    """`peergate gateway serve`."""

    service = GatewayProcess

    def enforcement_of(self, _wanted: Call) -> None:
        """In the gateway, which is the only place here."""
