"""Starting `serving_program` as a real process, talking to it, and ending it."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.runtime.world import eventually

_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    process: "subprocess.Popen[str]"
    url: str
    ops: str
    log: Path
    decisions: Path

    def get(self, path: str = "/open") -> tuple[int, dict[str, Any]]:
        """A call; the answer's status and body."""
        code, body = fetched(f"{self.url}{path}")
        return code, json.loads(body)

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """What `/readyz` says; (0, {}) while nobody answers."""
        try:
            code, body = fetched(f"{self.ops}/readyz")
        except OSError:
            return 0, {}
        return code, json.loads(body)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        _, text = fetched(f"{self.ops}/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def worker_pids(self) -> set[int]:
        """The processes that serve."""
        return {worker["pid"] for worker in self.readiness()[1].get("workers", []) if "pid" in worker}

    def records(self) -> list[dict[str, Any]]:
        """The decision log so far, less a line that is being written."""
        *lines, _ = self.decisions.read_text().split("\n")
        return [json.loads(line) for line in lines]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        self.process.send_signal(number)

    def ended(self, seconds: float = 15) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(seconds)


def fetched(url: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def service(folder: Path, policy: Path, *settings: str, ready: bool = True) -> Iterator[Service]:
    """Run the service until the block ends; `ready`: wait until it says that it is."""
    port, ops, log = free_port(), free_port(), folder / "service.log"
    decisions = folder / "decisions.log"
    arguments = [f"127.0.0.1:{port}", str(policy), f"ops=127.0.0.1:{ops}", f"decision_log={decisions}", *settings]
    with log.open("a") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.serving_program", *arguments],
            cwd=_REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )
    running = Service(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{ops}", log, decisions)
    try:
        eventually(lambda: running.readiness()[0] == 200 or not ready or process.poll() is not None, 30)
        yield running
    finally:
        process.kill()
        process.wait()


def refused(*arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a service that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.runtime.serving_program", *arguments],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr
