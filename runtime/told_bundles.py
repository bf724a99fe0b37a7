"""SPIFFE bundles that somebody keeps up to date, as the source of a policy sees them."""

from collections.abc import Collection
from typing import Protocol

from policies.peer.bundle_source import BundleSource


class ToldBundles(Protocol):
    """The last good bundle of each trust domain. To ask for one is to have it kept up to date from then on."""

    def latest(self, source: BundleSource) -> bytes | None:
        """As `Surroundings.bundle`, at once."""
        ...

    def keep(self, sources: Collection[BundleSource]) -> None:
        """Keep these up to date and no others any more."""
        ...

    def wait_for_first(self, seconds: float) -> bool:
        """Wait until each was asked for once, at most `seconds`; whether there is any."""
        ...


class _NothingTold:
    """For commands that look at a policy and go nowhere: it loads, and entries with such a bundle trust nobody."""

    def latest(self, source: BundleSource) -> bytes | None:
        return b""

    def keep(self, sources: Collection[BundleSource]) -> None:
        pass

    def wait_for_first(self, seconds: float) -> bool:
        return False


NOTHING_TOLD: ToldBundles = _NothingTold()
