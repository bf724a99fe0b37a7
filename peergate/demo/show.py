"""How the demo looks: one line a call where the terminal is wide, two where it is not."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from peergate.console import plain, print_facts, styled
from peergate.demo.pki import DemoPki
from peergate.demo.scene import Outcome
from peergate.demo.tour import Call
from policies.engine.record import Enforcement
from policies.reason import Effect

#: Columns from which each fact has a column of its own.
_WIDE = 112
_NOBODY = "no certificate"
_STYLES = {Effect.ALLOW: "green", Effect.DENY: "red"}


class Place(StrEnum):
    """Where a call came to its end."""

    ENVOY = "in Envoy"
    ASKED = "asked"
    GATEWAY = "gateway"
    HANDSHAKE = "handshake"


_PLACES = {Enforcement.NATIVE: Place.ENVOY, Enforcement.EXTAUTH: Place.ASKED, Enforcement.GATEWAY: Place.GATEWAY}
#: What each place means, for people who see it for the first time.
_MEANING = {
    Place.ENVOY: "inside Envoy, which has the policy: nobody was asked",
    Place.ASKED: "Envoy asked peergate",
    Place.GATEWAY: "in the gateway",
    Place.HANDSHAKE: "not at all: a TLS alert turned them away before there was a request",
}


def outcome_table(outcomes: Iterable[Outcome], width: int, *, header: bool = True) -> Table:
    """The calls with verdict, place, reason and rule, for a terminal of so many columns."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, show_header=header, header_style="dim")
    table.add_column("caller", no_wrap=True)
    table.add_column("request", overflow="fold")
    wide = width >= _WIDE
    for title in ("verdict", "where", "reason", "rule") if wide else ("verdict", "reason, rule"):
        table.add_column(title, no_wrap=True)
    for outcome in outcomes:
        facts = _verdict(outcome), styled((place_of(outcome), "dim")), *_why(outcome)
        pairs = (facts[:2], facts[2:])
        cells = facts if wide else tuple(Text("\n").join(filter(str, pair)) for pair in pairs)
        table.add_row(_caller(outcome.call), _request(outcome.call), *cells)
    return table


def place_of(outcome: Outcome) -> str:
    """Where a call came to its end, empty if nobody knows."""
    if outcome.answer is None:
        return Place.HANDSHAKE
    return "" if outcome.record is None else _PLACES[Enforcement(outcome.record["enforcement"])]


def print_places(console: Console, outcomes: Sequence[Outcome]) -> None:
    """How many calls came to their end where, and what that means."""
    counted = Counter(map(place_of, outcomes))
    console.print(styled((f"Where the {len(outcomes)} calls were decided:", "bold")))
    facts = [(styled(f"{counted[place]:2} {place}"), meaning) for place, meaning in _MEANING.items() if counted[place]]
    print_facts(console, facts, indent=2)


def curl_lines(calls: Iterable[Call], pki: DemoPki, port: int) -> Iterable[Text]:
    """Each call as a line for a shell, under what it shows; they run in the folder of the PKI."""
    yield styled(shlex.join(["cd", str(pki.folder)]))
    for call in calls:
        yield styled((f"# {call.point}", "dim"))
        yield styled(_curl(call, pki, port))


def print_failures(console: Console, outcomes: Iterable[Outcome]) -> None:
    """What each call should have come to, for those that came to something else."""
    for outcome in outcomes:
        call, answer = outcome.call, outcome.answer
        wanted = f"{call.effect} because {call.reason}" + (f" by {call.rule}" if call.rule else "")
        wanted += f", {outcome.enforcement}" if outcome.enforcement else ""
        got = f"a TLS alert: {outcome.alert}" if answer is None else f"{answer.status}, {answer.body[:200]!r}"
        if outcome.record is not None:
            got += f", {outcome.record['reason']}, {outcome.record['enforcement']}"
        console.print(styled(("not as expected: ", "bold red"), f"{call.point}: wanted {wanted}; got {got}"))


def _caller(call: Call) -> Text:
    return styled((call.caller or _NOBODY, "bold" if call.caller else "italic"))


def _request(call: Call) -> Text:
    request = styled((call.method, "dim"), f" {call.target}")
    for name, value in call.headers:
        request.append(f"\n{plain(name)}: {plain(value.rpartition('/')[2])}", style="yellow")
    return request


def _verdict(outcome: Outcome) -> Text:
    if outcome.record is None and outcome.answer is not None:
        return styled(("none", "bold red"))
    effect = Effect.DENY if outcome.record is None else Effect(outcome.record["effect"])
    return styled((effect if outcome.is_as_expected else f"{effect} !", _STYLES[effect]))


def _why(outcome: Outcome) -> tuple[Text, Text]:
    if outcome.answer is None:
        return styled((outcome.alert, "magenta")), Text()
    if outcome.record is None:
        return styled((f"no decision, status {outcome.answer.status}", "bold red")), Text()
    rules = styled((", ".join(outcome.record["rules"]), "cyan"))
    if outcome.call.headers and outcome.answer.status == 200:
        identity = ", ".join(outcome.answer.echoed().values("x-peergate-identity"))
        rules.append(f"\nupstream saw: {plain(identity)}", style="yellow")
    return styled(outcome.record["reason"]), rules


def _curl(call: Call, pki: DemoPki, port: int) -> str:
    words = ["curl", "--path-as-is", "--cacert", pki.server_ca.name, "--resolve", f"{call.host}:{port}:127.0.0.1"]
    if call.caller:
        credentials = pki.callers[call.caller]
        words += ["--cert", credentials.chain.name, "--key", credentials.key.name]
    if call.method != "GET":
        words += ["-X", call.method]
    for name, value in call.headers:
        words += ["-H", f"{name}: {value}"]
    return shlex.join([*words, f"https://{call.host}:{port}{call.target}"])
