"""`peergate policy import istio`: Istio's AuthorizationPolicies as a policy of peergate."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peergate.arguments import read_argument
from peergate.commands.istio_hosts import workloads_from_hosts
from peergate.console import stderr, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.reports.problems import problem_text
from policies.authoring.istio.importing import Imported, imported_from_files
from policies.authoring.istio.mesh import Mesh
from policies.language.limits import MAX_FILE_BYTES
from policies.peer.spiffe import TrustDomain

_STDIN = "-"


@dataclass(frozen=True, slots=True)
class AboutMesh:
    """What the user says of the mesh, as it was typed."""

    hosts: Sequence[str]
    trust_domain: str
    root_namespace: str
    port: int | None
    anchors: str | None


def import_istio(files: Sequence[str], about: AboutMesh) -> ExitCode:
    """Print the policy; on standard error what it does not say, and why. Raises ArgumentError."""
    imported = imported_from_files(_read(files), _mesh(about))
    console = stderr()
    for problem in imported.problems:
        console.print(problem_text(problem), soft_wrap=True)
    for note in imported.notes:
        console.print(styled(f"note: {note}"), soft_wrap=True)
    if imported.text is None:
        console.print(styled((_why_nothing(imported), "bold red")), soft_wrap=True)
        return ExitCode.NO
    sys.stdout.write(imported.text)
    if imported.left_out:
        said = f"{imported.left_out} of the rules that allow are left out: what they allow is denied (see LEFT OUT)"
        console.print(styled((said, "bold red")), soft_wrap=True)
        return ExitCode.NO
    return ExitCode.FINE


def _why_nothing(imported: Imported) -> str:
    if imported.left_out:
        return "nothing was imported: without a rule that denies, the policy would allow more than Istio does"
    return "nothing was imported"


def _mesh(about: AboutMesh) -> Mesh:
    domain = read_argument("--trust-domain", about.trust_domain, TrustDomain.parse)
    return Mesh(workloads_from_hosts(about.hosts), str(domain), about.root_namespace, about.port, about.anchors)


def _read(files: Sequence[str]) -> dict[str, bytes]:
    read: dict[str, bytes] = {}
    for file in files:
        if file in read:
            raise ArgumentError(f"{file!r} is named twice")
        try:
            if file == _STDIN:
                read[file] = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
                continue
            with Path(file).open("rb") as opened:
                read[file] = opened.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise ArgumentError(f"{file!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return read
