"""Objects with an end, for tests of everything that tells of it."""

from runtime.expiry import DAY_SECONDS, Expiring, ExpiryCalendar, ExpiryKind
from runtime.policy_status import PolicyState, PolicyStatus
from runtime.process_status import FrontReport, ProcessStatus, ServiceStatus
from tests.runtime.world import NOW

YEAR = 365 * DAY_SECONDS


def ending(
    in_days: float,
    *,
    life: float = YEAR,
    kind: ExpiryKind = ExpiryKind.ANCHOR,
    entry: str | None = "mesh",
    name: str = "CN=mesh root",
    digest: bytes = b"\x01" * 32,
) -> Expiring:
    """Something that ends so many days after NOW and lives `life` seconds in all."""
    ends = NOW + in_days * DAY_SECONDS
    return Expiring(kind, entry, name, digest, ends - life, ends)


def served(in_days: float) -> Expiring:
    """A certificate of our own."""
    return ending(in_days, kind=ExpiryKind.SERVED, entry=None, name="CN=peergate")


def process(*trust: Expiring, front: tuple[Expiring, ...] = ()) -> ProcessStatus:
    """A process with this trust, and this chain on its listeners, at NOW."""
    expiry = ExpiryCalendar(trust).report(NOW)
    policy = PolicyStatus(PolicyState.SERVING, "g1", 7)
    return ProcessStatus(1, policy, FrontReport(served=front), listening=True, expiry=expiry)


def service(*processes: ProcessStatus | None) -> ServiceStatus:
    return ServiceStatus(processes, observe=False)
