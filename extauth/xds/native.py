"""The compiled policy as the fleet gets it: the same filters for every policy, in the same order.

The listeners of a fleet have one place for each filter, and are not changed when the policy is. So a filter that no
place is known for, or a place without a filter, is an error, and never left out.
"""

from collections.abc import Callable, Sequence
from math import inf
from time import time

from extauth.native.compile import Compiled, asking_everything, compiled_from_policy
from extauth.native.filters import http_filters, manager_options, network_filters, route_options
from extauth.xds.errors import ResourceError
from policies.engine.policy_set import PolicySet
from runtime.envoy.connection_manager import NativeFilters
from runtime.envoy.discovery import FilterPlace, json_of_place
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.limits import CONNECTION_SECONDS, DRAIN_SECONDS
from runtime.envoy.proto_json import Json, type_url

_HTTP = "envoy.extensions.filters.http."

PLACES = (
    FilterPlace("peergate.path", f"{_HTTP}set_filter_state.v3.Config"),
    FilterPlace("peergate.policy", f"{_HTTP}rbac.v3.RBAC"),
    FilterPlace("envoy.filters.http.ext_authz", f"{_HTTP}ext_authz.v3.ExtAuthz"),
)


class NativeCompiler:
    """The filters of a policy (`extauth.xds.source.FiltersFromPolicy`).

    `authorization`: how Envoys ask what they cannot decide; its address is in their own configuration. `ports`: those
    that clients may write behind a host.
    """

    def __init__(
        self, authorization: Authorization, ports: tuple[int, ...] = (), clock: Callable[[], float] = time
    ) -> None:
        self._authorization = authorization
        self._ports = ports
        self._clock = clock
        self._until = inf
        self._authorities = frozenset[bytes]()
        self._asked_until = -inf

    def until(self) -> float:
        """When the filters that were compiled last are to be made again (epoch seconds).

        A CA or a CRL ends, and Envoys would ask from then on; or the last connection of a removed CA has.
        """
        return self._until

    def __call__(self, policy: PolicySet) -> Sequence[Json]:
        """Raises ResourceError if the policy has another filter than there are places for."""
        compiled = self._compiled(policy, self._clock())
        return placed(http_filters(compiled, self._authorization))

    def _compiled(self, policy: PolicySet, now: float) -> Compiled:
        """Everything is asked for as long as a CA that was removed may have open connections: no filter tells them."""
        authorities = frozenset(policy.trust.client_ca_ders())
        if self._authorities - authorities:
            self._asked_until = now + CONNECTION_SECONDS + DRAIN_SECONDS
        self._authorities = authorities
        if now < self._asked_until:
            self._until = self._asked_until
            return asking_everything("trust-changed")
        compiled = compiled_from_policy(policy, now, self._ports, stamped=False)
        self._until = inf if compiled.admission is None else compiled.admission.until
        return compiled


def placed(filters: Sequence[Json]) -> list[Json]:
    """`filters` with one for each place. Raises ResourceError."""
    names = [str(item["name"]) for item in filters]
    if names != [place.name for place in PLACES]:
        raise ResourceError(f"the listeners of the fleet have other places than for {', '.join(names)}, in that order")
    for place, item in zip(PLACES, filters, strict=True):
        if _type_of(item) != type_url(place.message):
            raise ResourceError(f"the listeners of the fleet expect a {place.message} as {place.name}")
    return list(filters)


def listener_filters() -> NativeFilters:
    """What a listener of the fleet has instead of the filters themselves."""
    places = tuple(json_of_place(place) for place in PLACES)
    return NativeFilters(tuple(network_filters()), places, manager_options(), route_options())


def _type_of(http_filter: Json) -> object:
    config = http_filter["typed_config"]
    return config.get("@type") if isinstance(config, dict) else None
