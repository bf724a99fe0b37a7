"""Both forms of ext_authz over the wire: peergate against a server of the same kind that allows everything.

The servers share one core and are loaded in turn, round by round; the generator has another core.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.figure import Bound, Figure, ratios
from bench.load_generator import Http1Load, Http2Load, LoadGenerator, Tally, load_generator
from bench.processes import cores, processor_seconds, serving
from bench.questions import GRPC_OK, grpc_question, http_question
from bench.scenario import Caller, Mesh, spread
from runtime.address import UnixAddress

GRPC: Final = "grpc"
HTTP: Final = "http"
#: Calls under way on the one connection that one worker of an Envoy has.
_STREAMS = 64
_SERVERS = {GRPC: "grpcio", HTTP: "uvicorn"}
_ALLOW_ALL, _LOG_OFF, _LOG_ON = "allow-all", "decision log off", "decision log on"
_BOUNDS = {
    GRPC: {_LOG_OFF: Bound(0.8, at_least=True), _LOG_ON: Bound(0.7, at_least=True)},
    HTTP: {_LOG_OFF: Bound(0.5, at_least=True), _LOG_ON: Bound(0.4, at_least=True)},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured. `callers`: distinct certificates; over HTTP each has a connection."""

    size: int = 1_000
    callers: int = 32
    rounds: int = 9
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A server, by its process id, and what loads it."""

    generator: LoadGenerator
    pid: int


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one server. `processor_seconds`: what the server used."""

    tally: Tally
    processor_seconds: float

    @property
    def microseconds(self) -> float:
        """Processor time of the server for one answer: what other work on the machine does not change much."""
        return self.processor_seconds / (self.tally.wanted + self.tally.late) * 1e6


def grpc_figures(settings: Settings | None = None) -> Iterator[Figure]:
    """`Check` on one connection with many calls under way."""
    yield from _figures(GRPC, settings or Settings())


def http_figures(settings: Settings | None = None) -> Iterator[Figure]:
    """HTTP ext_authz on many connections with one request under way on each."""
    yield from _figures(HTTP, settings or Settings())


def _figures(form: str, settings: Settings) -> Iterator[Figure]:
    with TemporaryDirectory(prefix="peergate-") as folder:
        rounds, note = _measured(form, settings, Path(folder))
    rates = {variant: tuple(each.tally.rate for each in found) for variant, found in rounds.items()}
    costs = {variant: tuple(each.microseconds for each in found) for variant, found in rounds.items()}
    busy = max(each.tally.busy for found in rounds.values() for each in found)
    name = f"{_SERVERS[form]} server that allows all"
    yield Figure(form, name, "req/s", rates[_ALLOW_ALL], note=f"the generator was {busy:.0%} busy")
    for variant, bound in _BOUNDS[form].items():
        name = f"peergate, {settings.size} rules, {variant}"
        yield Figure(form, name, "req/s", rates[variant], note=note if variant == _LOG_ON else "")
        ratio = ratios(rates[variant], rates[_ALLOW_ALL])
        yield Figure(form, f"peergate, {variant} : allow-all", "x", ratio, bound)
    for variant, cost in costs.items():
        yield Figure(form, f"processor time of one call: {variant}", "µs", cost)


def _measured(form: str, settings: Settings, folder: Path) -> tuple[dict[str, list[Round]], str]:
    """The rounds of each variant, and what has become of the decision records."""
    mesh = Mesh.new()
    policy, log = mesh.write(folder, settings.size), folder / "decisions.jsonl"
    callers = mesh.callers(spread(settings.size, settings.callers))
    paths = {variant: folder / f"{number}.sock" for number, variant in enumerate((_ALLOW_ALL, _LOG_OFF, _LOG_ON))}
    commands = {
        _ALLOW_ALL: ["-m", "bench.allow_all", form, str(paths[_ALLOW_ALL])],
        _LOG_OFF: peergate_command(form, policy, paths[_LOG_OFF], "off"),
        _LOG_ON: peergate_command(form, policy, paths[_LOG_ON], str(log)),
    }
    server_core, generator_cores = cores()
    with ExitStack() as stack:
        loaded: dict[str, Loaded] = {}
        for variant, path in paths.items():
            server = stack.enter_context(serving(commands[variant], path, server_core))
            loads = _loads(form, UnixAddress(str(path)), callers)
            loaded[variant] = Loaded(stack.enter_context(load_generator(loads, generator_cores)), server.pid)
        rounds = alternated(loaded, settings.rounds, settings.seconds)
    with log.open("rb") as records:
        lost = loaded[_LOG_ON].generator.answered - sum(1 for _ in records)
    return rounds, f"{lost} of {loaded[_LOG_ON].generator.answered} records lost"


def _loads(form: str, address: UnixAddress, callers: Sequence[Caller]) -> list[Http1Load | Http2Load]:
    if form == GRPC:
        return [Http2Load(address, tuple(map(grpc_question, callers)), _STREAMS, GRPC_OK)]
    return [Http1Load(address, (http_question(caller),)) for caller in callers]


def peergate_command(form: str, policy: Path, path: Path, log: str) -> list[str]:
    """`peergate extauth serve` as a user starts it, with `form` on the Unix socket `path`."""
    listen = ["--listen", f"unix:{path}"]
    if form == HTTP:
        listen = ["--listen", f"unix:{path}.grpc", "--http", f"unix:{path}", "--trusted-hop", "unix"]
    settings = ["--policy", str(policy), "--decision-log", log, "--log-level", "warning"]
    return ["-m", "peergate", "extauth", "serve", *settings, *listen]


def alternated(loaded: dict[str, Loaded], rounds: int, seconds: float) -> dict[str, list[Round]]:
    """`rounds` rounds of each, in turn, after one that is not counted."""
    found: dict[str, list[Round]] = {name: [] for name in loaded}
    for number in range(rounds + 1):
        for name, server in loaded.items():
            before = processor_seconds(server.pid)
            tally = server.generator.run(seconds)
            if number:
                found[name].append(Round(tally, processor_seconds(server.pid) - before))
    return found
