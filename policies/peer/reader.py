"""Received text to presented certificates, remembered by the text received: parsing is paid once for each caller.

Laws: equal text gives an equal result; malformed results are remembered too, so that junk costs no more than a
certificate; the memory is bounded in entries and in characters.
"""

from policies.peer.cache import BoundedCache
from policies.peer.errors import PeerError
from policies.peer.forwarded import is_sole_element, presented_from_xfcc, shows_certificate, xfcc_chain
from policies.peer.limits import MAX_CACHED_CHARS, MAX_CACHED_PEERS, MAX_HEADER_CHARS
from policies.peer.names import named_from_xfcc, require_principal, tells_of
from policies.peer.percent import percent_decoded
from policies.peer.presented import (
    MalformedCertificate,
    NamedCaller,
    PresentedCertificate,
    presented_from_pem,
    proxy_verified,
)

Read = PresentedCertificate | MalformedCertificate
Told = Read | NamedCaller


class PresentedReader:
    """Thread-safe. A hit is one dict look-up.

    `verified_for`: the trust entry for which whoever shows certificates here has verified them (`--proxy-verified`);
    None, the default: nobody has.
    """

    __slots__ = ("_by_pem", "_by_pems", "_by_xfcc", "_sole", "verified_for")

    def __init__(
        self, entries: int = MAX_CACHED_PEERS, chars: int = MAX_CACHED_CHARS, *, verified_for: str | None = None
    ) -> None:
        """Each of the four caches holds up to `entries`, all together up to `chars` characters of received text."""
        self.verified_for = verified_for
        self._by_pem: BoundedCache[tuple[str, str], Read] = BoundedCache(entries, chars // 4)
        self._by_pems: BoundedCache[tuple[str, ...], Read] = BoundedCache(entries, chars // 4)
        self._by_xfcc: BoundedCache[tuple[str, str], Told] = BoundedCache(entries, chars // 4)
        self._sole: BoundedCache[tuple[str, bytes], bool] = BoundedCache(entries, chars // 4)

    def from_percent_pem(self, certificate: str, chain: str = "") -> Read:
        """What `source.certificate` of a CheckRequest says: `certificate` is the percent-encoded PEM of the leaf.

        `chain`: PEM, percent-encoded or not, that starts with the leaf; otherwise, or unreadable, it is ignored.
        """
        key = (certificate, chain)
        read = self._by_pem.get(key)
        if read is None:
            read = self._verified(_from_percent_pem(certificate, chain))
            self._by_pem.put(key, read, len(certificate) + len(chain))
        return read

    def from_pems(self, chain: tuple[str, ...]) -> Read:
        """A chain as a TLS server tells it: PEM texts, leaf first, at least one."""
        read = self._by_pems.get(chain)
        if read is None:
            whole = "".join([pem if pem.endswith("\n") else f"{pem}\n" for pem in chain])
            read = self._verified(_from_percent_pem(chain[0], whole if len(chain) > 1 else ""))
            self._by_pems.put(chain, read, sum(map(len, chain)))
        return read

    def from_envoy(self, certificate: str, xfcc: str) -> Told:
        """`certificate` as in `from_percent_pem`, with the chain of the XFCC that the calling Envoy sent along."""
        if not xfcc:
            return self.from_percent_pem(certificate)
        key = (certificate, xfcc)
        read = self._by_xfcc.get(key)
        if read is None:
            read = self.from_percent_pem(certificate, xfcc_chain(xfcc))
            self._by_xfcc.put(key, read, len(certificate) + len(xfcc))
        return read

    def from_xfcc(self, xfcc: str, principal: str | None = None) -> Told:
        """The TLS peer by XFCC alone: `Cert` of the last element; without one its names, if they were verified.

        `principal`: as Envoy names the same peer apart from XFCC; None where it does not.
        """
        # No certificate begins with `=`.
        key = (f"={principal}" if principal is not None else "", xfcc)
        read = self._by_xfcc.get(key)
        if read is None:
            read = self._from_xfcc(xfcc, principal)
            self._by_xfcc.put(key, read, len(xfcc) + len(key[0]))
        return read

    def xfcc_may_pass(self, xfcc: str, presented: PresentedCertificate | NamedCaller) -> bool:
        """Whether `xfcc` is one element that says of the judged caller what is so, and nothing else (law 7)."""
        key = (xfcc, presented.key)
        passes = self._sole.get(key)
        if passes is None:
            if isinstance(presented, NamedCaller):
                passes = tells_of(xfcc, presented)
            else:
                passes = is_sole_element(xfcc, presented.leaf)
            self._sole.put(key, passes, len(xfcc))
        return passes

    def _from_xfcc(self, xfcc: str, principal: str | None) -> Told:
        if self.verified_for is not None and not shows_certificate(xfcc):
            return named_from_xfcc(xfcc, self.verified_for, principal)
        read = self._verified(presented_from_xfcc(xfcc))
        if not isinstance(read, PresentedCertificate):
            return read
        try:
            require_principal(read.leaf.identity, principal)
        except PeerError as error:
            return MalformedCertificate(f"XFCC: {error}")
        return read

    def _verified(self, read: Read) -> Read:
        if self.verified_for is None or not isinstance(read, PresentedCertificate):
            return read
        return proxy_verified(read, self.verified_for)


def _from_percent_pem(certificate: str, chain: str) -> Read:
    if len(certificate) > MAX_HEADER_CHARS:
        return MalformedCertificate(f"the certificate has more than {MAX_HEADER_CHARS} characters")
    try:
        leaf = percent_decoded(certificate)
    except ValueError as error:
        return MalformedCertificate(f"the certificate cannot be read: {error}")
    try:
        pem = percent_decoded(chain) if len(chain) <= MAX_HEADER_CHARS else ""
    except ValueError:
        pem = ""
    try:
        return presented_from_pem(leaf, pem)
    except PeerError as error:
        return MalformedCertificate(str(error))
