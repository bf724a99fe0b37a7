"""The TLS context that the next connection gets: made anew when the certificate or the policy's trust changes.

A connection keeps the context it began with, so nothing is dropped by a change; what it may do is judged on every
request by the policy in force.
"""

import ssl
from collections.abc import Callable
from threading import Event, Lock, Thread

from gateway.server import limits
from gateway.server.tls_context import GatewayContext
from policies.engine.policy_set import PolicySet
from runtime.current_policy import CurrentPolicy
from runtime.errors import ConfigurationError
from runtime.listener_tls import LiveTls, TlsMaterial
from runtime.service_log import service_logger

_LOGGER = service_logger("tls")


def is_certificate_required(policy: PolicySet | None) -> bool:
    """Whether who has no certificate is turned away by the handshake. Without a policy it is the judge who refuses."""
    return policy is not None and not policy.allows_unauthenticated


class LiveContexts:
    """Makes contexts. `current` may be read by any thread."""

    def __init__(
        self,
        tls: LiveTls,
        live: CurrentPolicy,
        *,
        minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        required: Callable[[PolicySet | None], bool] = is_certificate_required,
    ) -> None:
        """`required`: whether a handshake without certificate fails. Raises ConfigurationError if `tls` is unusable."""
        self._tls = tls
        self._live = live
        self._minimum = minimum
        self._required = required
        self._lock = Lock()
        self._ending = Event()
        self._thread = Thread(target=self._watch, name="tls-watch", daemon=True)
        self._is_prepared = live.current is not None
        self._made_of = self._facts()
        self.current = self._made()

    def start(self) -> None:
        """Watch the certificate files."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def renew(self) -> None:
        """Look whether anything has changed. For the thread that loads policies, and for the watch."""
        with self._lock:
            self._tls.look()
            has_policy = self._live.current is not None
            facts = self._facts()
            if facts != self._made_of:
                self._made_of = facts
                self._replace()
            self._is_prepared = has_policy

    @property
    def is_prepared(self) -> bool:
        """Whether handshakes go by a policy: a policy is in force some milliseconds before it has its context."""
        return self._is_prepared

    def _replace(self) -> None:
        try:
            self.current = self._made()
        except ConfigurationError as error:
            _LOGGER.error(  # noqa: TRY400 - the message says it all
                "no new TLS context, the last one stays", extra={"facts": {"error": str(error)}}
            )

    def _facts(self) -> tuple[TlsMaterial, tuple[bytes, ...], bool]:
        policy = self._live.current
        return self._tls.material, () if policy is None else policy.trust.client_ca_ders(), self._required(policy)

    def _made(self) -> GatewayContext:
        material, client_cas, required = self._made_of
        return GatewayContext.of(material, self._tls.files, client_cas, required=required, minimum=self._minimum)

    def _watch(self) -> None:
        while not self._ending.wait(limits.TLS_LOOK_SECONDS):
            self.renew()
