"""The corpus files, read strictly: an unknown key is an error, so that no expectation is overlooked. See README.md."""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from policies.reason import Effect, Reason

#: Where calls come from: an address of this machine that nothing else uses.
SOURCE_IP = "127.0.0.2"
FOLDER = Path(__file__).parent / "corpus"
_FILE_KEYS = {"about", "now", "authorities", "certificates", "crls", "policy", "defaults", "cases", "proxy_verified"}
_CASE_KEYS = {
    *("name", "as", "request", "method", "host", "target", "headers", "source_ip", "sni", "at"),
    *("shows", "expect", "upstream", "captures", "shadow", "envoy", "over_http", "not_through"),
}
_EXPECT = re.compile(r"(allow|deny) by ([\w.-]+(?:, [\w.-]+)*)|deny because (\w+)")
_REQUEST = re.compile(r"(\S+) https://([^/]*)(/.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What every enforcement point must say."""

    effect: Effect
    reason: Reason
    rules: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Verdict":
        if (match := _EXPECT.fullmatch(text)) is None:
            raise ValueError(f"not an expectation: {text!r}")
        if match[3]:
            return cls(Effect.DENY, Reason(match[3]), ())
        effect = Effect(match[1])
        reason = Reason.ALLOWED_BY_RULE if effect is Effect.ALLOW else Reason.DENIED_BY_RULE
        return cls(effect, reason, tuple(sorted(match[2].split(", "))))


@dataclass(frozen=True, slots=True)
class Case:
    """One request and the verdict on it. Texts that go on the wire have one character a byte."""

    file: str
    name: str
    certificate: str | None
    method: str
    hosts: tuple[str, ...]
    target: str
    headers: tuple[tuple[str, str], ...]
    source_ip: str
    sni: str | None
    at: str
    expect: Verdict
    upstream: Mapping[str, str]
    captures: Mapping[str, str] | None
    shadow: Verdict | None
    refused_by_envoy: bool
    over_http: Verdict | None
    not_through: Mapping[str, str]
    verified_for: str
    names_only: bool

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One world as written, and its cases."""

    name: str
    now: str
    authorities: Mapping[str, Mapping[str, Any]]
    certificates: Mapping[str, Mapping[str, Any]]
    crls: Mapping[str, Mapping[str, Any]]
    policy: Mapping[str, str]
    cases: tuple[Case, ...]


@lru_cache(maxsize=1)
def corpus() -> tuple[CorpusFile, ...]:
    """Every file, by name."""
    return tuple(_file(path) for path in sorted(FOLDER.glob("*.yaml")))


def cases(enforcement: str) -> list[Case]:
    """The cases that go through `enforcement`: engine, grpc, envoy (asks over gRPC) or http (asks over HTTP)."""
    found = [case for file in corpus() for case in file.cases if enforcement not in case.not_through]
    if enforcement != "http":
        return found
    return [dataclasses.replace(case, expect=case.over_http or case.expect) for case in found]


def _file(path: Path) -> CorpusFile:
    # Scalars stay text, as in a policy: BaseLoader builds nothing but text, lists and mappings.
    document = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
    _no_others(document, _FILE_KEYS, path.name)
    policy = document["policy"]
    return CorpusFile(
        name=path.stem,
        now=document.get("now", ""),
        authorities={name: entry or {} for name, entry in document.get("authorities", {"mesh": {}}).items()},
        certificates=document.get("certificates", {}),
        crls=document.get("crls", {}),
        policy={"policy.yaml": policy} if isinstance(policy, str) else policy,
        cases=tuple(_cases(path.stem, document)),
    )


def _cases(file: str, document: Mapping[str, Any]) -> Iterator[Case]:
    names: set[str] = set()
    for written in document["cases"]:
        merged = {**document.get("defaults", {}), **written}
        _no_others(merged, _CASE_KEYS, f"{file}: {merged.get('name')}")
        choices = list(itertools.product(_listed(merged["as"]), _requests(merged)))
        for caller, (method, hosts, target) in choices:
            name = merged["name"]
            if len(choices) > 1:
                name += f" [{caller}: {method} {','.join(hosts)}{target}]"
            if name in names:
                raise ValueError(f"{file}: two cases are called {name!r}")
            names.add(name)
            yield _case(
                file,
                name,
                merged,
                caller,
                method,
                hosts,
                target,
                fixed_clock="now" in document,
                document_text=str(document["policy"]),
                verified_for=document.get("proxy_verified", ""),
            )


def _case(
    file: str,
    name: str,
    merged: Mapping[str, Any],
    caller: str,
    method: str,
    hosts: tuple[str, ...],
    target: str,
    *,
    fixed_clock: bool,
    document_text: str,
    verified_for: str,
) -> Case:
    not_through = dict(merged.get("not_through", {}))
    if verified_for:
        others = ("envoy", "native", "middleware")
        not_through |= dict.fromkeys(others, "it takes no proxy's word; tests/envoy/test_proxy_verified.py does")
    if fixed_clock or merged.get("at"):
        not_through["envoy"] = "its clock is not ours to set"
    if "envoy" in not_through:
        not_through["http"] = not_through["native"] = not_through["envoy"]
    elif "sni" in merged or "sni:" in document_text or "strict_sni" in document_text:
        not_through["http"] = "HTTP ext_authz does not report the server name"
    return Case(
        file=file,
        name=name,
        certificate=None if caller == "none" else caller,
        method=method,
        hosts=hosts,
        target=target,
        headers=tuple((key, value) for key, values in merged.get("headers", {}).items() for value in _listed(values)),
        source_ip=merged.get("source_ip", SOURCE_IP),
        sni=merged.get("sni"),
        at=merged.get("at", ""),
        expect=Verdict.parse(merged["expect"]),
        upstream=merged.get("upstream", {}),
        captures=merged.get("captures"),
        shadow=Verdict.parse(merged["shadow"]) if "shadow" in merged else None,
        refused_by_envoy=merged.get("envoy") == "refuses",
        over_http=Verdict.parse(merged["over_http"]) if "over_http" in merged else None,
        not_through=not_through,
        verified_for=verified_for,
        names_only=merged.get("shows", "certificate") == "names",
    )


def _requests(merged: Mapping[str, Any]) -> list[tuple[str, tuple[str, ...], str]]:
    """Method, hosts and target of each request that the case makes; single parts override those of `request`."""
    found = []
    for written in _listed(merged.get("request", "GET https://h.example/")):
        if (match := _REQUEST.fullmatch(written)) is None:
            raise ValueError(f"not a request: {written!r}")
        hosts = tuple(_listed(merged.get("host", match[2])))
        targets = _listed(merged.get("target", match[3]))
        found += [(method, hosts, target) for method in _listed(merged.get("method", match[1])) for target in targets]
    return found


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _no_others(mapping: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := mapping.keys() - known:
        raise ValueError(f"{where}: unknown keys {sorted(unknown)}")
