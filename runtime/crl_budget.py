"""How many bytes the CRLs that certificates name may take in one process: who issues a certificate chooses them.

Laws: what was taken stays; what has no room is refused, and told. The CAs of one trust entry take no room of another's.
"""

from collections import Counter
from threading import Lock

from policies.peer.crl_source import CrlSource
from runtime.limits import MAX_NAMED_CRL_BYTES


class CrlBudget:
    """The bytes of each source that certificates name. Used by the threads of all fetches."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: dict[CrlSource, int] = {}

    def begin(self, source: CrlSource, size: int) -> None:
        """Keep account of a source, and of the `size` bytes that it has from another one of the same URL."""
        if source.named:
            with self._lock:
                self._taken[source] = size

    def end(self, source: CrlSource) -> None:
        """Give back what a source had."""
        with self._lock:
            self._taken.pop(source, None)

    def take(self, source: CrlSource, size: int) -> bool:
        """Whether a source may have `size` bytes, which are its own then until `settle`. One that has ended may not."""
        if not source.named:
            return True
        with self._lock:
            had = self._taken.get(source)
            if had is None:
                return False
            if size > had:
                by_entry: Counter[object] = Counter()
                for each, taken in self._taken.items():
                    by_entry[each.authorities] += taken
                if by_entry[source.authorities] - had + size > MAX_NAMED_CRL_BYTES // len(by_entry):
                    return False
                self._taken[source] = size
            return True

    def settle(self, source: CrlSource, size: int) -> None:
        """What a source has in the end, after an attempt."""
        with self._lock:
            if source in self._taken:
                self._taken[source] = size
