"""The decision corpus through a real nginx with mTLS and the configuration of deploy/nginx, which asks peergate."""

from collections.abc import Iterator

import pytest

from gateway.forward_auth.proxies import Proxy
from peergate.demo.client import Answer, call, client_context, request_bytes
from policies.reason import Effect
from runtime.address import UnixAddress
from tests.decisions.conftest import SEEN_HEADERS, Settings
from tests.decisions.corpus import Case, Verdict, cases
from tests.decisions.enforced import claims
from tests.decisions.world import World
from tests.support.deployed_proxies import ProxyFront, deployed, nginx
from tests.support.local_forward_auth import LocalForwardAuth

#: Where the verdict is another one, as nginx shows less than a listener of ours sees, or forwards something else.
EXCEPTIONS = {
    # nginx forwards the leaf alone: what leads from it to an anchor must be among the policy's `intermediates`.
    "federation: a caller of the federated domain [below: GET h.example/orders]": "deny because certificate_untrusted",
    "trust: an intermediate that the client sends leads to the anchor": "deny because certificate_untrusted",
    "revocation: no CRL of its issuer and require": "deny because certificate_untrusted",
    # nginx removes headers by their whole name only, so an unknown member of a family is refused.
    "set-headers: identity headers from outside never arrive": "deny because request_malformed",
    # nginx reads any scheme, and a missing path as `/`: that is what it forwards, and what is judged.
    "targets: an absolute form without a path": "allow by all",
    "targets: another scheme": "allow by all",
    # What `--seen-headers` does not list is unknown (law 2).
    "headers-unseen: an allow wants to see it": "deny because no_matching_rule",
    "headers-unseen: a deny matches where it cannot be seen": "deny by guard",
}
#: What nginx answers itself, before it asks anybody.
_REFUSED_BY_NGINX = {400, 404, 405, 414, 494}
#: What the rules of the corpus set.
SET_HEADERS = ("x-tenant", "x-caller", "x-value", "x-shadow")


def edits() -> dict[str, str]:
    """What README.md says to add for rules that set headers."""
    variables = {name: f"$peergate_{name.replace('-', '_')}" for name in SET_HEADERS}
    asked = "".join(
        f"auth_request_set {variable} $upstream_http_{variable.removeprefix('$peergate_')};\n"
        for variable in variables.values()
    )
    told = "".join(f"proxy_set_header {name} {variable};\n" for name, variable in variables.items())
    removed = "".join(f'proxy_set_header {name} "";\n' for name in SET_HEADERS)
    return {
        "error_page 403": f"{asked}error_page 403",
        "proxy_set_header Host $http_host;\n": f"proxy_set_header Host $http_host;\n{told}",
        'proxy_set_header Client-Cert "";\n': f'{removed}proxy_set_header Client-Cert "";\n',
    }


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalForwardAuth]:
    seen = (*SEEN_HEADERS, "content-type")
    address = UnixAddress(str(tmp_path_factory.mktemp("asked") / "asked.sock"))
    with LocalForwardAuth(address, Proxy.NGINX, seen) as running:
        yield running


@pytest.fixture(scope="module")
def ended() -> list[str]:
    """The cases that nginx answered itself."""
    return []


@pytest.fixture(scope="module")
def front(asked: LocalForwardAuth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyFront]:
    with deployed(nginx, tmp_path_factory.mktemp("nginx"), asked.address, edits()) as running:
        yield running


CASES = [case for case in cases("envoy") if "nginx" not in case.not_through]


def expected(case: Case) -> Verdict:
    return Verdict.parse(EXCEPTIONS[str(case)]) if str(case) in EXCEPTIONS else case.expect


def forwarded(target: str) -> str:
    """What nginx forwards: an absolute form in its origin form (RFC 9112 §3.2.1), everything else as it is."""
    return target if target.startswith("/") else "/" + "".join(target.split("/", 3)[3:])


def sent(case: Case, world: World, front: ProxyFront) -> Answer:
    credentials = world.credentials[case.certificate] if case.certificate else None
    headers = [("Host", host) for host in case.hosts] + list(case.headers) + [("Connection", "close")]
    encoded = [(name, value.encode("latin-1")) for name, value in headers]
    request = request_bytes(case.method, case.target.encode("latin-1"), encoded)
    return call(
        front.address, client_context(front.server_ca, credentials), request, sni=case.sni, source=case.source_ip
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nginx_enforces(
    case: Case, setting: Settings, asked: LocalForwardAuth, front: ProxyFront, ended: list[str]
) -> None:
    world, asked.current = setting(case.file)
    asked.problems.clear()
    front.upstream.received.clear()
    expect, answer = expected(case), sent(case, world, front)
    if answer.status in _REFUSED_BY_NGINX:
        ended.append(str(case))
        assert (expect.effect, front.upstream.received) == (Effect.DENY, [])
    elif expect.effect is Effect.DENY:
        assert (answer.reason, answer.status) == (expect.reason, 403)
        assert front.upstream.received == []
    else:
        assert answer.status == 200, (answer, asked.problems)
        (received,) = front.upstream.received
        assert (received.method, received.target) == (case.method, forwarded(case.target))
        for name, value in case.upstream.items():
            assert received.values(name) == ([value] if value else [])
        assert claims(case).isdisjoint(value for _, value in received.headers)


def test_few_cases_end_at_nginx(ended: list[str]) -> None:
    assert len(ended) <= 60, ended


def test_every_exception_is_a_case() -> None:
    assert set(EXCEPTIONS) <= {str(case) for case in CASES}
