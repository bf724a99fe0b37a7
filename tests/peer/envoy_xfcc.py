"""XFCC values as a real Envoy wrote them; `data/xfcc_envoy_1.40.json` says how they were made."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data" / "xfcc_envoy_1.40.json"


@dataclass(frozen=True)
class Written:
    """What Envoy wrote for one certificate, having received `received` from its client."""

    mode: str
    form: str
    certificate: str
    received: str | None
    written: str

    def __str__(self) -> str:
        return f"{self.mode} {self.form} {self.certificate} {self.received or ''}"


@cache
def _all() -> tuple[Written, ...]:
    cases = json.loads(DATA.read_text())["cases"]
    return tuple(
        Written(case["mode"], case["format"], case["certificate"], case["received"], case["written"]) for case in cases
    )


def written_by_envoy(mode: str = "", certificate: str = "") -> list[Written]:
    """The recorded values, text before JSON, of one mode and certificate if said."""
    return [case for case in _all() if mode in ("", case.mode) and certificate in ("", case.certificate)]
