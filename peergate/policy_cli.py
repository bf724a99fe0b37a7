"""`peergate policy …`: how these commands are called."""

from typing import Annotated

import typer

from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.formats import (
    CheckFailOn,
    CheckFormat,
    DiffFailOn,
    DiffFormat,
    FailOn,
    Format,
    MatrixFormat,
    PolicyTestFormat,
)
from peergate.help import help_without_command
from peergate.policy_exchange_cli import Policy, export_app, import_app

policy_app = typer.Typer(
    help="Write, check, test and explain policies.", callback=help_without_command, invoke_without_command=True
)

Texts = list[str] | None


@policy_app.command()
def check(
    policy: Policy,
    form: Annotated[CheckFormat, typer.Option("--format", help="How to write the result.")] = CheckFormat.TEXT,
    fail_on: Annotated[
        CheckFailOn | None,
        typer.Option("--fail-on", help="Exit 1 if the linter finds something of this severity or above."),
    ] = None,
    native: Annotated[bool, typer.Option("--native", help="Say also what makes an Envoy ask peergate.")] = False,
) -> ExitCode:
    """Say everything that is wrong with a policy, as file:line:column: code: message, and what its author hardly meant.

    Exit code: 0 if it would be loaded, 1 if it has problems, or with --fail-on such findings.
    """
    from peergate.commands import check as command  # noqa: PLC0415 - each command loads only what it needs

    return command.check(policy, form, fail_on, native=native)


@policy_app.command("test")
def run_tests(
    policy: Policy,
    form: Annotated[
        PolicyTestFormat, typer.Option("--format", help="How to write the result.")
    ] = PolicyTestFormat.TEXT,
    fail_under: Annotated[
        int | None,
        typer.Option(
            "--fail-under",
            metavar="PERCENT",
            min=0,
            max=100,
            help="Exit 1 if fewer rules, or fewer routes, are reached.",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again after every change of a file, until Ctrl-C.")] = False,
) -> ExitCode:
    """Run the *.test.yaml beside a policy, and say which rules and routes no test reached.

    Exit code: 0 if every request was decided as expected and as much was reached as --fail-under asks, else 1.
    """
    if watch:
        if form is not PolicyTestFormat.TEXT:
            raise ArgumentError("--watch is for people: it writes text, on one screen; leave out --format")
        from peergate.commands.watch import watch as run_again  # noqa: PLC0415 - each command loads only what it needs

        return run_again(policy, fail_under or 0)
    from peergate.commands import test as command  # noqa: PLC0415 - as above

    return command.test(policy, form, fail_under or 0)


@policy_app.command(context_settings={"allow_extra_args": True})
def explain(
    context: typer.Context,
    policy: Policy,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, POST …", show_default=False)] = "",
    url: Annotated[str, typer.Argument(metavar="URL", help="https://host/path", show_default=False)] = "",
    decision: Annotated[
        str | None, typer.Option(metavar="ID", help="A decision_id; its request is taken from --log.")
    ] = None,
    log: Annotated[str | None, typer.Option(metavar="FILE", help="The decision log; - reads standard input.")] = None,
    cert: Annotated[
        str | None, typer.Option("--cert", metavar="FILE", help="The caller's certificate, PEM, leaf first.")
    ] = None,
    uri: Annotated[Texts, typer.Option(help="A URI SAN. This and the following assert a caller.")] = None,
    dns: Annotated[Texts, typer.Option(help="A DNS SAN.")] = None,
    email: Annotated[Texts, typer.Option(help="An email SAN.")] = None,
    ip_san: Annotated[Texts, typer.Option(help="An IP address SAN.")] = None,
    subject: Annotated[str | None, typer.Option(help="The subject, RFC 4514.")] = None,
    issuer: Annotated[str | None, typer.Option(help="The issuer, RFC 4514.")] = None,
    serial: Annotated[str | None, typer.Option(help="The serial number, hex.")] = None,
    fingerprint: Annotated[str | None, typer.Option(help="sha256: and the hex digest of the certificate.")] = None,
    pin: Annotated[str | None, typer.Option(help="sha256: and the base64 digest of the public key.")] = None,
    trust: Annotated[Texts, typer.Option(help="A trust entry that vouches for the asserted caller.")] = None,
    source: Annotated[str | None, typer.Option(metavar="IP", help="The address of the connection.")] = None,
    sni: Annotated[str | None, typer.Option(help='The TLS server name; "" if none was sent.')] = None,
    header: Annotated[Texts, typer.Option(metavar="NAME:VALUE", help="A header of the request.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339, such as 2026-12-01T00:00:00Z.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TEXT,
) -> ExitCode:
    """Say what a policy decides on one request, and why.

    Without --cert and without any asserted name, the caller presents no certificate.
    What is left out (an address, a server name) is unknown.
    Exit code: 0 if the request is allowed, 1 if it is denied.
    """
    from peergate.commands import explain as command  # noqa: PLC0415 - each command loads only what it needs
    from policies.authoring.claim import Claim  # noqa: PLC0415 - as above

    if context.args:
        raise command.too_many_words()
    asked = (cert, uri, dns, email, ip_san, subject, issuer, serial, fingerprint, pin, trust, source, sni, header, at)
    if decision is not None and log is not None and not method and not any(item is not None for item in asked):
        return command.explain_recorded(policy, decision, log, form)
    if decision is not None or log is not None:
        raise ArgumentError("a recorded decision is asked for by --decision ID and --log FILE, and nothing else")
    if "/" not in url:
        raise command.no_url(method, url)
    claim = Claim(
        uri=tuple(uri or ()),
        dns=tuple(dns or ()),
        email=tuple(email or ()),
        ip_san=tuple(ip_san or ()),
        subject=_given(subject),
        issuer=_given(issuer),
        serial=_given(serial),
        fingerprint=_given(fingerprint),
        pins=_given(pin),
        trust=tuple(trust) if trust else None,
    )
    question = command.Question(
        method=method,
        url=url,
        certificate=cert,
        claim=claim,
        headers=tuple(header or ()),
        source=source,
        sni=sni,
        at=at,
    )
    return command.explain(policy, question, form)


@policy_app.command()
def matrix(
    policy: Policy,
    form: Annotated[MatrixFormat, typer.Option("--format", help="How to write it.")] = MatrixFormat.TEXT,
) -> ExitCode:
    """Say who may call what: every identity on every route, with the rules behind each verdict.

    A pair is allowed only if every request of it is; conditions are shown. --format html writes one page for a browser.
    """
    from peergate.commands import matrix as command  # noqa: PLC0415 - each command loads only what it needs

    return command.matrix(policy, form)


@policy_app.command()
def diff(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD", help="A policy file or folder, or a git revision: REV, REV:PATH.", show_default=False
        ),
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same, to compare with OLD.", show_default=False)],
    fail_on: Annotated[
        DiffFailOn | None,
        typer.Option("--fail-on", help="Exit 1 only if something is, or may be, allowed that was not."),
    ] = None,
    form: Annotated[DiffFormat, typer.Option("--format", help="How to write the result.")] = DiffFormat.TEXT,
) -> ExitCode:
    """Say who may do what under one of two policies only, with a request for each that they decide differently.

    A revision alone (HEAD~1) is the policy at the other argument's path in that revision.
    Exit code: 0 if the policies are proved to decide every request alike, else 1.
    """
    from peergate.commands import diff as command  # noqa: PLC0415 - each command loads only what it needs

    return command.diff(old, new, form, fail_on)


@policy_app.command()
def replay(
    policy: Policy,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="JSON lines; - reads standard input.", show_default=False)
    ],
    fail_on: Annotated[
        FailOn | None,
        typer.Option("--fail-on", help="Exit 1 if a line carried another effect than it is given now."),
    ] = None,
    summary: Annotated[
        bool,
        typer.Option("--summary", help="Counts and changed decisions by rule, instead of an answer for each line."),
    ] = False,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="How to write: json if left out, and text with --summary.", show_default=False),
    ] = None,
) -> ExitCode:
    """Judge requests or decision records again: JSON lines in, JSON lines out, in order; --summary says what changes.

    A line that cannot be read is answered with request_malformed.
    Exit code: 0, or with --fail-on changed 1 if an effect differs from the one on its line, or a line has none.
    """
    from peergate.commands import replay as command  # noqa: PLC0415 - each command loads only what it needs

    if summary:
        return command.summarise(policy, file, form or Format.TEXT, fail_on_changed=fail_on is not None)
    return command.replay(policy, file, form or Format.JSON, fail_on_changed=fail_on is not None)


@policy_app.command()
def init(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Made if it is not there.", show_default=False)],
) -> ExitCode:
    """Write a commented policy to start from, with its tests and the schema for editors. Replaces nothing."""
    from peergate.commands import init as command  # noqa: PLC0415 - each command loads only what it needs

    return command.init(folder)


@policy_app.command()
def fmt(
    path: Annotated[
        str,
        typer.Argument(
            metavar="POLICY", help="A policy file, a folder of them, or - for standard input.", show_default=False
        ),
    ],
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if something would change.")] = False,
) -> ExitCode:
    """Write policy files and their tests in one style; comments stay, and so does what they say.

    Exit code: 0, or 1 if a file is no YAML that a policy may hold, or with --check if a file would change.
    """
    from peergate.commands import fmt as command  # noqa: PLC0415 - each command loads only what it needs

    return command.fmt(path, check=check)


@policy_app.command()
def promote(
    policy: Policy,
    rule: Annotated[Texts, typer.Option("--rule", metavar="ID", help="A rule to turn on; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Turn on every shadow rule.")] = False,
) -> ExitCode:
    """Turn shadow rules on, in the files themselves: only the word of the mode changes.

    Exit code: 0, or 1 if the policy has problems.
    """
    from peergate.commands import promote as command  # noqa: PLC0415 - each command loads only what it needs

    if bool(rule) == everything:
        raise ArgumentError("name the rules to turn on by --rule ID, or all of them by --all")
    return command.promote(policy, rule or ())


@policy_app.command()
def schema(
    tests: Annotated[bool, typer.Option("--tests", help="The schema of *.test.yaml files instead.")] = False,
    form: Annotated[Format, typer.Option("--format", help="Indented, or on one line.")] = Format.TEXT,
) -> ExitCode:
    """Print the JSON Schema of policy files, for completion and hover texts in an editor.

    Save it beside the policy as peergate.schema.json. The first line of a policy names it:
    # yaml-language-server: $schema=./peergate.schema.json
    """
    from peergate.commands import schema as command  # noqa: PLC0415 - each command loads only what it needs

    return command.schema(form, tests=tests)


policy_app.add_typer(export_app, name="export")
policy_app.add_typer(import_app, name="import")


def _given(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)
