"""Envoy's admin interface, as far as starting an Envoy needs it. It can stop Envoy: it never leaves the machine."""

import http.client
import json
import re
import socket

from runtime.address import Address, TcpAddress, UnixAddress

#: Seconds for one answer.
ANSWER_SECONDS = 2.0


class Admin:
    """The admin interface at one address. Every method raises OSError while nobody answers there."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def is_ready(self) -> bool:
        """Whether Envoy serves: configuration loaded, listeners bound (`/ready`)."""
        status, _ = self._ask("/ready")
        return status == 200

    def listener_address(self, name: str) -> TcpAddress:
        """Where the listener `name` is bound, which tells the port that port 0 became. Raises LookupError."""
        _, body = self._ask("/listeners?format=json")
        for listener in json.loads(body).get("listener_statuses", ()):
            if listener["name"] == name:
                bound = listener["local_address"]["socket_address"]
                return TcpAddress(bound["address"], bound["port_value"])
        raise LookupError(f"Envoy has no listener {name}")

    def drain(self) -> None:
        """Tell open connections with their next answer that they end (`/healthcheck/fail`); close the listeners."""
        self._ask("/healthcheck/fail", "POST")
        self._ask("/drain_listeners", "POST")

    def reopen_logs(self) -> None:
        """Open the access logs anew, as after a rotation (`/reopen_logs`)."""
        self._ask("/reopen_logs", "POST")

    def open_requests(self) -> int:
        """Requests under way on listeners that peergate has configured."""
        _, body = self._ask("/stats?filter=^http\\.mtls\\.downstream_rq_active$&format=json")
        return sum(stat.get("value", 0) for stat in json.loads(body).get("stats", ()))

    def handshakes_done(self) -> int:
        """TLS handshakes that listeners have done since Envoy began."""
        _, body = self._ask("/stats?filter=^listener\\..*\\.ssl\\.handshake$&format=json")
        return sum(stat.get("value", 0) for stat in json.loads(body).get("stats", ()))

    def filter_version(self, name: str) -> str:
        """The version of the HTTP filter `name` that was discovered last and taken; empty if none was."""
        stat = f"extension_config_discovery.http_filter.{name}.version_text"
        _, body = self._ask(f"/stats?filter=^{re.escape(stat)}$&type=TextReadouts")
        found = re.search(rf'^{re.escape(stat)}: "([^"]*)"$', body.decode("utf-8", "replace"), re.MULTILINE)
        return found[1] if found else ""

    def _ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        connection = _connection(self.address)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"Envoy's admin interface at {self.address} does not answer: {error!r}") from error
        finally:
            connection.close()


def _connection(address: Address) -> http.client.HTTPConnection:
    if isinstance(address, UnixAddress):
        return UnixConnection(address)
    return http.client.HTTPConnection(address.host, address.port, timeout=ANSWER_SECONDS)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, address: UnixAddress) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = address.path

    def connect(self) -> None:
        """Connect to the socket. Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
