"""Decision ids: 128 bits of hex that never come twice, whatever threads and processes do."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from runtime.decision_ids import next_decision_id


def test_an_id_is_128_bits_of_lower_case_hex() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", next_decision_id())


def test_ids_of_many_threads_are_all_different() -> None:
    def draw(_: int) -> list[str]:
        return [next_decision_id() for _ in range(5000)]

    with ThreadPoolExecutor(8) as threads:
        ids = [one for some in threads.map(draw, range(8)) for one in some]
    assert len(set(ids)) == 40_000


def test_a_forked_process_draws_other_ids_than_its_parent() -> None:
    next_decision_id()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, "".join(next_decision_id() for _ in range(50)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    theirs = {text[start : start + 32] for start in range(0, len(text), 32)}
    assert len(theirs) == 50
    assert theirs.isdisjoint(next_decision_id() for _ in range(500))
