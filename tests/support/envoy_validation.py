"""`envoy --mode validate`: Envoy's own word on a configuration, without starting it."""

import json
import os
import subprocess
from pathlib import Path

from runtime.envoy.binary import find_envoy
from runtime.envoy.proto_json import Json


def complaints_of_envoy(configuration: Json, folder: Path) -> str:
    """What Envoy says against `configuration`; empty if it takes it, unknown fields and deprecated ones included."""
    path = folder / "validated.json"
    path.write_text(json.dumps(configuration))
    finished = subprocess.run(
        [find_envoy(os.environ), "--mode", "validate", "--log-level", "warning", "-c", path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return finished.stderr if finished.returncode or "deprecated" in finished.stderr else ""
