"""Composition: peergate's ext_authz service on a socket, an Envoy in front of it, and the records of both."""

from collections.abc import Callable
from pathlib import Path
from time import time

from extauth.configuration import ExtauthSettings
from extauth.front import ExtauthFront
from extauth.native.report import report_from_policy
from extauth.native.told import NOTHING_MORE, Told, told_for
from peergate.up.configuration import UpSettings
from peergate.up.envoy import UpEnvoy
from peergate.up.folder import RunFolder
from peergate.up.handshakes import Handshakes
from peergate.up.records import NativeRecords
from policies.engine.policy_set import PolicySet
from runtime.address import TcpAddress, UnixAddress
from runtime.listener_tls import LiveTls
from runtime.process_status import FrontReport
from runtime.served_chain import ServedChain
from runtime.service import Serving
from runtime.service_log import service_logger

_LOGGER = service_logger("up")


class UpFront:
    """Everything on one machine (`runtime.service.Front`)."""

    def __init__(self, settings: UpSettings, started: Callable[["UpFront"], None], serving: Serving) -> None:
        """`started` is told when everything serves. Raises ConfigurationError for bad TLS files."""
        self._settings = settings
        self._started = started
        self.live = serving.live
        self._folder = RunFolder()
        socket = UnixAddress(str(self._folder.path / "extauth.sock"))
        tls = LiveTls(settings.tls)
        self._served = ServedChain(tls)
        self._extauth = ExtauthFront(ExtauthSettings(socket), serving)
        self._envoy = UpEnvoy(settings, tls, self._folder.path, socket)
        self._records = NativeRecords(
            self._envoy.access_log,
            serving,
            Handshakes(serving.metrics, self._envoy.handshakes_done),
            self._envoy.reopen_logs,
        )
        self._applied: PolicySet | None = None
        self._following = serving.following
        self.native_share = 0.0
        serving.live.on_change(self._apply)
        if serving.following is not None:
            serving.following.on_change(self._tell)

    @property
    def address(self) -> TcpAddress:
        """Where Envoy listens."""
        return self._envoy.address

    @property
    def folder(self) -> Path:
        """Where the files of Envoy are, its own log among them."""
        return self._folder.path

    @property
    def native(self) -> bool:
        """Whether Envoy decides by itself what it can."""
        return self._settings.native

    def start(self) -> None:
        """Serve, and return when Envoy does. Raises ConfigurationError, with nothing left behind."""
        try:
            self._extauth.start()
            self._put_in_force(self.live.current)
            self._envoy.start()
            self._records.start()
        except BaseException:
            self.stop(0)
            raise
        self._started(self)

    def stop(self, seconds: float) -> None:
        """Envoy first: what it lets through is asked and recorded to the end."""
        self._envoy.stop(seconds)
        self._records.stop()
        self._extauth.stop(seconds)
        self._folder.remove()

    def report(self) -> FrontReport:
        """For the health detail."""
        found = self._extauth.report()
        notices = list(found.notices)
        if self._envoy.restarts:
            times = "once" if self._envoy.restarts == 1 else f"{self._envoy.restarts} times"
            notices.append(f"Envoy ended and was started anew, {times}")
        if self._envoy.trouble:
            notices.append(self._envoy.trouble)
        return FrontReport(
            tuple(notices),
            found.cached_certificates,
            envoy_restarts=self._envoy.restarts,
            served=self._served.expiring(),
            is_prepared=self._envoy.is_running,
        )

    def _apply(self) -> None:
        policy = self.live.current
        if policy is not self._applied:
            self._put_in_force(policy)

    def _put_in_force(self, policy: PolicySet | None) -> None:
        now = time()
        if policy is not None:
            self._records.know(policy)
        self._envoy.apply(policy, now, self._told(policy))
        self._applied = policy
        if policy is not None:
            self.native_share = report_from_policy(policy, now).native_share if self._settings.native else 0.0

    def _tell(self) -> None:
        """The next policy has changed: it may ask for other headers."""
        self._envoy.tell(self._told(self.live.current))

    def _told(self, policy: PolicySet | None) -> Told:
        following = None if self._following is None else self._following.current
        return told_for(policy, following) if self._settings.native else NOTHING_MORE
