"""Flags before variables before the file before defaults; every mistake at once; nothing unknown in the file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from runtime.address import Address, TcpAddress, address_from_text
from runtime.configuration import flag_from_text, text_from_text, workers_from_text
from runtime.errors import ConfigurationError
from runtime.settings import Given, Origin, Setting, configured


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """A configuration for these tests."""

    policy: Annotated[str, Setting(text_from_text)]
    ops: Annotated[Address | None, Setting(address_from_text)] = None
    workers: Annotated[int, Setting(workers_from_text)] = 1
    observe: Annotated[bool, Setting(flag_from_text)] = False
    trusted_hop: Annotated[tuple[str, ...], Setting(text_from_text, several=True)] = ()


def some(tmp_path: Path, text: str | None = None, flags: dict[str, Given] | None = None, **environment: str) -> Some:
    file = tmp_path / "peergate.yaml"
    if text is not None:
        file.write_text(text)
    path = None if text is None else str(file)
    return configured(Some, {"policy": "p", **(flags or {})}, environment, path).value


def refusal(tmp_path: Path, text: str | None = None, flags: dict[str, Given] | None = None, **environment: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        some(tmp_path, text, flags, **environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    file, variable, flag = "workers: 2\n", {"PEERGATE_WORKERS": "3"}, {"workers": 4}
    assert some(tmp_path).workers == 1
    assert some(tmp_path, file).workers == 2
    assert some(tmp_path, file, None, **variable).workers == 3
    assert some(tmp_path, file, {**flag}, **variable).workers == 4


def test_a_flag_that_was_not_given_hides_nothing(tmp_path: Path) -> None:
    flags: dict[str, Given] = {"workers": None, "observe": None, "trusted_hop": []}
    found = some(tmp_path, "workers: 2\nobserve: true\ntrusted-hop: [a, b]\n", flags)
    assert (found.workers, found.observe, found.trusted_hop) == (2, True, ("a", "b"))


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path) -> None:
    assert some(tmp_path, "workers: 2\n", PEERGATE_WORKERS="").workers == 2


def test_several_values_are_words_in_a_variable_and_a_list_in_the_file(tmp_path: Path) -> None:
    assert some(tmp_path, PEERGATE_TRUSTED_HOP="10.0.0.0/8,spiffe=x unix").trusted_hop == (
        "10.0.0.0/8,spiffe=x",
        "unix",
    )
    assert some(tmp_path, "trusted-hop: one\n").trusted_hop == ("one",)
    assert some(tmp_path, None, {"trusted_hop": ["a", "b"]}).trusted_hop == ("a", "b")


def test_values_are_read_by_their_setting(tmp_path: Path) -> None:
    assert some(tmp_path, 'ops: "127.0.0.1:9090"\n').ops == TcpAddress("127.0.0.1", 9090)


def test_scalars_in_the_file_are_text_as_written(tmp_path: Path) -> None:
    assert "'yes' is neither true nor false" in refusal(tmp_path, "observe: yes\n")
    assert some(tmp_path, "policy: no\n", {"policy": None}).policy == "no"


def test_an_unknown_key_is_refused_with_its_place_and_a_hint(tmp_path: Path) -> None:
    message = refusal(tmp_path, "\nworker: 2\n")
    assert f"{tmp_path}/peergate.yaml:2:1: unknown setting 'worker' (did you mean `workers`?)" in message


def test_a_key_written_with_underscores_is_refused_with_the_right_one(tmp_path: Path) -> None:
    assert "did you mean `trusted-hop`?" in refusal(tmp_path, "trusted_hop: [a]\n")


def test_unknown_variables_are_not_ours(tmp_path: Path) -> None:
    assert some(tmp_path, PEERGATE_SERVICE_HOST="10.0.0.1", PEERGATE_PORT="tcp://10.0.0.1:1").workers == 1


def test_every_mistake_is_reported_at_once_and_by_the_name_that_was_used(tmp_path: Path) -> None:
    flags: dict[str, Given] = {"policy": None, "ops": "nowhere"}
    message = refusal(tmp_path, "observe: maybe\nfoo: 1\n", flags, PEERGATE_WORKERS="many")
    for part in ("policy is missing: give --policy", "--ops: ", "PEERGATE_WORKERS: 'many'", "observe: ", "'foo'"):
        assert part in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "- a\n",
        "just text\n",
        "workers: {a: 1}\n",
        "workers: [[1]]\n",
        "workers: [1, 2]\n",
        "workers: []\n",
        "workers: 1\nworkers: 2\n",
        "workers: &a 1\n",
        "workers: 1\n---\nworkers: 2\n",
        "workers: [\n",
        "\0",
    ],
)
def test_a_file_that_is_no_plain_mapping_of_settings_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text)


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("workers: 2\n")
    environment = {"PEERGATE_CONFIG": str(tmp_path / "a.yaml")}
    assert configured(Some, {"policy": "p"}, environment).value.workers == 2


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        configured(Some, {"policy": "p"}, {}, str(tmp_path / "missing.yaml"))


def test_the_result_shows_each_value_with_its_origin_and_can_be_read_again(tmp_path: Path) -> None:
    flags: dict[str, Given] = {"policy": 'a "quoted" name', "trusted_hop": ["a", "b"]}
    first = configured(Some, flags, {"PEERGATE_WORKERS": "3"}, None)
    assert first.origins == {
        "policy": Origin.FLAG,
        "ops": Origin.DEFAULT,
        "workers": Origin.VARIABLE,
        "observe": Origin.DEFAULT,
        "trusted_hop": Origin.FLAG,
    }
    assert first.text().splitlines() == [
        'policy: "a \\"quoted\\" name"  # flag',
        "# ops is not set",
        'workers: "3"  # variable',
        "observe: false  # default",
        'trusted-hop: ["a", "b"]  # flag',
    ]
    file = tmp_path / "again.yaml"
    file.write_text(first.text())
    assert configured(Some, {}, {}, str(file)).value == first.value
