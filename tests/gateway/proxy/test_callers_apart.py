"""What is remembered for one request never serves another: callers come at once, alike in all but what they are."""

import base64
import ssl
from concurrent.futures import ThreadPoolExecutor
from random import Random

from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import Issued
from tests.gateway.proxy.upstream import RecordingUpstream
from tests.gateway.proxy.world import proxying, request, status_of
from tests.gateway.server.world import Client, mesh

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
#: What a request says of itself, so that it is known again at the upstream.
TAG = b"x-tag"


def callers() -> list[Issued]:
    """Certificates of the caller that is allowed, and of others that are not."""
    allowed = [mesh().issue(uri=[BILLING]) for _ in range(4)]
    return allowed + [mesh().issue(uri=[f"spiffe://acme.internal/ns/prod/sa/other-{number}"]) for number in range(4)]


def requests(name: bytes, random: Random) -> list[tuple[bytes, bytes]]:
    """Tags with requests of equal header names, whose values differ in what they mean."""
    found = []
    for number in range(40):
        tag = b"%s-%d" % (name, number)
        connection = random.choice([b"keep-alive", b"x-a", b"x-b", b"X-A, x-b"])
        headers = [TAG + b": " + tag, b"X-A: " + tag, b"X-B: " + tag, b"Connection: " + connection]
        method, body = random.choice([(b"GET", b""), (b"POST", tag + b"\n"), (b"POST", b"")])
        headers.append(b"Content-Length: %d" % len(body))
        target = random.choice([b"/v1/%s", b"/other/%s", b"/tenant?%s"]) % tag
        found.append((tag, request(target, headers, method=method, body=body, close=False)))
    return found


def read_answer(connection: ssl.SSLSocket, data: bytearray) -> bytes:
    """One answer of those that come on a connection."""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        assert received
        data += received
    head, _, rest = bytes(data).partition(b"\r\n\r\n")
    (length,) = [
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    ]
    while len(rest) < length:
        received = connection.recv(65536)
        assert received
        rest += received
    data[:] = rest[length:]
    return head


def told(head: bytes) -> dict[bytes, bytes]:
    return dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])


def client_cert(issued: Issued) -> bytes:
    der = issued.certificate.public_bytes(Encoding.DER)
    return b":" + base64.b64encode(der) + b":"


def test_callers_that_come_at_once_are_never_taken_for_each_other() -> None:
    everybody = callers()
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:

        def call(number: int) -> list[tuple[bytes, bytes, int, bytes]]:
            issued, answers = everybody[number], []
            with Client(issued).connected(server) as connection:
                data = bytearray()
                for tag, sent in requests(b"c%d" % number, Random(number)):
                    connection.sendall(sent)
                    answers.append((tag, sent, status_of(read_answer(connection, data)), client_cert(issued)))
            return answers

        with ThreadPoolExecutor(len(everybody)) as pool:
            answers = [answer for of_caller in pool.map(call, range(len(everybody))) for answer in of_caller]
    heads = {told(head)[TAG]: head for head in upstream.heads}
    assert {status for _, _, status, _ in answers} == {200, 403}
    for tag, sent, status, certificate in answers:
        allowed = tag[1:2] < b"4" and not sent.split(b" ")[1].startswith(b"/other")
        assert status == (200 if allowed else 403), tag
        assert (tag in heads) == allowed
        if not allowed:
            continue
        asked, got = told(sent.partition(b"\r\n\r\n")[0]), told(heads[tag])
        # A body that came before it on the same connection ends with a line.
        assert heads[tag].split(b"\r\n")[0].rpartition(b"\n")[2] == sent.split(b"\r\n")[0]
        listed = {name.strip().lower() for name in asked[b"connection"].split(b",")}
        assert {name: got.get(name) for name in (b"x-a", b"x-b")} == {
            name: None if name in listed else tag for name in (b"x-a", b"x-b")
        }
        assert got[b"client-cert"] == certificate.lower()
        assert got[b"x-peergate-spiffe-id"] == BILLING.encode()
        assert (b"x-tenant" in got) == sent.split(b" ")[1].startswith(b"/tenant")
        assert got.get(b"content-length", b"0") == asked[b"content-length"]
    ids = [told(head)[b"x-peergate-decision-id"] for head in heads.values()]
    assert len(set(ids)) == len(ids)
