"""Upstreams: who gets a request, and which of several endpoints is asked first."""

import time
from collections.abc import Iterable, Iterator, Mapping

from gateway.proxy import limits
from gateway.proxy.destination import Destination
from policies.engine.errors import RequestError
from policies.engine.path import Segments
from policies.engine.target import canonical_target


class Endpoint:
    """One address of an upstream. It rests for a while after it could not be connected to."""

    __slots__ = ("_rests_until", "destination")

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self._rests_until = 0.0

    @property
    def is_resting(self) -> bool:
        """Whether others are asked first."""
        return time.monotonic() < self._rests_until

    def failed(self) -> None:
        """It could not be connected to."""
        self._rests_until = time.monotonic() + limits.REST_SECONDS


class Upstream:
    """Endpoints that answer alike."""

    __slots__ = ("_endpoints", "_next")

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._endpoints = tuple(endpoints)
        self._next = 0

    def attempts(self) -> Iterator[Endpoint]:
        """Each endpoint once, in turn from request to request, those that rest last; a single one twice."""
        endpoints = self._endpoints
        if len(endpoints) == 1:
            yield endpoints[0]
            yield endpoints[0]
            return
        first = self._next = (self._next + 1) % len(endpoints)
        turned = endpoints[first:] + endpoints[:first]
        resting = [endpoint for endpoint in turned if endpoint.is_resting]
        yield from (endpoint for endpoint in turned if endpoint not in resting)
        yield from resting


class UpstreamTable:
    """Which upstream a request goes to: that of its host, else that of any host; the longest prefix wins."""

    def __init__(self, destinations: Iterable[Destination]) -> None:
        """Destinations of one host and prefix are endpoints of one upstream."""
        grouped: dict[tuple[str | None, Segments], list[Endpoint]] = {}
        for destination in destinations:
            grouped.setdefault((destination.host, destination.prefix), []).append(Endpoint(destination))
        by_host: dict[str | None, list[tuple[Segments, Upstream]]] = {}
        for (host, prefix), endpoints in sorted(grouped.items(), key=lambda entry: -len(entry[0][1])):
            by_host.setdefault(host, []).append((prefix, Upstream(endpoints)))
        self._by_host: Mapping[str | None, list[tuple[Segments, Upstream]]] = by_host
        self._only = by_host[None][0][1] if list(grouped) == [(None, ())] else None

    def upstream(self, method: str, target: str, host: str) -> Upstream | None:
        """The upstream of a request; None if there is none, or if no rule could have allowed such a request."""
        if self._only is not None:
            return self._only
        try:
            name, segments = canonical_target(method, target, host)
        except RequestError:
            return None
        for key in (name, None):
            for prefix, upstream in self._by_host.get(key, ()):
                if segments[: len(prefix)] == prefix:
                    return upstream
        return None
