"""Where a live SPIFFE bundle comes from, by the word of the policy. Nothing is fetched here."""

from dataclasses import dataclass
from typing import Self

from policies.peer.limits import MAX_SOCKET_PATH_BYTES
from policies.peer.spiffe import TrustDomain

_SCHEME = "unix:"


@dataclass(frozen=True, slots=True)
class WorkloadApi:
    """The Unix socket of a SPIFFE Workload API. `path`: absolute.

    The standard knows TCP too; there everybody on the way could say who is trusted.
    """

    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `unix:///path` (SPIFFE Workload Endpoint §4). Raises ValueError with a sentence for its author."""
        path = text.removeprefix(_SCHEME)
        path = path.removeprefix("//") if path.startswith("///") else path
        if path == text or not path.startswith("/") or path.startswith("//") or not path.isprintable():
            raise ValueError("a Workload API is written as unix:///path/of/its.sock")
        if len(path.encode("utf-8", "surrogatepass")) > MAX_SOCKET_PATH_BYTES:
            raise ValueError(f"the path of a socket has at most {MAX_SOCKET_PATH_BYTES} bytes")
        return cls(path)

    def __str__(self) -> str:
        """As the standard writes it."""
        return f"{_SCHEME}//{self.path}"


@dataclass(frozen=True, slots=True)
class BundleSource:
    """`spiffe_bundle: {workload_api: …}` of an entry: the bundle of one trust domain."""

    api: WorkloadApi
    trust_domain: TrustDomain
