"""What the `when` of an Istio rule means: callers, networks, headers, server names, and whether its port is meant."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.errors import NotCarriedError
from policies.authoring.istio.ports import port_is_meant
from policies.authoring.istio.resource import Condition, Texts
from policies.engine.header_names import ORIGIN_HEADERS, folded_name, is_reserved
from policies.engine.host import HostPattern
from policies.language.compiler.routes import HEADER_NAME
from policies.language.compiler.values import network_from_text
from policies.language.node import Scalar
from policies.language.problem import Problems
from policies.language.wording import quoted

Network = IPv4Network | IPv6Network
_HEADER = "request.headers["
_JWT = "peergate judges certificates, not tokens; let the upstream or Istio's RequestAuthentication judge them"
#: Conditions, and fields of a source, that say nothing that peergate knows -> why, or what to do.
UNSUPPORTED = {
    "remoteIpBlocks": "it follows X-Forwarded-For as far as the gateway's numTrustedProxies says; write `from` by hand",
    "requestPrincipals": _JWT,
    "remote.ip": "it follows X-Forwarded-For as far as the gateway's numTrustedProxies says; write `from` by hand",
    "destination.ip": "peergate is not told to which address a request came; name the host by --host",
    "request.auth.principal": _JWT,
    "request.auth.audiences": _JWT,
    "request.auth.presenter": _JWT,
    "request.auth.claims": _JWT,
    "experimental.envoy.filters": "metadata of other filters of Envoy is not shown to peergate",
}


@dataclass(slots=True)
class Meaning:
    """What conditions have said so far; all of it must hold. `networks`: each is one list of alternatives."""

    principals: list[Texts] = field(default_factory=list)
    not_principals: list[Texts] = field(default_factory=list)
    namespaces: list[Texts] = field(default_factory=list)
    not_namespaces: list[Texts] = field(default_factory=list)
    networks: list[Texts] = field(default_factory=list)
    not_networks: list[Texts] = field(default_factory=list)
    headers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    server_names: tuple[str, ...] = ()
    is_possible: bool = True


def meaning_of_conditions(conditions: tuple[Condition, ...], port: int | None, problems: Problems) -> Meaning:
    """What all of `conditions` say together, every problem added to `problems`."""
    meaning = Meaning()
    for condition in conditions:
        try:
            _add(condition, meaning, port)
        except NotCarriedError as error:
            problems.add(error.word.at, error.code, error.message, error.hint)
    return meaning


def networks_from_texts(texts: Texts, problems: Problems) -> list[Network]:
    """The networks of one list of alternatives."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(network_from_text(text.text))
        except ValueError as error:
            problems.add(text.at, ImportCode.INEXACT, str(error))
    return networks


def common_networks(one: list[Network], other: list[Network]) -> list[Network]:
    """The networks that lie in both; two networks are either apart, or one lies in the other."""
    found = [a if a.prefixlen >= b.prefixlen else b for a in one for b in other if _touch(a, b)]
    return list(dict.fromkeys(found))


def _touch(a: Network, b: Network) -> bool:
    return a.version == b.version and a.overlaps(b)


def _add(condition: Condition, meaning: Meaning, port: int | None) -> None:
    key = condition.key.text
    lists = {
        "source.principal": (meaning.principals, meaning.not_principals),
        "source.namespace": (meaning.namespaces, meaning.not_namespaces),
        "source.ip": (meaning.networks, meaning.not_networks),
    }
    if key in lists:
        for into, texts in zip(lists[key], (condition.values, condition.not_values), strict=True):
            if texts:
                into.append(texts)
    elif key == "destination.port":
        meaning.is_possible &= port_is_meant(port, condition.values, condition.not_values)
    elif key == "connection.sni":
        _add_server_names(condition, meaning)
    elif key.startswith(_HEADER) and key.endswith("]"):
        _add_header(condition, key[len(_HEADER) : -1].lower(), meaning)
    else:
        name = next((known for known in UNSUPPORTED if key.split("[")[0].startswith(known)), None)
        code = ImportCode.UNSUPPORTED if name else ImportCode.INVALID
        hint = UNSUPPORTED[name] if name else ""
        message = (
            f"the condition {quoted(key)} has no counterpart in peergate" if name else f"no condition {quoted(key)}"
        )
        raise NotCarriedError(condition.key, code, message, hint)


def _add_server_names(condition: Condition, meaning: Meaning) -> None:
    if condition.not_values or meaning.server_names:
        message = "peergate can ask for one of several server names, not for another one, and not twice"
        raise NotCarriedError(condition.key, ImportCode.INEXACT, message, "write one condition with `values`")
    meaning.server_names = tuple(map(_server_name, condition.values))


def _server_name(value: Scalar) -> str:
    """A server name; `*.x` of Istio is any number of labels, which is `**.x` here."""
    text = f"*{value.text}" if value.text.startswith("*.") else value.text
    try:
        pattern = HostPattern.parse(text)
    except ValueError:
        pattern = None
    if pattern is None or str(pattern) != text or pattern.depth == 1 or value.text.startswith("**"):
        message = f"peergate knows a server name as a whole, or by whole labels at its end, not as {quoted(value.text)}"
        hint = "write it as www.example.com or *.example.com, in lower case as Envoy sees it"
        raise NotCarriedError(value, ImportCode.INEXACT, message, hint)
    return text


def _add_header(condition: Condition, name: str, meaning: Meaning) -> None:
    folded = folded_name(name)
    if not HEADER_NAME.fullmatch(name) or is_reserved(folded) or name in ORIGIN_HEADERS:
        message = f"no rule of peergate may read the header {quoted(name)}"
        hint = "who calls is told by `principals`, where from by `ipBlocks`, the host by `hosts`"
        raise NotCarriedError(condition.key, ImportCode.UNSUPPORTED, message, hint)
    if condition.not_values:
        message = "peergate can ask for a header with one of some values, not for its absence or another value"
        raise NotCarriedError(condition.not_values[0], ImportCode.INEXACT, message, "write `values`")
    for value in condition.values:
        text = value.text
        if "*" in (text[0], text[-1]) or "," in text or text.strip(" \t") != text or not text.isprintable():
            message = f"peergate compares whole values of a header, without commas and outer blanks, not {quoted(text)}"
            raise NotCarriedError(value, ImportCode.INEXACT, message, "list the whole values")
    values = tuple(dict.fromkeys(value.text for value in condition.values))
    known = meaning.headers.get(name, values)
    meaning.headers[name] = tuple(value for value in values if value in known)
    meaning.is_possible &= bool(meaning.headers[name])
