"""What istiod makes of resources for the inbound listener of one pod: a stand-in, by the sources of Istio.

AuthorizationPolicies become RBAC filters of their actions, DENY before ALLOW (pilot/pkg/security/authz/builder and
model); an EnvoyFilter with INSERT_FIRST puts an HTTP filter before them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls
from tests.support.front import Front

Resource = dict[str, Any]
_RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
_TEMPLATE = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"


def filters_from_resources(resources: Sequence[Resource], labels: dict[str, str]) -> list[Resource]:
    """The HTTP filters before the router of a pod with `labels`, in a namespace that all resources are of."""
    policies = [one for one in resources if one["kind"] == "AuthorizationPolicy" and _selects(one, labels)]
    filters = []
    for action in ("DENY", "ALLOW"):
        acting = [one for one in policies if one["spec"].get("action", "ALLOW") == action]
        if acting:
            rules = {f"{one['metadata']['name']}-{n}": _policy(rule) for one in acting for n, rule in _rules(one)}
            config = {"@type": _RBAC, "rules": {"action": action, "policies": rules}}
            filters.append({"name": "envoy.filters.http.rbac", "typed_config": config})
    for one in resources:
        for patch in one["spec"].get("configPatches", ()) if _selects(one, labels) else ():
            assert (patch["applyTo"], patch["patch"]["operation"]) == ("HTTP_FILTER", "INSERT_FIRST")
            assert patch["match"]["context"] == "SIDECAR_INBOUND"
            filters.insert(0, patch["patch"]["value"])
    return filters


def sidecar_bootstrap(settings: EnvoySettings, filters: Iterable[Resource]) -> Any:
    """Our bootstrap with what decides about a request replaced: `pathNormalization: BASE`, these filters.

    As in Istio's own bootstrap, a path with a fragment is not refused.
    """
    bootstrap: Any = deepcopy(bootstrap_from_settings(settings))
    (listener,) = bootstrap["static_resources"]["listeners"]
    config = listener["filter_chains"][0]["filters"][-1]["typed_config"]
    config["normalize_path"] = True
    config["use_remote_address"] = False
    config["http_filters"] = [*filters, config["http_filters"][-1]]
    config["common_http_protocol_options"].pop("headers_with_underscores_action")
    config["http_protocol_options"]["allow_absolute_url"] = True
    flags = {"envoy.reloadable_features.http_reject_path_with_fragment": False}
    bootstrap["layered_runtime"] = {"layers": [{"name": "istio", "static_layer": flags}]}
    return bootstrap


def settings_in(folder: Path, mesh_ca: bytes, upstream: int) -> EnvoySettings:
    """A listener that asks for a certificate of the mesh, and takes callers without one (PERMISSIVE)."""
    server = Authority.root("front").issue(dns=["h.example"], server=True, client=False)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "mesh.pem": mesh_ca}.items():
        (folder / name).write_bytes(content)
    return EnvoySettings(
        listen=TcpAddress("127.0.0.1", 0),
        tls=DownstreamTls(folder / "s.pem", folder / "s.key", folder / "mesh.pem", require_client_certificate=False),
        authorization=Authorization(UnixAddress(str(folder / "nobody.sock"))),
        upstream=TcpAddress("127.0.0.1", upstream),
        admin=UnixAddress(str(folder / "admin.sock")),
    )


@contextmanager
def sidecar(binary: Path, filters: Iterable[Resource], mesh_ca: bytes, folder: Path) -> Iterator[Front]:
    """A running one."""
    with EchoUpstream() as upstream:
        settings = settings_in(folder, mesh_ca, upstream.port)
        with EnvoyProcess.run(binary, sidecar_bootstrap(settings, filters), settings.admin, folder) as envoy:
            yield Front((envoy.address.host, envoy.address.port), folder / "s.pem", upstream, envoy)


def _selects(resource: Resource, labels: dict[str, str]) -> bool:
    spec = resource["spec"]
    wanted = spec.get("selector", {}).get("matchLabels", {}) | spec.get("workloadSelector", {}).get("labels", {})
    return all(labels.get(name) == value for name, value in wanted.items())


def _rules(policy: Resource) -> Iterable[tuple[int, Resource]]:
    return enumerate(policy["spec"].get("rules", ()))


def _policy(rule: Resource) -> Resource:
    operations = [each["operation"] for each in rule.get("to", [])] or [{}]
    sources = [each["source"] for each in rule.get("from", [])] or [{}]
    names = [each["values"] for each in rule.get("when", []) if each["key"] == "connection.sni"]
    headers = [each for each in rule.get("when", []) if each["key"].startswith("request.headers[")]
    return {
        "permissions": [
            _all("rules", [*_permissions(operation), *map(_server_names, names)]) for operation in operations
        ],
        "principals": [_all("ids", [*_principals(source), *map(_header_values, headers)]) for source in sources],
    }


def _permissions(operation: Resource) -> Iterator[Resource]:
    for name, values in operation.items():
        made = {"hosts": _host, "methods": _method, "paths": _path}[name]
        yield {"or_rules": {"rules": [made(value) for value in values]}}


def _principals(source: Resource) -> Iterator[Resource]:
    for name, values in source.items():
        known = name[3].lower() + name[4:] if name.startswith("not") else name
        made = {"principals": _principal, "ipBlocks": _block}[known]
        any_of = {"or_ids": {"ids": [made(value) for value in values]}}
        yield {"not_id": any_of} if known != name else any_of


def _all(kind: str, parts: list[Resource]) -> Resource:
    return {f"and_{kind}": {kind: parts}} if parts else {"any": True}


def _text(value: str, prefix: str = "") -> Resource:
    if value == "*":
        return {"safe_regex": {"regex": ".+"}}
    if value.startswith("*"):
        return {"suffix": value[1:]}
    if value.endswith("*"):
        return {"prefix": prefix + value[:-1]}
    return {"exact": prefix + value}


def _host(value: str) -> Resource:
    return {"header": {"name": ":authority", "string_match": {**_text(value), "ignore_case": True}}}


def _method(value: str) -> Resource:
    return {"header": {"name": ":method", "string_match": _text(value)}}


def _path(value: str) -> Resource:
    if "{*}" in value or "{**}" in value:
        template = value.replace("{*}", "*").replace("{**}", "**")
        return {"uri_template": {"name": "t", "typed_config": {"@type": _TEMPLATE, "path_template": template}}}
    return {"url_path": {"path": _text(value)}}


def _server_names(values: list[str]) -> Resource:
    return {"or_rules": {"rules": [{"requested_server_name": _text(value)} for value in values]}}


def _principal(value: str) -> Resource:
    return {"authenticated": {"principal_name": _text(value, "spiffe://")}}


def _block(value: str) -> Resource:
    address, _, length = value.partition("/")
    return {"direct_remote_ip": {"address_prefix": address, "prefix_len": int(length or (128 if ":" in value else 32))}}


def _header_values(condition: Resource) -> Resource:
    name = condition["key"].removeprefix("request.headers[").removesuffix("]")
    return {"or_ids": {"ids": [{"header": {"name": name, "string_match": _text(v)}} for v in condition["values"]]}}
