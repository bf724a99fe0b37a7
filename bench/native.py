"""The policy inside Envoy, against no authorization, against Envoy's own list of RBAC policies, and against asking.

Everything shares one core, as in `bench.envoy`. A native request is judged in full: names, chain, dates and revocation.
Beside it, the same policy's rules alone: what it costs to find identity and route.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from bench.envoy import envoy_with, get_of, unchanged, without_authorization, written_tls
from bench.figure import Bound, Figure, ratios
from bench.load_generator import Http2Load, load_generator
from bench.processes import cores, serving
from bench.scenario import LITERAL_PATH, ROOT_FILE, Mesh, host_of, loaded_policy, spread, uri_of
from bench.services import GRPC, HTTP, Loaded, Round, alternated, peergate_command
from extauth.native.compile import Compiled, compiled_from_policy
from extauth.native.filters import http_filters, manager_options, network_filters, route_options
from runtime.address import UnixAddress
from runtime.envoy.binary import envoy_version, find_envoy
from runtime.envoy.ext_authz import Authorization, Protocol
from runtime.envoy.proto_json import Json, typed

PART = "native"
_ALONE = "no authorization"
_STREAMS = 16
#: What changes the bootstrap of an Envoy.
Change = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured. `linear`: sizes of Envoy's list of RBAC policies, which is slow.

    Rounds are short: what is compared follows each other quickly, under the same other work on the machine.
    """

    sizes: tuple[int, ...] = (10, 1_000, 10_000)
    linear: tuple[int, ...] = (10, 1_000)
    asking: int = 1_000
    callers: int = 8
    rounds: int = 35
    seconds: float = 0.2


def figures(settings: Settings | None = None) -> Iterator[Figure]:
    """Measure. Raises EnvoyMissingError."""
    settings = settings or Settings()
    binary = find_envoy(os.environ)
    with TemporaryDirectory(prefix="peergate-") as folder:
        rounds = _measured(settings, binary, Path(folder))
    rates = {name: tuple(each.tally.rate for each in found) for name, found in rounds.items()}
    costs = {name: tuple(each.microseconds for each in found) for name, found in rounds.items()}
    for name, rate in rates.items():
        yield Figure(PART, name, "req/s", rate, note=f"Envoy {envoy_version(binary)}" if name == _ALONE else "")
    for name in rates:
        yield Figure(PART, f"processor time of one request: {name}", "µs", costs[name])
    for size in settings.sizes:
        native = _native(size)
        bound = Bound(0.75, at_least=True)
        yield Figure(PART, f"{native} : {_ALONE}", "x", ratios(rates[native], rates[_ALONE]), bound)
        rules, bound = _rules(size), Bound(0.9, at_least=True)
        yield Figure(PART, f"{rules} : {_ALONE}", "x", ratios(rates[rules], rates[_ALONE]), bound)
    asking = _asking(GRPC, settings.asking)
    for name, least in ((_native(settings.asking), None), (_rules(settings.asking), Bound(4, at_least=True))):
        yield Figure(PART, f"{name} : {asking}", "x", ratios(rates[name], rates[asking]), least)


def _measured(settings: Settings, binary: Path, folder: Path) -> dict[str, list[Round]]:
    mesh = Mesh.new()
    (folder / ROOT_FILE).write_bytes(mesh.root.pem)
    callers = mesh.callers(spread(min(settings.sizes), settings.callers))
    tls = written_tls(mesh, callers, folder)
    server_core, generator_cores = cores()
    with ExitStack() as stack:
        loaded: dict[str, Loaded] = {}
        for name, change, form in _variants(settings, mesh, folder):
            own = folder / name.translate(str.maketrans(" ,/", "---"))
            own.mkdir()
            service = own / "authz.sock"
            if form is not None:
                policy = mesh.write(own, settings.asking)
                stack.enter_context(serving(peergate_command(form, policy, service, "off"), service, server_core))
            protocol = Protocol.HTTP if form == HTTP else Protocol.GRPC
            envoy = stack.enter_context(envoy_with(binary, own, folder, service, protocol, server_core, change))
            loads = [Http2Load(envoy.address, (get_of(caller),), _STREAMS, tls=tls[caller.index]) for caller in callers]
            loaded[name] = Loaded(stack.enter_context(load_generator(loads, generator_cores)), envoy.pid)
        return alternated(loaded, settings.rounds, settings.seconds)


def _variants(settings: Settings, mesh: Mesh, folder: Path) -> Iterator[tuple[str, Change, str | None]]:
    yield _ALONE, without_authorization, None
    for size in settings.sizes:
        policy = _Policy.of(mesh, folder, size)
        yield _native(size), policy.decides, None
        yield _rules(size), policy.looks_up, None
    for size in settings.linear:
        yield f"RBAC list, {size} policies", _decided_by_list(size), None
    for form in (GRPC, HTTP):
        yield _asking(form, settings.asking), unchanged, form


def _native(size: int) -> str:
    return f"native, {size} rules"


def _rules(size: int) -> str:
    return f"identity and route alone, {size} rules"


def _asking(form: str, size: int) -> str:
    return f"{form} ext_authz, {size} rules"


@dataclass(frozen=True, slots=True)
class _Policy:
    """A policy inside Envoy, with the issuing CA in the policy, and a CRL of it."""

    compiled: Compiled
    authorization: Authorization

    @classmethod
    def of(cls, mesh: Mesh, folder: Path, size: int) -> Self:
        own = folder / f"policy-of-{size}"
        own.mkdir()
        revoked = mesh.issuing.issue(uri=[uri_of(0)])
        path = mesh.write_revocable(own, size, revoked.certificate)
        compiled = compiled_from_policy(loaded_policy(path), mesh.time)
        return cls(compiled, Authorization(UnixAddress(str(own / "nobody.sock"))))

    def decides(self, chain: Any) -> None:
        """As `peergate policy export envoy` has it."""
        manager = self._put(chain, http_filters(self.compiled, self.authorization))
        manager |= manager_options(self.compiled.admission)
        manager["route_config"] |= route_options(self.compiled.admission)

    def looks_up(self, chain: Any) -> None:
        """The look-up by which a rule is found, and nothing before, beside or behind it."""
        found: Any = self.compiled.decides
        rules = {**found, "matcher_list": {"matchers": found["matcher_list"]["matchers"][-1:]}}
        noted, decides, _ = http_filters(replace(self.compiled, decides=rules, names=None), self.authorization)
        self._put(chain, [noted, decides])

    def _put(self, chain: Any, filters: list[Json]) -> Any:
        without_authorization(chain)
        manager = chain["filters"][-1]["typed_config"]
        manager["http_filters"] = [*filters, *manager["http_filters"]]
        chain["filters"] = [*network_filters(self.compiled.admission), *chain["filters"]]
        return manager


def _decided_by_list(size: int) -> Change:
    policies: Json = {f"rule-{number}": _listed(number) for number in range(size)}
    rbac = typed("rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", rules={"action": "ALLOW", "policies": policies})

    def change(chain: Any) -> None:
        without_authorization(chain)
        chain["filters"][-1]["typed_config"]["http_filters"].insert(0, rbac)

    return change


def _listed(number: int) -> Json:
    host: Json = {"header": {"name": ":authority", "string_match": {"exact": host_of(number)}}}
    path: Json = {"url_path": {"path": {"exact": LITERAL_PATH}}}
    return {
        "permissions": [{"and_rules": {"rules": [host, path]}}],
        "principals": [{"authenticated": {"principal_name": {"exact": uri_of(number)}}}],
    }
