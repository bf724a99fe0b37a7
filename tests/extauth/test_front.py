"""The listeners of one process, put together."""

import socket
import urllib.request
from pathlib import Path

import grpc
import pytest

from extauth.configuration import ExtauthSettings
from extauth.front import ExtauthFront
from extauth.wire.messages import CheckResponse
from runtime.address import TcpAddress, UnixAddress
from runtime.errors import ListenError
from runtime.hops import TrustedHops
from runtime.live_policy import LivePolicy
from runtime.metrics import Metrics
from runtime.policy_source import PolicySource
from runtime.service import Serving
from tests.extauth.service_process import CHECK
from tests.extauth.world import POLICY, billing, mesh, question, xfcc

ANYWHERE = TcpAddress("127.0.0.1", 0)


def serving(folder: Path, *, loaded: bool = True) -> Serving:
    (folder / "root.pem").write_bytes(mesh().pem)
    (folder / "policy.yaml").write_text(POLICY)
    metrics = Metrics()
    live = LivePolicy(PolicySource(str(folder)), metrics)
    if loaded:
        live.start()
    return Serving(live, metrics, None, observe=False, share_port=False)


def test_both_listeners_answer_by_one_policy(tmp_path: Path) -> None:
    hops = TrustedHops.parse(("127.0.0.1/32",))
    found = serving(tmp_path)
    front = ExtauthFront(ExtauthSettings(ANYWHERE, ANYWHERE, hops=hops), found)
    front.start()
    try:
        grpc_address, http_address = front.addresses
        with grpc.insecure_channel(str(grpc_address)) as channel:
            asked = channel.unary_unary(CHECK, bytes, bytes)
            answer = asked(question(issued=billing()).SerializeToString(), timeout=5, wait_for_ready=True)
        request = urllib.request.Request(
            f"http://{http_address}/v1/a",
            headers={"Host": "invoices.example", "x-forwarded-client-cert": xfcc(billing())},
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            assert response.headers["x-peergate-identity"] == "billing"
        assert CheckResponse.FromString(answer).status.code == 0
    finally:
        front.stop(1)
        found.live.stop()


def test_nothing_is_left_open_if_one_listener_cannot_start(tmp_path: Path) -> None:
    grpc_socket = tmp_path / "grpc.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ExtauthSettings(
            UnixAddress(str(grpc_socket)),
            TcpAddress("127.0.0.1", taken.getsockname()[1]),
            hops=TrustedHops.parse(("unix",)),
        )
        with pytest.raises(ListenError):
            ExtauthFront(settings, serving(tmp_path, loaded=False)).start()
    assert not grpc_socket.exists()


def test_the_report_names_what_http_does_not_show_and_counts_callers(tmp_path: Path) -> None:
    found = serving(tmp_path)
    hops = TrustedHops.parse(("unix",))
    assert ExtauthFront(ExtauthSettings(ANYWHERE), found).report().notices == ()
    notices = ExtauthFront(ExtauthSettings(ANYWHERE, ANYWHERE, hops=hops), found).report().notices
    assert any("needed by office" in notice for notice in notices)
    shown = frozenset({"x-forwarded-for", "content-type", "x-ring"})
    assert (
        ExtauthFront(ExtauthSettings(ANYWHERE, ANYWHERE, hops=hops, seen_headers=shown), found).report().notices == ()
    )
    found.live.stop()


def test_the_report_of_a_service_without_a_policy_is_empty(tmp_path: Path) -> None:
    found = serving(tmp_path, loaded=False)
    assert ExtauthFront(ExtauthSettings(ANYWHERE), found).report().cached_certificates == 0
