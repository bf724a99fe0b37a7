"""A headless Chromium, driven over the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import aiohttp

from tests.support.connections import connections_closed

_SECONDS = 60


class Browser:
    """One page."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._loop, self._socket, self._id = loop, socket, 0

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """The result of one command."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, params), _SECONDS))

    async def _call(self, method: str, params: dict[str, object]) -> dict[str, Any]:
        self._id += 1
        await self._socket.send_json({"id": self._id, "method": method, "params": params})
        while True:
            answer: dict[str, Any] = await self._socket.receive_json()
            if answer.get("id") == self._id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def value(self, script: str) -> Any:
        """What an expression is on the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file and wait until it has loaded."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=path.as_uri() + fragment)
        deadline = monotonic() + _SECONDS
        while not self.value("location.protocol === 'file:' && document.readyState === 'complete'"):
            if monotonic() > deadline:
                raise TimeoutError(f"{path} did not load")
            sleep(0.02)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            code = {"Tab": 9, "ArrowRight": 39, "ArrowDown": 40, "End": 35}[key]
            for kind in ("rawKeyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def point(self, x: float, y: float) -> None:
        """Move the pointer."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def screenshot(self) -> bytes:
        """A PNG of what is in sight."""
        return b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser that may reach nothing but files."""
    found = shutil.which("chromium")
    if found is None:
        raise AssertionError("there is no chromium here; run `make system-deps`")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        process = subprocess.Popen(
            [
                *(found, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
                *("--disable-background-networking", "--remote-debugging-port=0", "--window-size=1280,800"),
                *("--proxy-server=127.0.0.1:9", f"--user-data-dir={home}", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": home},
            start_new_session=True,
        )
        try:
            yield from _driven(Path(home) / "DevToolsActivePort")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _driven(port_file: Path) -> Iterator[Browser]:
    deadline = monotonic() + _SECONDS
    while not port_file.exists() or len(port_file.read_text().splitlines()) < 2:
        if monotonic() > deadline:
            raise TimeoutError("chromium did not open its DevTools port")
        sleep(0.05)
    port = port_file.read_text().splitlines()[0]
    loop = asyncio.new_event_loop()
    session, socket = loop.run_until_complete(_connected(port))
    try:
        driven = Browser(loop, socket)
        driven.call("Page.enable")
        yield driven
    finally:
        loop.run_until_complete(socket.close())
        loop.run_until_complete(session.close())
        loop.run_until_complete(connections_closed())
        loop.close()


async def _connected(port: str) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        (page,) = [target for target in await answer.json() if target["type"] == "page"]
    return session, await session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
