"""The machine that was measured: figures without it mean little."""

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

#: Distributions whose versions move the figures.
_LIBRARIES = ("cryptography", "grpcio", "protobuf", "uvicorn", "uvloop", "httptools")


def machine() -> Mapping[str, str]:
    """What it is, in words, by name."""
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }


def command() -> str:
    """The command that measured, as it was typed."""
    return " ".join(["python -m bench", *sys.argv[1:]])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown")
