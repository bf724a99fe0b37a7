"""Every part runs, with sizes that take no time, and gives the figures that issue and documentation name."""

from bench import authoring, envoy, evaluate, gateway, load, native, services
from bench.figure import Figure


def bounds(figures: list[Figure]) -> list[str]:
    return [str(figure.bound) for figure in figures if figure.bound is not None]


def test_evaluate_gives_every_bound_of_the_issue() -> None:
    figures = list(evaluate.figures(evaluate.Settings(sizes=(2, 5), rounds=2, calls=4, strangers=2)))
    assert bounds(figures) == ["≤ 6", "≤ 3", "≤ 1.3", "≤ 1000", "≤ 1000"]
    assert all(figure.value > 0 for figure in figures)


def test_authoring_gives_every_bound_of_the_issue() -> None:
    settings = authoring.Settings(bounds=((5, 3), (8, 30)), records=20, callers=3, rounds=1)
    assert bounds(list(authoring.figures(settings))) == [*["≤ 3", "≤ 30"] * 4, "≥ 20000"]


def test_load_gives_every_bound_of_the_issue() -> None:
    figures = list(load.figures(load.Settings(size=5, rounds=1, reloads=1, quiet_seconds=0.1)))
    assert bounds(figures) == ["≤ 4", "≤ 400", "≤ 100"]


def test_grpc_gives_every_bound_of_the_issue_and_loses_no_record() -> None:
    figures = list(services.grpc_figures(services.Settings(size=5, callers=2, rounds=1, seconds=0.1)))
    assert bounds(figures) == ["≥ 0.8", "≥ 0.7"]
    assert any(figure.note.startswith("0 of ") for figure in figures)


def test_http_gives_every_bound_of_the_issue_and_loses_no_record() -> None:
    figures = list(services.http_figures(services.Settings(size=5, callers=2, rounds=1, seconds=0.1)))
    assert bounds(figures) == ["≥ 0.5", "≥ 0.4"]
    assert any(figure.note.startswith("0 of ") for figure in figures)


def test_envoy_compares_both_forms_with_no_authorization() -> None:
    figures = list(envoy.figures(envoy.Settings(size=5, callers=2, rounds=1, seconds=0.1)))
    assert [figure.unit for figure in figures] == ["req/s", "req/s", "x", "req/s", "x"]


def test_native_gives_every_bound_of_the_issue() -> None:
    settings = native.Settings(sizes=(5,), linear=(5,), asking=5, callers=2, rounds=1, seconds=0.1)
    assert bounds(list(native.figures(settings))) == ["≥ 0.75", "≥ 0.9", "≥ 4"]


def test_gateway_compares_middleware_and_proxy_with_the_same_without_a_policy() -> None:
    figures = list(gateway.figures(services.Settings(size=5, callers=2, rounds=1, seconds=0.1)))
    assert bounds(figures) == ["≥ 0.6", "≥ 0.8"]
