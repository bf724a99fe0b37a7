"""`peergate extauth serve` as a child process."""

import subprocess
from pathlib import Path
from typing import Self

from peergate.demo.service import ServiceProcess
from runtime.address import UnixAddress


class ExtauthProcess(ServiceProcess):
    """`listen`: where it answers gRPC."""

    adapter = "extauth"
    command = ("extauth", "serve", "--policy")

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        super().__init__(process, folder)
        self.listen = UnixAddress(str(folder / "extauth.sock"))

    @classmethod
    def start(cls, policy: Path, folder: Path, *flags: str) -> Self:
        """As `serve`, on a socket in `folder`."""
        return cls.serve(policy, folder, "--listen", f"unix:{folder / 'extauth.sock'}", *flags)
