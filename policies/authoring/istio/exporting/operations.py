"""What is called, as the `to` of Istio rules on the hosts of one workload.

A request for these pods may carry any Host. So what is allowed is always allowed under the hosts that are named, and
under no other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.authoring.istio.exporting.codes import ExportCode
from policies.authoring.istio.exporting.errors import UnsayableError
from policies.authoring.istio.exporting.paths import paths_from_pattern
from policies.engine.condition import HeaderIs
from policies.engine.route import Alternative
from policies.language.wording import quoted

Operation = dict[str, list[str]]
#: `when` of a rule: the key and its values.
Conditions = tuple[tuple[str, tuple[str, ...]], ...]
#: Content types of gRPC: alone, or followed by `+…` or `;…`.
_GRPC = ("application/grpc", "application/grpc+*", "application/grpc;*")


@dataclass(frozen=True, slots=True)
class _Place:
    """One alternative of a route. `methods` and `paths`: empty is any; `host` None is any."""

    host: str | None
    methods: tuple[str, ...]
    paths: tuple[str, ...]
    conditions: Conditions


def hosts_of(alternative: Alternative, hosts: Iterable[str]) -> tuple[str, ...]:
    """Those of `hosts` that the alternative is about."""
    pattern = alternative.host
    return tuple(host for host in hosts if pattern is None or pattern.bound(host) is not None)


def operations(
    alternatives: Iterable[Alternative], hosts: Sequence[str], *, anywhere: bool, allowed: bool
) -> dict[Conditions, list[Operation]]:
    """The operations by what must hold beside them; one without a field means any. Raises UnsayableError."""
    every: Sequence[str | None] = hosts if allowed else [None]
    places = [_Place(host, (), (), ()) for host in every] if anywhere else []
    for alternative in alternatives:
        about = hosts_of(alternative, hosts)
        if about:
            named = every if alternative.host is None else about
            methods = ("POST",) if alternative.grpc else _methods(alternative.methods)
            paths = paths_from_pattern(alternative.path)
            conditions = _conditions(alternative, allowed=allowed)
            places += [_Place(host, methods, paths, conditions) for host in named]
    return _grouped(places)


def _grouped(places: Iterable[_Place]) -> dict[Conditions, list[Operation]]:
    """Paths of the same host and methods in one list, then hosts of the same paths and methods."""
    by_host: dict[tuple[Conditions, tuple[str, ...], str | None, bool], dict[str, None]] = {}
    for place in places:
        key = (place.conditions, place.methods, place.host, not place.paths)
        by_host.setdefault(key, {}).update(dict.fromkeys(place.paths))
    by_paths: dict[tuple[Conditions, tuple[str, ...], tuple[str, ...], bool], list[str]] = {}
    for (conditions, methods, host, _), paths in by_host.items():
        hosts = by_paths.setdefault((conditions, methods, tuple(paths), host is None), [])
        hosts += [] if host is None else [host, f"{host}:*"]
    found: dict[Conditions, list[Operation]] = {}
    for (conditions, methods, paths_, _), hosts in by_paths.items():
        fields = {"hosts": hosts, "methods": list(methods), "paths": list(paths_)}
        found.setdefault(conditions, []).append({name: values for name, values in fields.items() if values})
    return found


def _methods(methods: frozenset[str] | None) -> tuple[str, ...]:
    for method in methods or ():
        if "*" in method:
            message = f"Istio takes the `*` in the method {quoted(method)} for any text"
            raise UnsayableError(ExportCode.ROUTE, message, "leave the method out")
    return tuple(sorted(methods or ()))


def _conditions(alternative: Alternative, *, allowed: bool) -> Conditions:
    if alternative.headers and not allowed:
        message = "Istio does not deny where a header is repeated, as peergate does, since either value might count"
        raise UnsayableError(ExportCode.ROUTE, message, "deny the route without `headers`")
    found = [_header(header) for header in alternative.headers]
    if alternative.grpc:
        found.append(("request.headers[content-type]", _GRPC))
    return tuple(found)


def _header(header: HeaderIs) -> tuple[str, tuple[str, ...]]:
    for value in sorted(header.values):
        if not value or "*" in (value[0], value[-1]) or not value.isascii():
            message = f"Istio cannot ask for the value {quoted(value)} of a header"
            raise UnsayableError(ExportCode.ROUTE, message, "use values of ASCII without a `*` at either end")
    return f"request.headers[{header.name}]", tuple(sorted(header.values))
