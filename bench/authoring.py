"""What the tools of authors cost at 1 000 and 10 000 rules: matrix, difference, the replay of a log.

Measured is the processor time of one thread, from text to answer, as other work on the machine counts less.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time

from bench.figure import Bound, Figure
from bench.scenario import LITERAL_PATH, Mesh, loaded_policy, policy_text, spread, wildcard_policy_text
from peergate.reports.matrix_page import page_from_matrix
from policies.authoring.diff.comparison import Comparison
from policies.authoring.diff.findings import difference
from policies.authoring.lint.places import places_from_files
from policies.authoring.matrix.matrix import matrix_from_policy
from policies.authoring.replay import Replay
from policies.authoring.replay_summary import Summary
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement, decision_record, line_from_record
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource

PART = "authoring"
#: What the name of a figure says of the policy -> its text.
_POLICIES: dict[str, Callable[[int], str]] = {"": policy_text, ", wildcards first": wildcard_policy_text}


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured. `bounds`: number of rules -> seconds in which a matrix is there."""

    bounds: tuple[tuple[int, float], ...] = ((1_000, 3), (10_000, 30))
    records: int = 20_000
    callers: int = 200
    rounds: int = 5


def figures(settings: Settings | None = None) -> Iterator[Figure]:
    """Measure."""
    settings = settings or Settings()
    mesh = Mesh.new()
    with TemporaryDirectory() as folder:
        for kind, text in _POLICIES.items():
            for size, limit in settings.bounds:
                path = mesh.write(Path(folder), size, text)
                rounds = tuple(_matrix_seconds(path) for _ in range(2))
                yield Figure(PART, f"text to matrix as a page, {size} rules{kind}", "s", rounds, Bound(limit))
            for size, limit in settings.bounds:
                old = mesh.write(Path(folder), size, text)
                seconds = tuple(_diff_seconds(mesh, old, size) for _ in range(2))
                note = "one method more in the middle"
                yield Figure(PART, f"two texts to difference, {size} rules{kind}", "s", seconds, Bound(limit), note)
        size = settings.bounds[0][0]
        policy = loaded_policy(mesh.write(Path(folder), size))
    lines = _log(mesh, policy, size, settings)
    rates = tuple(_records_per_second(policy, lines) for _ in range(settings.rounds))
    note = f"{len(lines[0])} bytes a record, {settings.callers} callers"
    yield Figure(PART, f"replay --summary, {size} rules", "rec/s", rates, Bound(20_000, at_least=True), note)


def _matrix_seconds(path: Path) -> float:
    started = thread_time()
    reading = PolicySource(str(path)).reading()
    policy = loaded_from_reading(reading).policy
    if policy is None:
        raise ValueError(f"{path} has problems")
    page_from_matrix(matrix_from_policy(policy, places_from_files(reading.files)), path.name)
    return thread_time() - started


def _diff_seconds(mesh: Mesh, old: Path, size: int) -> float:
    lines = old.read_text(encoding="utf-8").splitlines(keepends=True)
    edited = [line.replace("HEAD]", "HEAD, PUT]") if f" route-{size // 2}:" in line else line for line in lines]
    new = old.with_name("edited.yaml")
    new.write_text("".join(edited), encoding="utf-8")
    started = thread_time()
    found = difference(Comparison(loaded_policy(old), loaded_policy(new), mesh.time))
    seconds = thread_time() - started
    if len(found.findings) != 1:
        raise ValueError(f"{len(found.findings)} findings, where one was edited")
    return seconds


def _log(mesh: Mesh, policy: PolicySet, size: int, settings: Settings) -> list[bytes]:
    """Records as a service writes them, callers in turn."""
    callers = [(caller, caller.presented()) for caller in mesh.callers(spread(size, settings.callers))]
    lines = []
    for number in range(settings.records):
        caller, peer = callers[number % len(callers)]
        request = caller.request(peer, mesh.time + number / 1000, f"{LITERAL_PATH}/in-{number}")
        record = decision_record(
            evaluate(policy, request),
            request,
            decision_id=f"{number:032x}",
            enforcement=Enforcement.EXTAUTH,
            time=request.time,
            latency=80e-6,
            labels={},
        )
        lines.append(line_from_record(record).encode())
    return lines


def _records_per_second(policy: PolicySet, lines: Sequence[bytes]) -> float:
    replay, summary = Replay(policy, lambda: 0.0), Summary()
    started = thread_time()
    for line in lines:
        summary.add(replay.judged(line))
    elapsed = thread_time() - started
    if summary.changed or summary.unreadable:
        raise ValueError(f"the same policy decided otherwise: {summary}")
    return len(lines) / elapsed
