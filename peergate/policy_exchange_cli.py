"""`peergate policy export …` and `peergate policy import …`: how these commands are called."""

from typing import Annotated

import typer

from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.formats import Format, IstioForm
from peergate.help import help_without_command

Policy = Annotated[
    str, typer.Argument(metavar="POLICY", help="A policy file, or a folder of them.", show_default=False)
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        metavar="HOST=NAMESPACE[,LABEL=VALUE]…",
        help="A host, and the namespace and labels of the pods behind it; repeat it for several.",
    ),
]

export_app = typer.Typer(
    help="Put a policy into another form.", callback=help_without_command, invoke_without_command=True
)


@export_app.command("envoy")
def export_envoy(
    policy: Policy,
    port: Annotated[
        list[int] | None,
        typer.Option(min=1, max=65535, help="A port that clients write in the Host header; repeat it for several."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Instead of the filters, say which rules Envoy decides by itself.")
    ] = False,
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="A whole configuration of an Envoy with mTLS; needs what follows.")
    ] = False,
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where Envoy listens.")] = None,
    cert: Annotated[str | None, typer.Option(metavar="FILE", help="Certificate chain of the listener, PEM.")] = None,
    key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    upstream: Annotated[str | None, typer.Option(metavar="URL", help="Where requests go that may pass.")] = None,
    ask: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where `peergate extauth serve` answers; unix:/path too.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write the report.")] = Format.TEXT,
) -> ExitCode:
    """Print the filters, as JSON, by which an Envoy decides by itself what it can and asks peergate for the rest.

    The Envoy must verify clients with the anchors of the policy, and have a cluster `peergate` that answers ext_authz.
    """
    from peergate.commands import export as command  # noqa: PLC0415 - each command loads only what it needs

    if report:
        return command.report_envoy(policy, form)
    given = (listen, cert, key, upstream, ask)
    if not bootstrap:
        if any(item is not None for item in given):
            raise ArgumentError("--listen, --cert, --key, --upstream and --ask are about --bootstrap")
        return command.export_envoy(policy, tuple(port or ()), None)
    if listen is None or cert is None or key is None or upstream is None or ask is None:
        raise ArgumentError("--bootstrap needs --listen, --cert, --key, --upstream and --ask")
    return command.export_envoy(policy, tuple(port or ()), command.Listener(listen, cert, key, upstream, ask))


@export_app.command("istio")
def export_istio(
    policy: Policy,
    host: Hosts = None,
    form: Annotated[
        IstioForm,
        typer.Option(
            "--form",
            help="authorization: Istio decides. ext-authz: Istio asks peergate. "
            "mesh-config: Helm values of istiod that ext-authz needs once in a mesh.",
        ),
    ] = IstioForm.AUTHORIZATION,
) -> ExitCode:
    """Print resources for an Istio mesh, as YAML, by which the pods behind the named hosts enforce the policy.

    AuthorizationPolicies say exactly what the policy says, or nothing is printed, and each rule that Istio cannot say
    is named with its place and what to write instead. With --form ext-authz any policy is enforced: peergate decides.

    Exit code: 1 if the policy has problems, or says what Istio cannot say.
    """
    from peergate.commands import export_istio as command  # noqa: PLC0415 - each command loads only what it needs

    return command.export_istio(policy, host or (), form)


import_app = typer.Typer(
    help="Make a policy of another form.", callback=help_without_command, invoke_without_command=True
)


@import_app.command("istio")
def import_istio(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…", help="Files of AuthorizationPolicies; `-` is standard input.", show_default=False
        ),
    ],
    host: Hosts = None,
    trust_domain: Annotated[str, typer.Option(metavar="NAME", help="The trust domain of the mesh.")] = "cluster.local",
    root_namespace: Annotated[
        str, typer.Option(metavar="NAME", help="The namespace whose policies are for every workload.")
    ] = "istio-system",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The one port of these workloads, where policies tell ports apart."),
    ] = None,
    anchors: Annotated[
        str | None, typer.Option(metavar="FILE", help="PEM of the mesh's CA, as the policy is to name it.")
    ] = None,
) -> ExitCode:
    """Print a policy that decides as Istio's AuthorizationPolicies do, for the hosts that are named.

    Exit code: 1 if a rule that allows had to be left out, or with nothing printed if anything else has no exact
    counterpart. Nothing is carried over approximately.
    """
    from peergate.commands import import_istio as command  # noqa: PLC0415 - each command loads only what it needs

    about = command.AboutMesh(host or (), trust_domain, root_namespace, port, anchors)
    return command.import_istio(files, about)
