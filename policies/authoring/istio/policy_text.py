"""The text of the imported policy, in the one style of policy files."""

from collections.abc import Sequence

from policies.authoring.formatting.format import formatted
from policies.authoring.istio.callers import AUTHENTICATED, Identities, short_name
from policies.authoring.istio.conditions import Network
from policies.authoring.istio.mesh import Mesh
from policies.authoring.istio.operations import Route
from policies.authoring.istio.plan import Piece, Plan
from policies.authoring.istio.resource import AuthorizationPolicy
from policies.authoring.istio.text import comment_lines, entry_lines, flow

_INDENT = 2
_HEAD = """Imported from Istio AuthorizationPolicies by `peergate policy import istio`.
Everything that no rule allows is denied. The hosts, and the workloads behind them:"""
_ANCHOR = """The CA that signs the certificates of this trust domain: put its PEM file here.
Istio keeps that of the mesh as root-cert.pem in the ConfigMap istio-ca-root-cert of every namespace."""
_FORM = """Istio reads namespace and account from names like ns/NAMESPACE/sa/ACCOUNT.
Callers with other names are denied, as patterns below would miss them."""
_OPEN = """No AuthorizationPolicy that allows applies to these hosts: Istio allows there what it does not deny,
also to callers without a certificate."""
_NOTHING = "None of these policies allows anything here."
_EXCEPT = "What the rule above excludes; no other rule allows it."
_PLAINTEXT = "Also for callers without a certificate, as in Istio: take `unauthenticated` out if mTLS is STRICT there."


def policy_text(plan: Plan, mesh: Mesh, identities: Identities, domains: tuple[str, ...]) -> str:
    """Everything that `plan` says; the same plan gives the same text."""
    rules = _rules(plan, identities)
    lines = [*comment_lines(_HEAD, 0), *comment_lines("\n".join(f"  {each}" for each in mesh.workloads), 0)]
    for policy, why in plan.silent:
        lines += comment_lines(f"{_title(policy, policy.at.line)} {why}.", 0)
    lines += ["version: 1", "", "trust:"]
    for domain in domains:
        anchor = mesh.anchors if mesh.anchors and domain == mesh.trust_domain else f"pki/{domain}.pem"
        lines += [f"  {flow(short_name(domain))}:", *comment_lines(_ANCHOR, 2 * _INDENT)]
        lines += [f"    anchors: {flow([anchor])}", f"    spiffe_trust_domain: {flow(domain)}"]
    if identities.named:
        lines += ["", "identities:"]
        lines += [f"  {flow(name)}: {flow({'uri': _one_or_many(uris)})}" for name, uris in identities.named.items()]
    text = "\n".join([*lines, "", "rules:", *rules, ""])
    laid_out, problems = formatted("the imported policy", text.encode())
    if laid_out is None:
        raise ValueError(f"the text of an import is no policy text: {problems[0]}")
    return laid_out.decode()


def _rules(plan: Plan, identities: Identities) -> list[str]:
    lines: list[str] = []
    if identities.leans_on_form:
        others = {"all": [AUTHENTICATED, {"not": identities.of_form()}]}
        lines += _rule(_FORM, {"id": "only-istio-workloads", "deny": others, "to": "any"})
    written = 0
    for piece in plan.pieces:
        added = _piece(piece)
        written += bool(added) and bool(piece.carried.routes) and not piece.problems
        lines += added
    if plan.open_hosts:
        fields = {"allow": [AUTHENTICATED, "unauthenticated"], "to": Route(plan.open_hosts).written()}
        lines += _rule(_OPEN, {"id": "allowed-by-default", **fields})
    elif not written:
        lines += _rule(_NOTHING, {"id": "nothing-is-allowed", "deny": "anyone", "to": "any"})
    return lines


def _piece(piece: Piece) -> list[str]:
    comment = f"{_title(piece.policy, piece.rule.at.line)}, rule {piece.number}"
    if piece.problems:
        found = "\n".join(f"  {problem}" for problem in piece.problems)
        left_out = f"LEFT OUT: Istio allows this, and here it is denied. {comment}:\n{found}"
        return [*comment_lines(left_out, _INDENT), ""]
    if not piece.carried.routes:
        return [*comment_lines(f"{comment}: it never matches on these hosts.", _INDENT), ""]
    effect = piece.policy.action.lower()
    name = f"{short_name(f'{piece.policy.namespace}.{piece.policy.name}')}.{piece.number}"
    routes = _one_or_many([route.written() for route in piece.carried.routes])
    lines: list[str] = []
    for number, ((inside, outside), callers) in enumerate(piece.carried.callers.items(), 1):
        fields: dict[str, object] = {
            "id": name if number == 1 else f"{name}-{number}",
            effect: _one_or_many(callers),
            "to": routes,
        }
        if inside is not None:
            fields["from"] = list(map(_network, inside))
        if outside:
            fields["not_from"] = list(map(_network, outside))
        if piece.carried.server_names:
            fields["when"] = {"sni": list(piece.carried.server_names)}
        says_plaintext = effect == "allow" and "unauthenticated" in callers
        lines += _rule(f"{comment}\n{_PLAINTEXT}" if says_plaintext else comment, fields)
    if piece.exceptions:
        denied = _one_or_many([route.written() for route in piece.exceptions])
        lines += _rule(_EXCEPT, {"id": f"{name}-except", "deny": "anyone", "to": denied})
    return lines


def _rule(comment: str, fields: dict[str, object]) -> list[str]:
    return [*comment_lines(comment, _INDENT), *entry_lines(fields, _INDENT), ""]


def _one_or_many(items: Sequence[object]) -> object:
    return items[0] if len(items) == 1 else items


def _network(network: Network) -> str:
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _title(policy: AuthorizationPolicy, line: int) -> str:
    return f"AuthorizationPolicy {policy.title} ({policy.at.file}:{line})"
