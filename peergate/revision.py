"""A policy in a git revision, laid out in a folder of its own with everything else of that revision.

The whole tree is laid out, as anchors and CRLs may lie outside of the policy's folder. `git checkout-index` is asked
rather than `git archive`, which leaves out what `.gitattributes` marks `export-ignore`: a policy without some of its
rules. The repository, its index and its working tree stay as they are.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from peergate.errors import ArgumentError


@contextmanager
def checked_out(argument: str, other: str) -> Iterator[tuple[Path, Path]]:
    """The policy that `argument` (`REV` or `REV:PATH`) names, and the root of its tree.

    `other` is the path of the policy where `argument` has none. As with git, PATH counts from the top of the
    repository, or from the current folder if it starts with `./`. Raises ArgumentError.
    """
    revision, colon, named = argument.partition(":")
    path = Path(named if colon and named.startswith("./") else "." if colon else other)
    folder = path if path.is_dir() else path.parent
    top = Path(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    commit = _commit(top, revision)
    inside = _inside(path, top) if not colon or named.startswith("./") else _from_top(named)
    with TemporaryDirectory(prefix="peergate-") as temporary:
        root = Path(temporary) / "tree"
        root.mkdir()
        own_index = {"GIT_INDEX_FILE": str(Path(temporary) / "index")}
        _git(top, "read-tree", commit, environment=own_index)
        _git(top, "checkout-index", "--all", "--quiet", f"--prefix={root}/", environment=own_index)
        policy = root / inside
        if not policy.resolve().is_relative_to(root.resolve()):
            raise ArgumentError(f"{str(inside)!r} is a link that leads out of the revision {revision!r}")
        if not policy.exists():
            raise ArgumentError(f"the revision {revision!r} has no {str(inside)!r}; name another one as REV:PATH")
        yield policy, root


def _from_top(named: str) -> Path:
    path = Path(named)
    if path.is_absolute() or ".." in path.parts:
        raise ArgumentError(f"{named!r} leads out of the revision; name a path from the top of the repository")
    return path


def _inside(path: Path, top: Path) -> Path:
    """`path` as it is called in the repository at `top`."""
    try:
        return path.resolve().relative_to(top.resolve())
    except ValueError:
        raise ArgumentError(f"{str(path)!r} leads out of the git repository {str(top)!r}") from None


def _commit(top: Path, revision: str) -> str:
    try:
        wanted = f"{revision}^{{commit}}"
        return _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted).strip()
    except ArgumentError:
        hint = f"`git log` shows the revisions of {str(top)!r}"
        raise ArgumentError(f"{revision!r} is neither a file or folder nor a git revision; {hint}") from None


def _git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """What git prints. Raises ArgumentError with what it says against it."""
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        ended = subprocess.run(  # noqa: S603 - no shell; revisions stand behind --end-of-options
            command, capture_output=True, check=False, env={**os.environ, **(environment or {})}
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArgumentError(f"git cannot be asked: {reason}") from None
    if ended.returncode:
        said = os.fsdecode(ended.stderr).strip().splitlines() or ["it failed"]
        raise ArgumentError(f"git {arguments[0]}: {said[0].removeprefix('fatal: ')}")
    return os.fsdecode(ended.stdout)
