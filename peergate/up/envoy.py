"""The Envoy of `up`: what it is told, in files that it follows, and that it runs."""

import os
import socket
import ssl
import time
from contextlib import closing
from dataclasses import replace
from math import inf
from pathlib import Path
from threading import Event, Lock, RLock, Thread

from extauth.native.admission import Admission
from extauth.native.change import heeding_changes
from extauth.native.compile import Compiled, asking_everything, compiled_from_policy
from extauth.native.files import EXTENSION, LISTENER, SECRET, EnvoyFiles
from extauth.native.filters import (
    POLICY,
    discovered_filters,
    manager_options,
    network_filters,
    policy_filter,
    route_options,
    shadow_filter,
    told_filter,
)
from extauth.native.handshakes import handshake_log
from extauth.native.records import access_log
from extauth.native.shadow import shadow_from_policy
from extauth.native.told import NOTHING_MORE, Told
from extauth.wire.errors import EncodeError
from peergate.up.change import CHANGE_FILE, TellChange
from peergate.up.configuration import UpSettings
from peergate.up.taken import Taken
from policies.engine.policy_set import PolicySet
from runtime.address import TcpAddress, UnixAddress
from runtime.complaint import Complaint
from runtime.envoy.binary import find_envoy
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings, listener_from_settings
from runtime.envoy.connection_manager import NativeFilters
from runtime.envoy.errors import EnvoyError
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.proto_json import Json
from runtime.envoy.tls import SERVER_SECRET, DiscoveredTls, InlineTrust
from runtime.errors import ConfigurationError, ListenError
from runtime.listener import bound_from_address
from runtime.listener_tls import LiveTls
from runtime.service_log import service_logger

_LOGGER = service_logger("envoy")
LISTENER_FILE, POLICY_FILE, SHADOW_FILE, TOLD_FILE = "listener", "policy", "shadow", "told"
#: Seconds between two looks at the process and at the files of the listener's certificate.
LOOK_SECONDS = 0.25
_NOT_TAKEN = policy_filter(asking_everything("policy-not-taken"))
#: Seconds before another try to start an Envoy that did not start, and for which the end waits for one that does.
TRY_AGAIN_SECONDS = 2.0


class UpEnvoy:
    """One Envoy in a folder that nobody else may read, kept up to date, and started anew if it ends."""

    def __init__(self, settings: UpSettings, tls: LiveTls, folder: Path, authorization: UnixAddress) -> None:
        """Raises ListenError."""
        self._settings = settings
        self._tls = tls
        self._folder = folder
        self._files = EnvoyFiles(folder, frozenset({POLICY_FILE}))
        self._authorization = Authorization(authorization)
        self._address = _resolved(settings.listen)
        self._claim = _claimed(self._address)
        self._process: EnvoyProcess | None = None
        self._mourned: EnvoyProcess | None = None
        self._stopping, self._stopped = Event(), Event()
        # Held while Envoy is started anew.
        self._starting = Lock()
        self._start_complaint, self._complaint = Complaint(), Complaint()
        self._thread = Thread(target=self._look_after, name="envoy", daemon=True)
        # Policies are applied by the thread that loads them, and again by the one that looks after Envoy.
        self._applying = RLock()
        # When what Envoy has is to be compiled anew, epoch seconds.
        self._until = inf
        self._told = NOTHING_MORE
        self._taken = Taken()
        self._change = TellChange(self._files, POLICY_FILE)
        #: Why Envoy does not have the policy that is in force; empty if it has.
        self.trouble = ""
        # What an Envoy would start with is a policy that is not in force.
        self._is_outdated = False
        self.access_log = folder / "access.log"
        self.restarts = 0

    @property
    def address(self) -> TcpAddress:
        """Where it listens, with the port that was chosen for port 0."""
        return self._address

    @property
    def pid(self) -> int:
        """The process id of Envoy; 0 before `start`."""
        return 0 if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether there is an Envoy."""
        return self._process is not None and self._process.is_running

    def start(self) -> None:
        """Start Envoy with what `apply` has written, wait until it serves. Raises ConfigurationError."""
        self._write_server_certificate()
        try:
            self._process = self._started()
        except (EnvoyError, OSError) as error:
            raise ConfigurationError(f"Envoy does not start: {error}") from None
        self._thread.start()

    def apply(self, policy: PolicySet | None, now: float, told: Told | None = None) -> None:
        """Tell Envoy the policy that is in force from `now` on (epoch seconds). Raises OSError.

        What is new is told at once; a large policy waits where that is all (`peergate.up.change`).
        `told`: what its access log tells from now on; None = what it has told.
        """
        # Not held up by a policy that is being compiled in the other thread.
        may_wait = told is None or told == self._told
        if self._tell_change(policy, now) and may_wait:
            return
        with self._applying:
            self._told = self._told if told is None else told
            self._apply_whole(now)

    def _apply_whole(self, now: float) -> None:
        """The last policy that was told."""
        # INVARIANT: what is written in part only is due, until it is written whole.
        self._until = -inf
        policy = self._change.begin()
        compiled = self._compiled(policy, now)
        self._write_policy(compiled)
        self._change.written(policy)
        shadow = None if policy is None or compiled.admission is None else self._shadow(policy, now)
        self._files.write(SHADOW_FILE, EXTENSION, shadow_filter(shadow))
        self._files.write(TOLD_FILE, EXTENSION, told_filter(self._told))
        settings = self._envoy_settings(policy, compiled.admission)
        self._files.write(LISTENER_FILE, LISTENER, listener_from_settings(settings))
        until = inf if compiled.admission is None else compiled.admission.until
        self._until = until if until > now else inf

    def tell(self, told: Told) -> None:
        """Have the access log tell this, with the policy as it is. Raises OSError."""
        with self._applying:
            self._told = told
            self._files.write(TOLD_FILE, EXTENSION, told_filter(told))

    def stop(self, seconds: float) -> None:
        """Take nothing more, give open requests `seconds`, end."""
        self._stopping.set()
        waited = self._starting.acquire(timeout=TRY_AGAIN_SECONDS)
        if self._process is not None:
            self._process.drain(seconds)
            self._process.stop()
        if waited:
            self._starting.release()
        self._claim.close()
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(LOOK_SECONDS * 4)

    def reopen_logs(self) -> None:
        """Have Envoy open its access log anew. Raises OSError while Envoy does not answer."""
        if self._process is not None:
            self._process.admin.reopen_logs()

    def handshakes_done(self) -> int:
        """TLS handshakes that this Envoy has done; 0 before `start`. Raises OSError while it does not answer."""
        return 0 if self._process is None else self._process.admin.handshakes_done()

    def _compiled(self, policy: PolicySet | None, now: float) -> Compiled:
        if policy is None or not self._settings.native:
            return asking_everything("no-policy" if policy is None else "not-native")
        try:
            return compiled_from_policy(policy, now, (self._address.port,))
        except Exception:
            # The old policy must not stay in force inside Envoy.
            _LOGGER.exception("the policy could not be compiled for Envoy, which asks about every request now")
            return asking_everything("internal-error")

    def _tell_change(self, policy: PolicySet | None, now: float) -> bool:
        """Whether the policy itself may wait. Raises OSError as `_write_policy`."""
        try:
            return self._change.tell(policy, now, native=self._settings.native)
        except OSError as error:
            with self._applying:
                self._until = -inf
                self._ask_everything(f"cannot be told the policy ({error.strerror or error})")
            raise
        except Exception:
            _LOGGER.exception("what is new in the policy could not be told ahead of it; Envoy is told the policy now")
            return False

    def _write_policy(self, compiled: Compiled) -> None:
        """Raises OSError; then Envoy asks about every request, or has ended: the old policy does not stay in force."""
        heeding = replace(compiled, decides=heeding_changes(compiled))
        try:
            self._files.keep_spare(POLICY_FILE, EXTENSION, _NOT_TAKEN)
            self._files.write(POLICY_FILE, EXTENSION, policy_filter(heeding))
        except EncodeError as error:
            _LOGGER.exception("the policy could not be compiled for Envoy, which asks about every request now")
            self._ask_everything(f"cannot be told the policy ({error})")
            return
        except OSError as error:
            self._ask_everything(f"cannot be told the policy ({error.strerror or error})")
            raise
        self.trouble, self._is_outdated = "", False
        self._taken.tell(self._files.version(POLICY_FILE))

    def _ask_everything(self, why: str) -> None:
        """Whatever policy Envoy has, it decides nothing by it any more."""
        try:
            if not self._files.holds(POLICY_FILE, EXTENSION, _NOT_TAKEN):
                self._files.put_spare(POLICY_FILE)
                self._taken.tell(self._files.version(POLICY_FILE))
        except OSError as error:
            self._is_outdated = True
            self._end_envoy(f"{why}, nor to ask ({error.strerror or error})")
        else:
            self.trouble = f"Envoy {why}, and asks about every request"

    def _end_envoy(self, why: str) -> None:
        self.trouble = f"Envoy {why}, and was ended"
        if self._process is not None:
            self._process.stop()

    def _look_whether_the_policy_is_taken(self) -> None:
        """What Envoy refuses, as being too large, it tells nobody. Raises OSError while it does not answer."""
        process = self._process
        if process is None or not process.is_running or not self._taken.is_open:
            return
        try:
            version = process.admin.filter_version(POLICY)
        except TimeoutError:
            if self._taken.may_be_busy:
                return
            raise
        with self._applying:
            if not self._taken.is_refused(version):
                if version == self._files.version(POLICY_FILE):
                    self._change.taken()
                return
            if self._files.holds(POLICY_FILE, EXTENSION, _NOT_TAKEN):
                self._end_envoy("takes no policy any more")
            else:
                self._ask_everything("refuses the policy, as its log says")
        _LOGGER.error("Envoy does not have the policy that is in force", extra={"facts": {"trouble": self.trouble}})

    def _shadow(self, policy: PolicySet, now: float) -> Json | None:
        try:
            return shadow_from_policy(policy, now, (self._address.port,))
        except Exception:
            _LOGGER.exception("the shadow rules could not be compiled for Envoy; nothing else is affected")
            return None

    def _envoy_settings(self, policy: PolicySet | None, admission: Admission | None = None) -> EnvoySettings:
        source = self._files.source
        return EnvoySettings(
            listen=self._address,
            tls=DiscoveredTls(
                source(SERVER_SECRET),
                self._client_cas(policy),
                require_client_certificate=policy is None or not policy.allows_unauthenticated,
            ),
            authorization=self._authorization,
            upstream=self._settings.upstream,
            admin=UnixAddress(str(self._folder / "admin.sock")),
            native=NativeFilters(
                of_connection=tuple(network_filters(admission)),
                of_request=tuple(
                    discovered_filters(
                        source(POLICY_FILE),
                        source(CHANGE_FILE),
                        source(SHADOW_FILE),
                        source(TOLD_FILE),
                        self._authorization,
                    )
                ),
                of_manager=manager_options(admission),
                of_route=route_options(admission),
                access_log=access_log(str(self.access_log)),
                listener_log=handshake_log(str(self.access_log)),
            ),
        )

    def _client_cas(self, policy: PolicySet | None) -> InlineTrust:
        """Without a policy only the listener's own certificate is trusted, so that nobody gets in."""
        ders = () if policy is None else policy.trust.client_ca_ders()
        pem = "".join(map(ssl.DER_cert_to_PEM_cert, ders)) or self._tls.material.certificate.decode("ascii", "replace")
        return InlineTrust(pem)

    def _write_server_certificate(self) -> None:
        material = self._tls.material
        certificate: Json = {
            "certificate_chain": {"inline_string": material.certificate.decode("ascii", "replace")},
            "private_key": {"inline_string": material.key.decode("ascii", "replace")},
        }
        self._files.write(SERVER_SECRET, SECRET, {"name": SERVER_SECRET, "tls_certificate": certificate})

    def _started(self) -> EnvoyProcess:
        settings = self._envoy_settings(None)
        bootstrap = bootstrap_from_settings(settings, self._files.source(LISTENER_FILE))
        process = EnvoyProcess.run(
            find_envoy(os.environ), bootstrap, settings.admin, self._folder, concurrency=self._settings.threads
        )
        try:
            process.wait_for_listener()
        except BaseException:
            process.stop()
            raise
        return process

    def _compile_what_is_due(self) -> None:
        """A CA has ended, or the last current CRL: what Envoy has would ask about every request from now on.

        Or something could not be written, or a policy has waited long enough.
        """
        if not self._applying.acquire(blocking=False):
            return  # a policy is being applied
        try:
            now = time.time()
            if now > self._until or self._change.is_due(now):
                self._apply_whole(now)
        finally:
            self._applying.release()

    def _look_after(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                if self._process is not None and not self._process.is_running and not self._is_outdated:
                    self._start_again(self._process)
                if self._tls.renewed() is not None:
                    self._write_server_certificate()
                self._compile_what_is_due()
                self._look_whether_the_policy_is_taken()
            except Exception:
                if times := self._complaint.due():
                    _LOGGER.exception("Envoy could not be looked after", extra={"facts": {"times": times}})
        # An Envoy that this thread has started ends with this thread (`runtime.envoy.tether`).
        self._stopped.wait()

    def _start_again(self, ended: EnvoyProcess) -> None:
        with self._starting:
            if self._stopping.is_set():
                return
            if ended is not self._mourned:
                self._mourned = ended
                _LOGGER.error("Envoy has ended and is started anew", extra={"facts": {"exit": ended.exit_code}})
            try:
                self._process = self._started()
            except (EnvoyError, OSError) as error:
                self._complain_of_start(error)
            else:
                self.restarts += 1
                self._taken.tell(self._files.version(POLICY_FILE))
                _LOGGER.info("Envoy serves again")
                return
        self._stopping.wait(TRY_AGAIN_SECONDS)

    def _complain_of_start(self, error: Exception) -> None:
        if times := self._start_complaint.due():
            facts = {"error": str(error), "times": times}
            _LOGGER.error("Envoy does not start, nobody is served", extra={"facts": facts})


def _resolved(address: TcpAddress) -> TcpAddress:
    """With a port that is free now in the place of 0: an Envoy that is started anew must listen where the first did.

    So is a name resolved here, once, as for every listener of peergate: Envoy takes IP addresses only.
    Raises ListenError if nobody can listen there, or somebody does: Envoys would share the port (SO_REUSEPORT).
    """
    with closing(bound_from_address(address, share_port=False)) as bound:
        host, port, *_ = bound.getsockname()
        return TcpAddress(host, port)


def _claimed(address: TcpAddress) -> socket.socket:
    """What no two Envoys of `up` can have for one address, though they could share the port. Raises ListenError.

    It is a name in the abstract namespace (unix(7)), which ends with the process, however that one ends.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0peergate-up:{address}")
    except OSError:
        claim.close()
        raise ListenError(f"cannot listen on {address}: another `peergate up` does") from None
    return claim
