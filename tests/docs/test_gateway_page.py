"""The gateway's page: its first five minutes work as they stand, and its bounds are the real ones."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from gateway.server import limits
from tests.extauth.service_process import free_port

TEXT = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_first_five_minutes_work_as_they_stand(tmp_path: Path) -> None:
    ports = {"8443": str(free_port()), "8080": str(free_port())}

    def on_free_ports(text: str) -> str:
        return re.sub("8443|8080", lambda port: ports[port[0]], text)

    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    server = subprocess.Popen(
        ["sh", "-ec", on_free_ports(BLOCKS[1])],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        calls = [on_free_ports(line).partition("   #")[0] for line in BLOCKS[2].splitlines()]
        deadline = time.monotonic() + 30
        while not (served := called(calls[0], tmp_path)).startswith("an invoice"):
            assert time.monotonic() < deadline, served
            time.sleep(0.2)
        assert "no_matching_rule" in called(calls[1], tmp_path)
        assert "certificate required" in called(calls[2], tmp_path)
        subprocess.run(["sh", "-ec", BLOCKS[3]], cwd=tmp_path, check=True, capture_output=True, timeout=20)
        while "certificate_revoked" not in (served := called(calls[0], tmp_path)):
            assert time.monotonic() < deadline, served
            time.sleep(0.2)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def called(line: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", f"{line} --silent --show-error"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return done.stdout + done.stderr


def test_the_bounds_on_the_page_are_the_real_ones() -> None:
    rows = TEXT.split("\n## Bounds\n")[1].split("\n## ")[0]
    for figure in (
        f"{limits.HANDSHAKE_SECONDS:g} s",
        f"{limits.HEAD_SECONDS:g} s",
        f"{limits.MIN_BODY_BYTES:,} bytes in each {limits.BODY_WINDOW_SECONDS:g} s",
        f"{limits.UNREAD_SECONDS:g} s without",
        f"`--idle-seconds`, {limits.IDLE_SECONDS}",
        f"`--max-connection-seconds`, {limits.MAX_AGE_SECONDS}",
        f"{limits.MAX_HEAD_BYTES // 1024} KiB; {limits.MAX_HEADERS}",
        f"`--max-body-bytes`, {limits.MAX_BODY_BYTES // 1024**3} GiB",
        f"`--max-connections`, {limits.MAX_CONNECTIONS:,}",
        f"`--max-connections-per-address`, {limits.MAX_ADDRESS_CONNECTIONS:,}",
        f"{limits.MAX_HANDSHAKES:,}",
        f"{limits.CLIENT_DESCRIPTOR_SHARE:.0%}".replace("%", " %"),
    ):
        assert figure in rows, figure
