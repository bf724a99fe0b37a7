"""A volume as the kubelet writes it: a folder of its own for each version, and one symbolic link that is swapped."""

from collections.abc import Mapping
from pathlib import Path


def mount(folder: Path, files: Mapping[str, str]) -> None:
    """Put `files` (path in the volume -> content) in place of what is mounted in `folder`, at one instant."""
    version = folder / f"..version-{sum(1 for _ in folder.glob('..version-*'))}"
    for path, content in files.items():
        place = version / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    fresh = folder / "..data_tmp"
    fresh.symlink_to(version.name)
    fresh.replace(folder / "..data")
    for top in {Path(path).parts[0] for path in files}:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(Path("..data") / top)
