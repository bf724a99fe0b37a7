"""Zones, time windows, SNI and header conditions: false, unknown, or true."""

from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.condition import HeaderIs, Hours, Networks, Origin, When, is_grpc
from policies.engine.host import HostPattern
from policies.engine.request import UNREPORTED, Unreported
from policies.engine.truth import FALSE, TRUE, UNKNOWN, Truth
from tests.engine.callers import request

Network = IPv4Network | IPv6Network
NETWORKS: st.SearchStrategy[list[Network]] = st.lists(st.ip_addresses().flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda prefix: ip_network(f"{address}/{prefix}", strict=False)
    )
), max_size=6)  # fmt: skip


@given(NETWORKS, st.ip_addresses())
def test_networks_contain_what_any_of_them_contains(networks: list[Network], address: object) -> None:
    asked = ip_address(str(address))
    assert (asked in Networks(networks)) is any(asked in network for network in networks)


@pytest.mark.parametrize(
    ("source", "truth"),
    [("10.1.2.3", TRUE), ("11.0.0.1", FALSE), ("fd00::1", FALSE), ("10.9.0.1", FALSE), (None, UNKNOWN)],
)
def test_origin_needs_the_address_inside_and_not_outside(source: str | None, truth: Truth) -> None:
    origin = Origin(Networks([ip_network("10.0.0.0/8")]), Networks([ip_network("10.9.0.0/16")]))
    assert origin.truth(request(source=source)) == truth


def when(
    *, sni: tuple[str, ...] = (), after: float | None = None, before: float | None = None,
    days: frozenset[int] = frozenset(), hours: tuple[Hours, ...] = (), timezone: str = "UTC",
) -> When:  # fmt: skip
    return When(tuple(map(HostPattern.parse, sni)), after, before, days, hours, ZoneInfo(timezone))


@pytest.mark.parametrize(("time", "truth"), [(99.0, FALSE), (100.0, TRUE), (199.9, TRUE), (200.0, FALSE)])
def test_after_is_inclusive_and_before_exclusive(time: float, truth: Truth) -> None:
    assert when(after=100.0, before=200.0).truth(request(time=time)) == truth


@pytest.mark.parametrize(
    ("sni", "truth"),
    [
        ("a.example", TRUE),
        ("A.EXAMPLE", TRUE),
        ("b", FALSE),
        (None, FALSE),
        ("", FALSE),
        (UNREPORTED, UNKNOWN),
        ("a b", UNKNOWN),
    ],
)
def test_sni_not_sent_is_false_and_not_reported_is_unknown(sni: str | Unreported | None, truth: Truth) -> None:
    assert when(sni=("*.example",)).truth(request(sni=sni)) == truth


def test_false_and_unknown_is_false() -> None:
    assert when(sni=("a",), before=0.0).truth(request(sni=UNREPORTED)) == FALSE


NIGHT = (Hours(22 * 60, 6 * 60),)
FRIDAY = frozenset({4})


@pytest.mark.parametrize(
    ("moment", "truth"),
    [
        ("2026-11-20 21:59:59", FALSE),  # a Friday
        ("2026-11-20 22:00:00", TRUE),
        ("2026-11-21 05:59:59", TRUE),
        ("2026-11-21 06:00:00", FALSE),
        ("2026-11-20 03:00:00", FALSE),
        ("2026-11-21 22:30:00", FALSE),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_starts(moment: str, truth: Truth) -> None:
    time = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    assert when(days=FRIDAY, hours=NIGHT).truth(request(time=time)) == truth


def test_hours_are_those_of_the_time_zone_summer_time_included() -> None:
    noon = when(hours=(Hours(12 * 60, 13 * 60),), timezone="Europe/Berlin")
    assert noon.truth(request(time=datetime(2026, 7, 1, 10, 30, tzinfo=UTC).timestamp())) == TRUE
    assert noon.truth(request(time=datetime(2026, 1, 1, 10, 30, tzinfo=UTC).timestamp())) == FALSE
    assert noon.truth(request(time=datetime(2026, 1, 1, 11, 30, tzinfo=UTC).timestamp())) == TRUE


def test_days_alone_are_whole_days() -> None:
    friday = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC).timestamp()
    assert when(days=FRIDAY).truth(request(time=friday)) == TRUE
    assert when(days=FRIDAY).truth(request(time=friday + 1)) == FALSE


def test_a_time_that_is_no_number_is_unknown() -> None:
    assert when(after=100.0).truth(request(time=float("nan"))) == UNKNOWN


@pytest.mark.parametrize("time", [1e30, -1e30, float("inf"), float("nan")])
def test_a_time_outside_the_calendar_is_unknown_not_an_exception(time: float) -> None:
    assert when(days=FRIDAY).truth(request(time=time)) == UNKNOWN


@pytest.mark.parametrize(
    ("received", "truth"),
    [
        (["blue"], TRUE), ([" blue\t"], TRUE), (["green"], FALSE), (["Blue"], FALSE), ([""], FALSE),
        (["blue", "blue"], UNKNOWN), (["blue,green"], UNKNOWN), (["bl\udcffue"], UNKNOWN), ([], FALSE),
    ],
)  # fmt: skip
def test_a_header_counts_when_it_occurs_once_and_its_whole_value_is_listed(received: list[str], truth: Truth) -> None:
    condition = HeaderIs("x-env", frozenset({"blue"}))
    assert condition.truth(request(headers={"x-env": received})) == truth


def test_an_absent_header_is_false_and_one_that_is_not_shown_is_unknown() -> None:
    condition = HeaderIs("x-env", frozenset({"blue"}))
    assert condition.truth(request()) == FALSE
    assert condition.truth(request(seen=["x-env"])) == FALSE
    assert condition.truth(request(seen=["other"])) == UNKNOWN


@pytest.mark.parametrize(
    ("value", "grpc"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc;x=y", True),
        ("Application/GRPC", True),
        ("application/grpc-web", False),
        ("application/grpcx", False),
        ("text/plain", False),
        ("application/grpc,x", False),
        ("application/grpc+proto,text/html", False),
    ],
)
def test_a_grpc_content_type_is_whole_or_followed_by_plus_or_semicolon(value: str, grpc: bool) -> None:
    assert is_grpc(request(headers={"content-type": [value]})) is grpc


def test_two_content_types_are_not_grpc() -> None:
    assert not is_grpc(request(headers={"content-type": ["application/grpc", "application/grpc"]}))
