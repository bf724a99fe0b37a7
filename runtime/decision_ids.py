"""Decision ids: 128 random bits in hex, drawn in blocks: a call of the system for each would cost more than all else.

Threads share one pool without a lock (`list.pop` is atomic); a process that was forked starts with an empty one, so
that parent and child never give out the same id. A spawned process imports this module anew.
"""

import os
import re

_ID_BYTES = 16
_BLOCK = 64
_ID = re.compile(f".{{{2 * _ID_BYTES}}}")

_pool: list[str] = []
os.register_at_fork(after_in_child=_pool.clear)


def next_decision_id() -> str:
    """A new id: 32 lower-case hex digits."""
    try:
        return _pool.pop()
    except IndexError:
        ids = _drawn()
        last = ids.pop()
        _pool.extend(ids)
        return last


def _drawn() -> list[str]:
    return _ID.findall(os.urandom(_ID_BYTES * _BLOCK).hex())
