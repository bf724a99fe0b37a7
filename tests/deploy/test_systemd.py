"""deploy/systemd: the unit starts what the code understands, and systemd itself has nothing against it."""

import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from extauth.configuration import ExtauthConfiguration
from peergate.exit_code import ExitCode
from runtime.address import TcpAddress, UnixAddress
from runtime.limits import END_GRACE_SECONDS, LOG_CLOSE_SECONDS
from tests.deploy.extauth_arguments import configuration_from_arguments
from tests.deploy.files import DEPLOY, SYSTEMD

UNIT = SYSTEMD / "peergate-extauth.service"
GROUPS = SYSTEMD / "peergate.sysusers.conf"


def _sections(path: Path) -> dict[str, dict[str, list[str]]]:
    """Section -> key -> every value, in order: a key may stand several times, which configparser cannot read."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^[#;].*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    found: dict[str, dict[str, list[str]]] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if header := re.fullmatch(r"\[(\w+)]", line):
            section = found.setdefault(header[1], defaultdict(list))
        else:
            key, equals, value = line.partition("=")
            assert equals
            section[key].append(value)
    return found


SECTIONS = _sections(UNIT)
SERVICE = SECTIONS["Service"]


def _command() -> list[str]:
    return shlex.split(SERVICE["ExecStart"][0])


def _configuration() -> ExtauthConfiguration:
    words = _command()[3:]
    pairs = zip(words[::2], words[1::2], strict=True)
    return configuration_from_arguments(["extauth", "serve", *(f"{flag}={value}" for flag, value in pairs)])


def test_the_command_is_the_one_that_the_image_has_too() -> None:
    assert _command()[:3] == ["/opt/peergate/bin/peergate", "extauth", "serve"]


def test_it_listens_where_the_envoy_of_deploy_envoy_asks() -> None:
    envoy = yaml.safe_load((DEPLOY / "envoy" / "envoy-grpc.yaml").read_text(encoding="utf-8"))
    (cluster,) = [one for one in envoy["static_resources"]["clusters"] if one["name"] == "peergate"]
    address = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
    assert _configuration().listen == UnixAddress(address["pipe"]["path"])


def test_the_socket_lies_in_the_folder_that_systemd_makes() -> None:
    listen = _configuration().listen
    assert isinstance(listen, UnixAddress)
    assert Path(listen.path).parent == Path("/run") / SERVICE["RuntimeDirectory"][0]


def test_one_worker_serves_as_a_unix_socket_cannot_be_shared() -> None:
    assert _configuration().workers == 1


def test_the_ops_listener_is_for_this_host() -> None:
    ops = _configuration().ops
    assert isinstance(ops, TcpAddress)
    assert ops.host == "127.0.0.1"


def test_nothing_is_observed_only() -> None:
    assert _configuration().observe is False


def test_flags_that_are_refused_do_not_start_it_again_and_everything_else_does() -> None:
    assert SERVICE["RestartPreventExitStatus"] == [str(int(ExitCode.CONFIGURATION))]
    assert SERVICE["Restart"] == ["on-failure"]
    assert SECTIONS["Unit"]["StartLimitIntervalSec"] == ["0"]


def test_it_gets_more_time_to_end_than_it_takes() -> None:
    takes = _configuration().drain_seconds + LOG_CLOSE_SECONDS + 2 * END_GRACE_SECONDS
    assert float(SERVICE["TimeoutStopSec"][0].removesuffix("s")) > takes


def test_a_reload_is_the_signal_that_reads_the_policy_again() -> None:
    assert SERVICE["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_no_record_is_dropped_by_a_rate_limit_of_the_journal() -> None:
    assert _configuration().decision_log == "-"
    assert SERVICE["LogRateLimitIntervalSec"] == ["0"]


def test_the_group_that_may_open_the_socket_is_made() -> None:
    lines = [line for line in GROUPS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines == [f"g {SERVICE['Group'][0]} -"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictNamespaces", "yes"),
        ("SystemCallArchitectures", "native"),
        ("IPAddressDeny", "any"),
    ],
)
def test_the_unit_gives_up_what_it_does_not_need(key: str, value: str) -> None:
    assert SERVICE[key] == [value]


#: The first that can look at a file without a running systemd.
_OFFLINE_SINCE = 250


def _systemd(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    """What a tool of systemd says; the test is skipped where there is none, or one that is too old."""
    tool = str(command[0])
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} here")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    if (found := re.match(r"systemd (\d+)", version)) is None or int(found[1]) < _OFFLINE_SINCE:
        pytest.skip(f"{tool} is older than systemd {_OFFLINE_SINCE}")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_has_nothing_against_the_unit(tmp_path: Path) -> None:
    """With an executable that exists here in place of peergate's."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace(_command()[0], sys.executable), encoding="utf-8")
    said = _systemd("systemd-analyze", "verify", "--man=no", unit)
    assert [line for line in said.stderr.splitlines() if UNIT.name in line] == []


def test_systemd_finds_the_service_well_locked_in() -> None:
    said = _systemd("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", UNIT)
    assert said.returncode == 0, said.stdout


def test_systemd_takes_the_group() -> None:
    said = _systemd("systemd-sysusers", "--dry-run", GROUPS)
    assert said.returncode == 0, said.stderr
