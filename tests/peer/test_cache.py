"""The bounded cache."""

from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from policies.peer.cache import BoundedCache


def test_what_was_put_is_found() -> None:
    cache: BoundedCache[str, int] = BoundedCache(10)
    cache.put("a", 1)
    assert cache.get("a") == 1
    assert cache.get("b") is None


@given(st.integers(1, 20), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30))))
def test_law_entries_and_weight_stay_within_bounds(entries: int, puts: list[tuple[int, int]]) -> None:
    cache: BoundedCache[int, int] = BoundedCache(entries, 50)
    weights: dict[int, int] = {}
    for key, weight in puts:
        cache.get(key)
        cache.put(key, key, weights.setdefault(key, weight))
        held = [key for key in weights if cache.get(key) is not None]
        assert len(cache) <= max(entries, 2)
        assert sum(weights[key] for key in held) <= 50


def test_what_is_in_use_survives_a_flood_of_strangers() -> None:
    cache: BoundedCache[int, str] = BoundedCache(100)
    cache.put(-1, "regular")
    for stranger in range(10_000):
        cache.put(stranger, "once")
        assert cache.get(-1) == "regular"
    assert len(cache) <= 100


def test_an_entry_heavier_than_a_generation_is_not_kept() -> None:
    cache: BoundedCache[str, int] = BoundedCache(10, 100)
    cache.put("a", 1, 51)
    assert cache.get("a") is None


def test_threads_may_share_it() -> None:
    cache: BoundedCache[int, int] = BoundedCache(64, 10_000)
    wrong: list[int] = []

    def work(seed: int) -> None:
        for step in range(3_000):
            key = (seed * 31 + step * 7) % 200
            found = cache.get(key)
            if found is None:
                cache.put(key, key, 1)
            elif found != key:
                wrong.append(key)

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) <= 64
