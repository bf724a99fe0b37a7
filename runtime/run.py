"""Run a service until a signal ends it: in this very process, or as a supervisor of workers.

SIGTERM and SIGINT drain: not ready, no new connections, what is in flight is finished within a bound, the decision log
is flushed. SIGHUP reads the policy again and opens the decision log anew.
"""

import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from signal import Signals

from prometheus_client import CollectorRegistry

from runtime.address import Address, TcpAddress
from runtime.configuration import ServeConfiguration
from runtime.errors import ConfigurationError
from runtime.expiry_log import ExpiryWatch
from runtime.listener import bound_from_address, listener_from_address
from runtime.ops import NO_PAGES, OpsServer, Pages, ops_app
from runtime.process_status import ServiceStatus
from runtime.service import FrontFactory, ServingProcess
from runtime.service_log import service_logger, start_service_log
from runtime.signals import SignalInbox
from runtime.workers import Supervisor

_LOGGER = service_logger("service")


def run_service(
    configuration: ServeConfiguration, factory: FrontFactory, listen: Sequence[Address], pages: Pages = NO_PAGES
) -> None:
    """Serve until SIGTERM or SIGINT; call it from the main thread. `listen`: where the adapter will listen.

    `pages`: of a service without workers, what its ops listener shows beside health. They are read when it serves.
    Returns after the drain. Raises ConfigurationError, with nothing left behind.
    """
    start_service_log(configuration.log_format, configuration.log_level)
    _raise_descriptor_limit()
    facts = {
        "listen": ",".join(map(str, listen)),
        "ops": str(configuration.ops or "off"),
        "policy": configuration.policy,
        "workers": configuration.workers,
        "decision_log": configuration.decision_log,
    }
    _LOGGER.info("starting", extra={"facts": facts})
    if configuration.workers == 1:
        _run_alone(configuration, factory, pages)
    else:
        _check_shareable(configuration.workers, listen)
        _run_supervised(configuration, factory)


def _raise_descriptor_limit() -> None:
    """As many descriptors as the system grants: connections must not keep a policy from being read (law 4)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where a sandbox forbids it, the service runs within the limit that it was given.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run_alone(configuration: ServeConfiguration, factory: FrontFactory, pages: Pages) -> None:
    process = ServingProcess(configuration, factory)

    def status() -> ServiceStatus:
        return ServiceStatus((process.status(),), configuration.observe)

    try:
        with SignalInbox() as inbox, _ops(configuration.ops, status, process.metrics.registry, pages):
            process.start()
            with ExpiryWatch(status):
                while not _ends(received := inbox.received(None)):
                    if Signals.SIGHUP in received:
                        process.reload()
            # Inside the block: who probes while the process drains is told so.
            process.stop()
    finally:
        process.stop()


def _run_supervised(configuration: ServeConfiguration, factory: FrontFactory) -> None:
    with (
        SignalInbox() as inbox,
        Supervisor(configuration, factory, inbox) as supervisor,
        _ops(configuration.ops, supervisor.status, supervisor.registry, NO_PAGES),
    ):
        with ExpiryWatch(supervisor.status):
            supervisor.run()
        # Inside the block: who probes while the workers drain is told so.
        supervisor.end_workers()


@contextmanager
def _ops(
    address: Address | None, status: Callable[[], ServiceStatus], registry: CollectorRegistry, pages: Pages
) -> Iterator[None]:
    if address is None:
        yield
        return
    server = OpsServer(ops_app(status, registry, pages), listener_from_address(address))
    server.start()
    try:
        yield
    finally:
        server.stop()


def _ends(received: Sequence[Signals]) -> bool:
    return Signals.SIGTERM in received or Signals.SIGINT in received


def _check_shareable(workers: int, listen: Sequence[Address]) -> None:
    """Whether several processes can listen there, and nobody else does."""
    for address in listen:
        if not isinstance(address, TcpAddress):
            raise ConfigurationError(f"--workers {workers} cannot share {address}: use a TCP port, or one worker")
        if address.port == 0:
            raise ConfigurationError(f"--workers {workers} cannot share a port chosen by the system: name one")
        bound_from_address(address, share_port=False).close()
