"""Istio's `hosts` and `notHosts`, worked out for one host that a workload is reached by.

Istio compares the whole Host header, with its port; peergate drops the port. So a condition is carried over if it
comes out alike for the host alone and for the host with any port.
"""

from collections.abc import Iterable
from enum import IntEnum

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.errors import NotCarriedError
from policies.authoring.istio.resource import Texts
from policies.language.wording import quoted


class _Ports(IntEnum):
    """For how many ports `HOST:PORT` matches."""

    NONE = 0
    SOME = 1
    ALL = 2


def host_is_meant(host: str, values: Texts, not_values: Texts) -> bool:
    """Whether requests for the canonical `host` match; `values` empty: any host. Raises NotCarriedError."""
    alone, ported = _matched(host, [value.text for value in values]) if values else (True, _Ports.ALL)
    not_alone, not_ported = _matched(host, [value.text for value in not_values])
    meant = alone and not not_alone
    if ported == _Ports.NONE or not_ported == _Ports.ALL:
        with_port: bool | None = False
    elif ported == _Ports.ALL and not_ported == _Ports.NONE:
        with_port = True
    else:
        with_port = None
    if with_port is not meant:
        word = next((value for value in (*values, *not_values) if host in value.text), (*values, *not_values)[0])
        message = f"{quoted(word.text)} tells {quoted(host)} from {quoted(host + ':PORT')}, which peergate never does"
        raise NotCarriedError(word, ImportCode.INEXACT, message, f'list both: ["{host}", "{host}:*"]')
    return meant


def _matched(host: str, patterns: Iterable[str]) -> tuple[bool, _Ports]:
    alone, ported = False, _Ports.NONE
    for pattern in patterns:
        one, many = _match(host, pattern.lower())
        alone, ported = alone or one, max(ported, many)
    return alone, ported


def _match(host: str, pattern: str) -> tuple[bool, _Ports]:
    if pattern == "*":
        return True, _Ports.ALL
    if pattern.startswith("*"):
        ending = pattern[1:]
        return host.endswith(ending), _Ports.SOME if ending.rpartition(":")[2].isdigit() else _Ports.NONE
    if pattern.endswith("*"):
        start = pattern[:-1]
        if f"{host}:".startswith(start):
            return host.startswith(start), _Ports.ALL
        return False, _Ports.SOME if start.startswith(f"{host}:") else _Ports.NONE
    return host == pattern, _Ports.SOME if pattern.startswith(f"{host}:") else _Ports.NONE
