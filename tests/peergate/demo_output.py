"""The output of the demo, and what a reader finds in it."""

import io
import re

from rich.console import Console

from peergate.demo.tour import Call
from policies.reason import Reason

#: What a caller whom TLS turns away reads instead of a reason.
ALERTS = {Reason.CERTIFICATE_EXPIRED: "certificate expired", Reason.CERTIFICATE_UNTRUSTED: "unknown ca"}


def console_of(width: int) -> Console:
    """A console that keeps what is printed."""
    return Console(file=io.StringIO(), width=width, highlight=False, markup=False)


def text_on(console: Console) -> str:
    """What was printed on it."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def shows(text: str, call: Call, place: str) -> bool:
    """Whether a line has the call with verdict, place, reason and rule."""
    line = rf"{re.escape(call.caller or 'no certificate')} +{call.method} {re.escape(call.target)} "
    alert = ALERTS.get(call.reason)
    why = f"handshake +{alert}" if alert else f"{place} +{call.reason} +{call.rule}"
    return re.search(rf"{line}+{call.effect} +{why}", text) is not None
