"""What a policy refers to outside its own text. Files and time zones enter here; the language itself does no I/O."""

from datetime import tzinfo
from typing import Protocol

from policies.peer.bundle_source import BundleSource
from policies.peer.crl_source import CrlSource


class Surroundings(Protocol):
    """Where the files that a policy names are found. Paths are as written, relative to the policy's folder."""

    def read(self, path: str) -> bytes:
        """The content of a file. Raises OSError."""
        ...

    def folder(self, path: str) -> tuple[str, ...] | None:
        """The sorted names of the plain files directly in a folder, dot-names left out; None if it is not a folder."""
        ...

    def fetched(self, source: CrlSource) -> bytes | None:
        """The last CRL from there that `source` accepts; None if there is none, or where nothing is fetched."""
        ...

    def bundle(self, source: BundleSource) -> bytes | None:
        """The last good bundle from there (`authorities_from_der`), empty where the trust domain is trusted no more.

        None if there has never been one: nobody knows yet whom the entry trusts. Empty too where nothing is asked.
        """
        ...

    def timezone(self, name: str) -> tzinfo:
        """The time zone with this IANA name. Raises KeyError."""
        ...
