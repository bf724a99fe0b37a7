"""The hosts of a mesh as users name them with `--host`, and the workloads behind them."""

from collections.abc import Sequence

from peergate.arguments import read_argument
from peergate.errors import ArgumentError
from policies.authoring.istio.workload import Workload


def workloads_from_hosts(hosts: Sequence[str]) -> tuple[Workload, ...]:
    """The workload behind each host. Raises ArgumentError."""
    workloads = tuple(read_argument("--host", text, Workload.parse) for text in hosts)
    names = [workload.host for workload in workloads]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError(f"--host: {twice[0]} is named twice; one workload is behind a host")
    return workloads
