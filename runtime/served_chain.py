"""When the certificates end that our own listeners show: read again when the listener has new ones."""

from runtime.expiry import Expiring
from runtime.expiry_source import expiring_from_served
from runtime.listener_tls import LiveTls, TlsMaterial
from runtime.service_log import service_logger

_LOGGER = service_logger("tls")


class ServedChain:
    """The chain of one listener. Used by threads that report, never for a request."""

    def __init__(self, tls: LiveTls) -> None:
        self._tls = tls
        self._read: tuple[TlsMaterial, tuple[Expiring, ...]] | None = None

    def expiring(self) -> tuple[Expiring, ...]:
        """The certificates of the chain that the next handshake shows, leaf first; empty if they cannot be read."""
        self._tls.look()
        material = self._tls.material
        if self._read is None or self._read[0] is not material:
            self._read = material, self._found(material)
        return self._read[1]

    def _found(self, material: TlsMaterial) -> tuple[Expiring, ...]:
        try:
            return expiring_from_served(material.certificate)
        except ValueError as error:
            facts = {"file": self._tls.files.certificate, "error": str(error)}
            _LOGGER.warning("when the listener's certificate ends is not known", extra={"facts": facts})
            return ()
