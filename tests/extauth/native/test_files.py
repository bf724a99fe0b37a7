"""What Envoy reads from files: the bytes, and where they are."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from extauth.native import files
from extauth.native.files import EXTENSION, EnvoyFiles
from runtime.envoy.proto_json import JsonValue

SCALARS = st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False))
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=80), st.dictionaries(st.text(), inner, max_size=80)),
    max_leaves=100,
)


@given(VALUES)
def test_in_pieces_it_is_the_same_json(value: JsonValue) -> None:
    assert "".join(files._pieces(value)) == json.dumps(value, separators=(",", ":"))


def test_what_has_many_members_is_encoded_member_by_member_however_deep_it_lies() -> None:
    member: JsonValue = {"matcher": {"predicate": ["x" * 10] * 10}}
    tree: JsonValue = {f"host-{number}": member for number in range(1000)}
    for _ in range(30):
        tree = {"matcher": [tree, "more"]}
    pieces = list(files._pieces(tree))
    assert max(map(len, pieces)) < 500
    assert len(pieces) < 10_000


def test_each_resource_has_a_folder_of_its_own_that_envoy_watches(tmp_path: Path) -> None:
    resources = EnvoyFiles(tmp_path)
    for name in ("policy", "told"):
        resources.write(name, EXTENSION, {"name": name})
    watched = [resources.source(name)["path_config_source"] for name in ("policy", "told")]
    assert watched == [
        {"path": str(tmp_path / name / f"{name}.json"), "watched_directory": {"path": str(tmp_path / name)}}
        for name in ("policy", "told")
    ]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o700}
    assert [path.name for path in (tmp_path / "told").iterdir()] == ["told.json"]


def test_a_spare_is_kept_where_nobody_watches(tmp_path: Path) -> None:
    resources = EnvoyFiles(tmp_path)
    resources.write("policy", EXTENSION, {"name": "one"})
    before = (tmp_path / "policy").stat().st_mtime_ns
    resources.keep_spare("policy", EXTENSION, {"name": "spare"})
    assert (tmp_path / "policy").stat().st_mtime_ns == before
    resources.put_spare("policy")
    assert resources.holds("policy", EXTENSION, {"name": "spare"})
    assert json.loads((tmp_path / "policy" / "policy.json").read_bytes())["resources"][0]["name"] == "spare"
