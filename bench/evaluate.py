"""What one `evaluate` costs: warm (the certificate was seen before), cold (never seen), and by number of rules.

Measured is the processor time of the thread, as a decision never waits, so that other work on the machine counts less.
All sizes are measured in turn, round by round. The collector is on, as it is in a service.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time

from bench.figure import Bound, Figure, ratios
from bench.scenario import CAPTURED_PATH, LITERAL_PATH, Mesh, loaded_policy, spread
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, Request
from policies.peer.presented import NO_CERTIFICATE
from policies.peer.reader import PresentedReader
from policies.reason import Effect, Reason

PART = "evaluate"
_MICRO = 1e6


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured. `calls`: evaluations in one round."""

    sizes: tuple[int, ...] = (10, 1_000, 10_000)
    rounds: int = 301
    calls: int = 200
    strangers: int = 60


def figures(settings: Settings | None = None) -> Iterator[Figure]:
    """Measure."""
    settings = settings or Settings()
    mesh = Mesh.new()
    with TemporaryDirectory() as folder:
        policies = {size: loaded_policy(mesh.write(Path(folder), size)) for size in settings.sizes}
    yield from _warm(settings, mesh, policies)
    yield from _cold(settings, mesh, policies)


def _warm(settings: Settings, mesh: Mesh, policies: dict[int, PolicySet]) -> Iterator[Figure]:
    allowed = {size: _round(policy, _requests(mesh, size, LITERAL_PATH, settings)) for size, policy in policies.items()}
    captured = {
        size: _round(policy, _requests(mesh, size, CAPTURED_PATH, settings)) for size, policy in policies.items()
    }
    refused = {size: _round(policy, _requests(mesh, size, "/v2", settings), False) for size, policy in policies.items()}
    smallest, largest = min(policies), max(policies)
    rounds = [_pair_round(settings.calls), *allowed.values(), *captured.values(), *refused.values()]
    pair, *samples = _interleaved(rounds, settings.rounds)
    warm = dict(zip(allowed, samples, strict=False))
    rest = iter(samples[len(allowed) :])
    yield Figure(PART, "one Request and one Decision built", "µs", pair)
    for size in policies:
        yield Figure(PART, f"known certificate, {size} rules", "µs", warm[size], Bound(6) if size == smallest else None)
    yield Figure(PART, f"known certificate, {smallest} rules : the pair", "x", ratios(warm[smallest], pair), Bound(3))
    growth = ratios(warm[largest], warm[smallest])
    yield Figure(PART, f"known certificate, {largest} : {smallest} rules", "x", growth, Bound(1.3))
    for size in policies:
        yield Figure(PART, f"… on a path with a capture, {size} rules", "µs", next(rest))
    for size in policies:
        yield Figure(PART, f"… denied, no rule matches, {size} rules", "µs", next(rest))


def _cold(settings: Settings, mesh: Mesh, policies: dict[int, PolicySet]) -> Iterator[Figure]:
    """From the text that Envoy sends: leaf and chain parsed, chain verified, identities looked up, decided."""
    for size, policy in policies.items():
        samples = []
        for index in spread(size, settings.strangers):
            stranger = mesh.stranger(index)
            certificate, xfcc, reader = stranger.percent_pem, stranger.xfcc, PresentedReader()
            started = thread_time()
            decision = evaluate(policy, stranger.request(reader.from_envoy(certificate, xfcc), mesh.time))
            samples.append((thread_time() - started) * _MICRO)
            _require(decision, True)
        yield Figure(PART, f"unknown certificate and CA, {size} rules", "µs", tuple(samples), Bound(1_000))


def _requests(mesh: Mesh, size: int, path: str, settings: Settings) -> list[Request]:
    callers = [(caller, caller.presented()) for caller in mesh.callers(spread(size, 8))]
    requests = [caller.request(peer, mesh.time, path) for caller, peer in callers]
    return [requests[number % len(requests)] for number in range(settings.calls)]


def _round(policy: PolicySet, requests: Sequence[Request], allowed: bool = True) -> Callable[[], float]:
    """Measures one round: µs for one evaluation."""
    for request in requests:
        _require(evaluate(policy, request), allowed)

    def run() -> float:
        started = thread_time()
        for request in requests:
            evaluate(policy, request)
        return (thread_time() - started) / len(requests) * _MICRO

    return run


def _pair_round(calls: int) -> Callable[[], float]:
    """What evaluation is compared with: to build what goes in and what comes out."""

    def run() -> float:
        started = thread_time()
        for _ in range(calls):
            Request(NO_CERTIFICATE, "GET", LITERAL_PATH, "host", EMPTY_HEADERS, None, None, None, 0.0)
            Decision(Effect.ALLOW, Reason.ALLOWED_BY_RULE, (), (), (), {}, (), (), (), None, "generation")
        return (thread_time() - started) / calls * _MICRO

    return run


def _interleaved(rounds: Sequence[Callable[[], float]], count: int) -> list[tuple[float, ...]]:
    """`count` samples of each, taken in turn."""
    samples: list[list[float]] = [[] for _ in rounds]
    for _ in range(count):
        for found, run in zip(samples, rounds, strict=True):
            found.append(run())
    return [tuple(found) for found in samples]


def _require(decision: Decision, allowed: bool) -> None:
    if decision.allowed is not allowed:
        raise ValueError(f"the measured request was not judged as meant: {decision}")
