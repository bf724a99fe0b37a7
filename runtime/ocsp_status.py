"""What a process says of its OCSP answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OcspReport:
    """`asked`: certificates that it keeps answers about, of which so many `stale` have no current one.

    `notices`: what is wrong, in words.
    """

    asked: int = 0
    stale: int = 0
    notices: tuple[str, ...] = ()


NOTHING_ASKED = OcspReport()
