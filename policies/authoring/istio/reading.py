"""Bytes of a file of Kubernetes resources -> its AuthorizationPolicies.

A rule whose parts cannot be read keeps its problems, as whether it may be left out is decided later; every other
problem is about the whole import. Resources of another kind are told by name, and nothing else is made of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.resource import AuthorizationPolicy, Condition, Fields, Rule
from policies.authoring.istio.yaml_parts import entries_of, items_of, known_entries, refuse_part, text_at, texts_of
from policies.language.node import Node, Refused, Scalar
from policies.language.problem import Position, Problems
from policies.language.wording import listed, quoted
from policies.language.yaml_text import nodes_from_bytes

ACTIONS = ("ALLOW", "DENY", "AUDIT", "CUSTOM")
_VERSIONS = ("security.istio.io/v1", "security.istio.io/v1beta1")
_KIND = "AuthorizationPolicy"
_LISTS = ("List", "AuthorizationPolicyList")
_DRY_RUN = "istio.io/dry-run"
#: RFC 1123 subdomain, as Kubernetes takes it for names.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9._/-]{1,317}")
_SPEC = ("selector", "targetRef", "targetRefs", "rules", "action", "provider")
_SOURCE = (
    *("principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals", "namespaces", "notNamespaces"),
    *("serviceAccounts", "notServiceAccounts", "ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"),
)
_OPERATION = ("hosts", "notHosts", "ports", "notPorts", "methods", "notMethods", "paths", "notPaths")

Entries = dict[str, tuple[Scalar, Node]]


@dataclass(frozen=True, slots=True)
class Resources:
    """What files hold, in their order: policies, and what else they have, as `kind, place`."""

    policies: list[AuthorizationPolicy] = field(default_factory=list)
    others: list[tuple[str, Position]] = field(default_factory=list)


def read_resources(file: str, data: bytes, into: Resources, problems: Problems) -> None:
    """Add what `data` holds; `file` is the name that problems give. Never raises."""
    for node in nodes_from_bytes(file, data, problems):
        _resource(node, into, problems)


def _resource(node: Node, into: Resources, problems: Problems) -> None:
    entries = entries_of(node, "a resource", problems)
    if entries is None:
        return
    version, kind = (_word(entries, key) for key in ("apiVersion", "kind"))
    if kind in _LISTS:
        items = entries.get("items", (None, Refused(node.at)))[1]
        for item in items_of(items, "items", problems):
            _resource(item, into, problems)
    elif kind == _KIND and version in _VERSIONS:
        policy = _policy(node.at, entries, problems)
        if policy is not None:
            into.policies.append(policy)
    elif kind == _KIND or not kind:
        message = f"a resource has apiVersion {quoted(version)} and kind {quoted(kind)}"
        problems.add(node.at, ImportCode.INVALID, message, f"an {_KIND} has apiVersion {listed(_VERSIONS, 'or')}")
    else:
        into.others.append((kind, node.at))


def _policy(at: Position, entries: Entries, problems: Problems) -> AuthorizationPolicy | None:
    known = len(problems)
    metadata = entries_of(entries["metadata"][1], "metadata", problems) if "metadata" in entries else {}
    spec = known_entries(entries["spec"][1], "spec", _SPEC, problems) if "spec" in entries else None
    names = [text_at(metadata or {}, key, _NAME.fullmatch, problems) for key in ("namespace", "name")]
    if "spec" not in entries:
        problems.add(at, ImportCode.INVALID, f"an {_KIND} has no spec", "write `spec: {}` if nothing is to be allowed")
    for key, name in zip(("namespace", "name"), names, strict=True):
        if not name and len(problems) == known:
            hint = "write it down: a policy applies to its namespace only, and its name is in every problem"
            problems.add(at, ImportCode.INVALID, f"an {_KIND} has no metadata.{key}", hint)
    action = _action(spec or {}, problems)
    labels = _labels(spec or {}, problems)
    rules = _rules(spec["rules"][1], problems) if spec and "rules" in spec else ()
    if len(problems) > known:
        return None
    return AuthorizationPolicy(at, names[0], names[1], action, labels, _is_dry_run(metadata or {}), rules)


def _action(spec: Entries, problems: Problems) -> str:
    action = _word(spec, "action") if "action" in spec else "ALLOW"
    if action not in ACTIONS:
        hint = f"it is {listed(ACTIONS, 'or')}"
        problems.add(spec["action"][1].at, ImportCode.INVALID, f"{quoted(action)} is no action", hint)
    for key in ("targetRef", "targetRefs"):
        if key in spec:
            message = f"{quoted(key)} names a gateway or service, and which hosts that is stands elsewhere"
            hint = "write `selector` with labels instead, for the import only, and name the host by --host"
            problems.add(spec[key][0].at, ImportCode.UNSUPPORTED, message, hint)
    return action


def _labels(spec: Entries, problems: Problems) -> Mapping[str, str]:
    if "selector" not in spec:
        return {}
    selector = known_entries(spec["selector"][1], "selector", ("matchLabels",), problems)
    if not selector:
        return {}
    labels = entries_of(selector["matchLabels"][1], "matchLabels", problems) or {}
    found: dict[str, str] = {}
    for name, (key, node) in labels.items():
        if isinstance(node, Scalar) and _LABEL.fullmatch(name) and (not node.text or _LABEL.fullmatch(node.text)):
            found[name] = node.text
        else:
            problems.add(key.at, ImportCode.INVALID, f"{quoted(name)} in `matchLabels` is no label with its value")
    return found


def _is_dry_run(metadata: Entries) -> bool:
    annotations = metadata.get("annotations", (None, None))[1]
    return any(
        key.text == _DRY_RUN and isinstance(value, Scalar) and value.text == "true"
        for key, value in getattr(annotations, "entries", ())
    )


def _rules(node: Node, problems: Problems) -> tuple[Rule, ...]:
    items = getattr(node, "items", None)
    if items is None:
        refuse_part(node, "rules", "a list", problems)
        return ()
    return tuple(_rule(item) for item in items)


def _rule(node: Node) -> Rule:
    problems = Problems()
    entries = known_entries(node, "a rule", ("from", "to", "when"), problems) or {}
    sources = _parts(entries, "from", "source", _SOURCE, problems)
    operations = _parts(entries, "to", "operation", _OPERATION, problems)
    conditions: list[Condition] = []
    for item in items_of(entries["when"][1], "when", problems) if "when" in entries else ():
        conditions += _condition(item, problems)
    return Rule(node.at, sources, operations, tuple(conditions), problems.sorted())


def _parts(entries: Entries, key: str, inner: str, known: tuple[str, ...], problems: Problems) -> tuple[Fields, ...]:
    parts: list[Fields] = []
    for item in items_of(entries[key][1], key, problems) if key in entries else ():
        wrapped = known_entries(item, key, (inner,), problems)
        fields = known_entries(wrapped[inner][1], inner, known, problems) if wrapped else None
        if not fields:
            problems.add(item.at, ImportCode.INVALID, f"an item of {quoted(key)} has no {quoted(inner)} with a field")
            continue
        parts.append({name: texts_of(node, name, problems) for name, (_, node) in fields.items()})
    return tuple(parts)


def _condition(node: Node, problems: Problems) -> list[Condition]:
    entries = known_entries(node, "when", ("key", "values", "notValues"), problems)
    if entries is None:
        return []
    key = entries.get("key", (None, None))[1]
    if not isinstance(key, Scalar) or not key.text or len(entries) == 1:
        problems.add(node.at, ImportCode.INVALID, "an item of `when` has a `key`, and `values` or `notValues`")
        return []
    values, not_values = (
        texts_of(entries[name][1], name, problems) if name in entries else () for name in ("values", "notValues")
    )
    return [Condition(key, values, not_values)]


def _word(entries: Entries, key: str) -> str:
    node = entries[key][1] if key in entries else None
    return node.text if isinstance(node, Scalar) else ""
