"""CRLs that somebody fetches, as the source of a policy sees them."""

from collections.abc import Collection
from typing import Protocol

from policies.peer.crl_source import CrlSource
from policies.peer.fetch_url import FetchUrl


class FetchedCrls(Protocol):
    """The last good CRL of each URL. To ask for one is to have it fetched from then on."""

    def latest(self, source: CrlSource) -> bytes | None:
        """The last good CRL, at once; None if there is none."""
        ...

    def keep(self, sources: Collection[CrlSource]) -> None:
        """Fetch these and no others any more."""
        ...

    def note(self, url: FetchUrl) -> None:
        """A leaf names a CRL that may be fetched."""
        ...

    def named(self) -> tuple[FetchUrl, ...]:
        """Those that were noted; what is new among them needs another reading of the policy."""
        ...

    def wait_for_first(self, seconds: float) -> bool:
        """Wait until each was asked for once, at most `seconds`; whether there is any."""
        ...


class _NothingFetched:
    """For commands that look at a policy and go nowhere."""

    def latest(self, source: CrlSource) -> bytes | None:
        return None

    def keep(self, sources: Collection[CrlSource]) -> None:
        pass

    def note(self, url: FetchUrl) -> None:
        pass

    def named(self) -> tuple[FetchUrl, ...]:
        return ()

    def wait_for_first(self, seconds: float) -> bool:
        return False


NOTHING_FETCHED: FetchedCrls = _NothingFetched()
