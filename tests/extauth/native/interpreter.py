"""The unified matcher as Envoy reads it, in Python: what a compiled policy does with a request, without an Envoy.

`tests/decisions/test_envoy_native.py` holds the same compiled policies through a real Envoy; this is for the millions.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from extauth.native.matcher import CHAIN, FACTS, ISSUER, PATH, SANS, SERIAL, TRUST
from policies.engine.request import Request
from policies.peer.certificate import IdentityFacts
from runtime.envoy.proto_json import Json


@dataclass(frozen=True, slots=True)
class Seen:
    """What Envoy sees of a request."""

    state: Mapping[str, str]
    headers: Mapping[str, str]
    source: IPv4Address | IPv6Address | None


#: The moment of every request here.
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def dates_text(now: datetime, end: datetime) -> str:
    """What a request notes at `now` of a certificate that ends at `end`."""
    return "".join(reversed(_fields(now))) + " " + "".join(map("".join, zip(_fields(now), _fields(end), strict=True)))


def _fields(time: datetime) -> list[str]:
    return [*(f"{part:02}" for part in (time.second, time.minute, time.hour, time.day, time.month)), f"{time.year:04}"]


def seen_from_request(
    request: Request,
    facts: IdentityFacts | None,
    serial: str,
    chain: str,
    *,
    valid: bool = True,
    stamp: str = "",
    issuer: str = "-",
) -> Seen:
    """As the filters note it; `facts` None: no certificate. `valid`: the certificate is in date."""
    kinds = (None,) * 4 if facts is None else (facts.uri, facts.dns, facts.email, facts.ip)
    sans = "|".join(",".join(map(str, names or ())) or "-" for names in kinds)
    if facts is None:
        serial = chain = "-"
    dates = "-" if facts is None else dates_text(_NOW, _NOW + timedelta(days=1 if valid else -1))
    path = request.target.partition("?")[0]
    headers = {name: ",".join(values) for name, values in request.headers.items()}
    shown = " ".join([dates, request.method, request.host, path, sans, chain, *([stamp] if stamp else [])])
    return Seen(
        {
            FACTS: shown,
            SANS: sans,
            CHAIN: chain,
            SERIAL: serial,
            PATH: path,
            TRUST: stamp,
            ISSUER: issuer,
        },
        {":method": request.method, ":authority": request.host, **headers},
        request.source_ip,
    )


def decided(matcher: Json, seen: Seen) -> str | None:
    """The name of the action that the matcher finds; None if it finds nothing."""
    whole: Any = matcher
    found: str | None = None
    if "matcher_list" in whole:
        for entry in whole["matcher_list"]["matchers"]:
            if _holds(entry["predicate"], seen) and (found := _on_match(entry["on_match"], seen)) is not None:
                return found
    elif "matcher_tree" in whole:
        found = _branch(whole["matcher_tree"], seen)
        if found is not None:
            return found
    return _on_match(whole["on_no_match"], seen) if "on_no_match" in whole else None


def _branch(tree: Any, seen: Seen) -> str | None:
    value = _value(tree["input"], seen)
    if value is None:
        return None
    if "exact_match_map" in tree:
        branch = tree["exact_match_map"]["map"].get(value)
    else:
        keys = [key for key in tree["prefix_match_map"]["map"] if value.startswith(key)]
        branch = tree["prefix_match_map"]["map"][max(keys, key=len)] if keys else None
    return None if branch is None else _on_match(branch, seen)


def _on_match(on_match: Any, seen: Seen) -> str | None:
    if "action" in on_match:
        return str(on_match["action"]["typed_config"]["name"])
    return decided(on_match["matcher"], seen)


def _holds(predicate: Any, seen: Seen) -> bool:
    if "not_matcher" in predicate:
        return not _holds(predicate["not_matcher"], seen)
    if "and_matcher" in predicate:
        return all(_holds(part, seen) for part in predicate["and_matcher"]["predicate"])
    if "or_matcher" in predicate:
        return any(_holds(part, seen) for part in predicate["or_matcher"]["predicate"])
    single = predicate["single_predicate"]
    if "custom_match" in single:
        return _custom(single["custom_match"]["name"], single["custom_match"]["typed_config"], seen)
    value = _value(single["input"], seen)
    return value is not None and _matches(single["value_match"], value)


def _matches(match: Any, value: str) -> bool:
    if "exact" in match:
        return bool(match["exact"] == value)
    if "contains" in match:
        return match["contains"].lower() in value.lower()
    return re.fullmatch(match["safe_regex"]["regex"], value) is not None


def _custom(name: str, config: Any, seen: Seen) -> bool:
    if config["@type"].endswith("CelMatcher"):
        if name in ("short", "lifetime"):
            return True
        return any(f'"{header}"' in json.dumps(config) for header in seen.headers)
    networks = [ip_network(f"{item['address_prefix']}/{item['prefix_len']}") for item in config["cidr_ranges"]]
    return seen.source is not None and any(seen.source in network for network in networks)


def _value(source: Any, seen: Seen) -> str | None:
    config = source["typed_config"]
    if config["@type"].endswith("FilterStateInput"):
        return seen.state.get(config["key"])
    return seen.headers.get(config["header_name"])
