"""How the demo looks: one line a call where the terminal is wide, two where it is not."""

import shlex
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from peergate.console import plain, styled
from peergate.demo.pki import DemoPki
from peergate.demo.scene import Outcome
from peergate.demo.tour import Call
from policies.reason import Effect

#: Columns from which reason and rule stand beside each other.
_WIDE = 104
_NOBODY = "no certificate"
_STYLES = {Effect.ALLOW: "green", Effect.DENY: "red"}


def outcome_table(outcomes: Iterable[Outcome], width: int, *, header: bool = True) -> Table:
    """The calls with verdict, reason and rule, for a terminal of so many columns."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, show_header=header, header_style="dim")
    table.add_column("caller", no_wrap=True)
    table.add_column("request", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    wide = width >= _WIDE
    for title in ("reason", "rule") if wide else ("reason, rule",):
        table.add_column(title, no_wrap=True)
    for outcome in outcomes:
        reason, rule = _why(outcome)
        why = (reason, rule) if wide else (Text("\n").join((reason, rule)) if rule.plain else reason,)
        table.add_row(_caller(outcome.call), _request(outcome.call), _verdict(outcome), *why)
    return table


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
        reason = outcome.record and outcome.record["reason"]
        got = f"TLS: {outcome.alert}" if answer is None else f"{answer.status}, {reason}, {answer.body[:200]!r}"
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
        return styled((f"TLS: {outcome.alert}", "magenta")), Text()
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
