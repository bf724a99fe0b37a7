"""What Istio decides, by its documentation and nothing of peergate: an independent reading of AuthorizationPolicy.

Sources: the reference pages "Authorization Policy" (order of actions; exact, prefix, suffix and presence match; AND
and OR) and "Authorization Policy Conditions". A policy is the plain Python that its YAML is.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any

Policy = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request to one workload. `principal` is the SPIFFE ID without `spiffe://`, None without mTLS."""

    principal: str | None
    address: str
    method: str
    host: str
    path: str
    sni: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    port: int = 8080


@dataclass(frozen=True)
class Pod:
    """The workload that is called."""

    namespace: str
    labels: dict[str, str]


def istio_allows(policies: list[Policy], pod: Pod, call: Call, root: str = "istio-system") -> bool:
    """DENY first; allowed if no ALLOW policy applies, or if one of them matches."""
    applying = [policy for policy in policies if _applies(policy, pod, root)]
    if any(_matches(policy, call) for policy in applying if _action(policy) == "DENY"):
        return False
    allowing = [policy for policy in applying if _action(policy) == "ALLOW"]
    return not allowing or any(_matches(policy, call) for policy in allowing)


def _action(policy: Policy) -> str:
    return str(policy["spec"].get("action", "ALLOW"))


def _applies(policy: Policy, pod: Pod, root: str) -> bool:
    if policy["metadata"].get("annotations", {}).get("istio.io/dry-run") == "true":
        return False
    wanted = policy["spec"].get("selector", {}).get("matchLabels", {})
    in_space = policy["metadata"]["namespace"] in (pod.namespace, root)
    return in_space and all(pod.labels.get(name) == value for name, value in wanted.items())


def _matches(policy: Policy, call: Call) -> bool:
    space = policy["metadata"]["namespace"]
    return any(_rule_matches(rule, call, space) for rule in policy["spec"].get("rules", []))


def _rule_matches(rule: dict[str, Any], call: Call, space: str) -> bool:
    sources = [item["source"] for item in rule.get("from", [])]
    operations = [item["operation"] for item in rule.get("to", [])]
    return (
        (not sources or any(_source_matches(source, call, space) for source in sources))
        and (not operations or any(_operation_matches(operation, call) for operation in operations))
        and all(_condition_matches(condition, call) for condition in rule.get("when", []))
    )


def _source_matches(source: dict[str, list[str]], call: Call, space: str) -> bool:
    tests = {
        "principals": lambda values: _principal(values, call),
        "namespaces": lambda values: _namespace(values, call),
        "serviceAccounts": lambda values: _account(values, call, space),
        "ipBlocks": lambda values: _address(values, call),
    }
    return _all_hold(source, tests)


def _operation_matches(operation: dict[str, list[str]], call: Call) -> bool:
    tests = {
        "hosts": lambda values: any(_text(value.lower(), call.host.lower()) for value in values),
        "methods": lambda values: any(_text(value, call.method) for value in values),
        "paths": lambda values: any(_path(value, call.path.partition("?")[0]) for value in values),
        "ports": lambda values: str(call.port) in values,
    }
    return _all_hold(operation, tests)


def _all_hold(fields: dict[str, list[str]], tests: dict[str, Any]) -> bool:
    for name, values in fields.items():
        negative = name.startswith("not")
        known = name[3].lower() + name[4:] if negative else name
        if tests[known](values) is negative:
            return False
    return True


def _condition_matches(condition: dict[str, Any], call: Call) -> bool:
    key = condition["key"]

    def holds(values: list[str]) -> bool:
        if key == "source.principal":
            return _principal(values, call)
        if key == "source.namespace":
            return _namespace(values, call)
        if key == "source.ip":
            return _address(values, call)
        if key == "destination.port":
            return str(call.port) in values
        if key == "connection.sni":
            return call.sni is not None and any(_text(value, call.sni) for value in values)
        name = re.fullmatch(r"request\.headers\[(.*)\]", key)
        assert name is not None, key
        found = call.headers.get(name[1].lower())
        return found is not None and any(_text(value, found) for value in values)

    if "values" in condition and not holds(condition["values"]):
        return False
    return not ("notValues" in condition and holds(condition["notValues"]))


def _text(pattern: str, text: str) -> bool:
    """Presence, suffix, prefix, exact; the first that the pattern looks like."""
    if pattern == "*":
        return text != ""
    if pattern.startswith("*"):
        return text.endswith(pattern[1:])
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def _path(pattern: str, path: str) -> bool:
    if "{*}" not in pattern and "{**}" not in pattern:
        return _text(pattern, path)
    words = ["[^/]+" if word == "{*}" else ".*" if word == "{**}" else re.escape(word) for word in pattern.split("/")]
    return re.fullmatch("/".join(words), path) is not None


def _principal(values: list[str], call: Call) -> bool:
    return call.principal is not None and any(_text(value, call.principal) for value in values)


def _namespace(values: list[str], call: Call) -> bool:
    parts = (call.principal or "").split("/")
    return len(parts) == 5 and any(_text(value, parts[2]) for value in values)


def _account(values: list[str], call: Call, space: str) -> bool:
    parts = (call.principal or "").split("/")
    wanted = [value if "/" in value else f"{space}/{value}" for value in values]
    return len(parts) == 5 and f"{parts[2]}/{parts[4]}" in wanted


def _address(values: list[str], call: Call) -> bool:
    address = ipaddress.ip_address(call.address)
    return any(address in ipaddress.ip_network(value) for value in values)
