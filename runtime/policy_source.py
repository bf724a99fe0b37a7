"""A policy on disk: a file, or one level of a folder. DESIGN §2, Files.

Paths stay the text that the user gave: problems name files by it. What is read is remembered by its SHA-256, so that a
load can be repeated when anything changed while it was reading, and so that a watcher knows every file that a policy
depends on, also those outside its folder.
"""

import errno
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from posixpath import abspath, dirname, isdir, isfile, join, realpath, splitext
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from policies.language.codes import Code
from policies.language.live_sources import LiveSources
from policies.language.problem import Position, Problem
from policies.peer.bundle_source import BundleSource
from policies.peer.crl_source import CrlSource
from policies.peer.limits import MAX_CRL_BYTES
from policies.peer.ocsp_answers import NO_ANSWERS, OcspAnswers
from policies.peer.trust_memory import NOTHING_REMEMBERED, TrustMemory
from runtime.fetched_crls import NOTHING_FETCHED, FetchedCrls
from runtime.files import list_plain_files, read_regular_file
from runtime.limits import MAX_FOLDER_FILES, MAX_POLICY_FILE_BYTES, MAX_POLICY_FILES, MAX_WATCHED_FOLDERS
from runtime.told_bundles import NOTHING_TOLD, ToldBundles

_POLICY_ENDINGS = (".yaml", ".yml")
_TEST_ENDINGS = (".test.yaml", ".test.yml")
#: The schema that an editor uses lies beside the policy (`$schema=./peergate.schema.json`).
_SCHEMA_ENDING = ".schema.json"

#: Where it was looked, and how: as a file of at most so many bytes, or (None) as a folder.
_Place = tuple[str, int | None]
#: What was found there: SHA-256 of the content, the names in a folder, or an errno.
_Found = bytes | tuple[str, ...] | int


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy by the path that the user gave. Nothing is read until `reading()`."""

    path: str
    crls: FetchedCrls = NOTHING_FETCHED
    bundles: ToldBundles = NOTHING_TOLD
    answers: OcspAnswers = NO_ANSWERS
    memory: TrustMemory = NOTHING_REMEMBERED

    def reading(self) -> "PolicyReading":
        """Read the policy files now."""
        return PolicyReading(self.path, self.crls, self.bundles, self.answers, self.memory)

    def test_files(self) -> Mapping[str, bytes]:
        """The policy tests: `*.test.yaml` of the folder, or the one beside the file. Raises OSError."""
        if isdir(self.path):
            names = list_plain_files(self.path, MAX_FOLDER_FILES) or ()
            paths = [join(self.path, name) for name in names if name.endswith(_TEST_ENDINGS)]
        else:
            stem, ending = splitext(self.path)
            paths = [path for path in [f"{stem}.test{ending}"] if isfile(path)]
        return {path: read_regular_file(path, MAX_POLICY_FILE_BYTES) for path in paths}

    def yaml_files(self) -> Mapping[str, bytes]:
        """Policy files and tests of the folder, or the one file. Raises OSError."""
        names = list_plain_files(self.path, MAX_FOLDER_FILES)
        paths = (
            [self.path]
            if names is None
            else [join(self.path, name) for name in names if name.endswith(_POLICY_ENDINGS)]
        )
        return {path: read_regular_file(path, MAX_POLICY_FILE_BYTES) for path in paths}


class PolicyReading:
    """One reading of a policy: its files, and (as `Surroundings`) whatever else they name.

    - `files`: policy file, named as problems name it -> content.
    - `problems`: what is wrong with the files as files.
    - `live`: what is known beside the files, at the time of the reading.

    INVARIANT: within one reading a path has one content, however often it is named (law 5).
    """

    def __init__(
        self,
        path: str,
        crls: FetchedCrls = NOTHING_FETCHED,
        bundles: ToldBundles = NOTHING_TOLD,
        answers: OcspAnswers = NO_ANSWERS,
        memory: TrustMemory = NOTHING_REMEMBERED,
    ) -> None:
        self.path = path
        self.live = LiveSources(answers, crls.named(), crls.note, memory)
        self._crls = crls
        self._bundles = bundles
        # What is still the latest is held by whoever fetched it, too: to keep it costs nothing.
        self._fetched: dict[CrlSource | BundleSource, bytes | None] = {}
        self._found: dict[_Place, _Found] = {}
        self._contents: dict[str, bytes | OSError] = {}
        self._listings: dict[str, tuple[str, ...] | None] = {}
        self._problems: list[Problem] = []
        self.files: Mapping[str, bytes]
        self._policy_names = _policy_names(path)
        if self._policy_names is None:
            self._base = dirname(path)
            self.files = self._read_policy_files([path])
        else:
            self._base = path
            self.files = self._folder_files(self._policy_names)
        if not self.files and not self._problems:
            self._problem(path, Code.NO_POLICY_FILE, "no policy file", "put a *.yaml file there, or name another path")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files as files, sorted."""
        return tuple(sorted(self._problems))

    def read(self, path: str) -> bytes:
        """A file that the policy names, relative to the policy's folder; at most 64 MiB. Raises OSError."""
        return self._content(join(self._base, path), MAX_CRL_BYTES)

    def folder(self, path: str) -> tuple[str, ...] | None:
        """The sorted plain file names in a folder that the policy names; None if it is no folder.

        None too for a folder that cannot be listed: reading it as a file then says why.
        """
        place = join(self._base, path)
        if place not in self._listings:
            self._listings[place] = self._listing(place)
        return self._listings[place]

    def fetched(self, source: CrlSource) -> bytes | None:
        """The last good CRL of a URL that the policy names; None where nothing was fetched."""
        return self._latest(source)

    def bundle(self, source: BundleSource) -> bytes | None:
        """The last good bundle of a Workload API that the policy names; None if there has never been one."""
        return self._latest(source)

    @property
    def crl_sources(self) -> tuple[CrlSource, ...]:
        """The URLs that the policy named when it was loaded from this reading."""
        return tuple(source for source in self._fetched if isinstance(source, CrlSource))

    @property
    def bundle_sources(self) -> tuple[BundleSource, ...]:
        """The bundles of Workload APIs that the policy named when it was loaded from this reading."""
        return tuple(source for source in self._fetched if isinstance(source, BundleSource))

    def forget_contents(self) -> None:
        """Let go of what was read; what is needed to see a change stays. For a reading that was loaded."""
        self._contents.clear()

    def timezone(self, name: str) -> tzinfo:
        """An IANA time zone. Raises KeyError if the system's data has none of that name."""
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise KeyError(name) from error

    def is_current(self) -> bool:
        """Whether all that was found on disk would be found again now, byte for byte."""
        same_files = _policy_names(self.path) == self._policy_names
        return same_files and all(_find(*place) == was for place, was in self._found.items())

    def is_latest(self) -> bool:
        """Whether what the policy has fetched and told is still the last that there is; who sends it decides that."""
        return self._is_latest(named=False)

    def is_latest_of_leaves(self) -> bool:
        """As `is_latest`, of the CRLs that leaves name, and of which they name."""
        return self._crls.named() == self.live.named_crls and self._is_latest(named=True)

    def signature(self) -> tuple[object, ...]:
        """What `stat` says of everything that was found on disk: cheap, and different after every change."""
        stats = (_stat(*place, was) for place, was in self._found.items())
        return _policy_names(self.path), *stats

    def watched_folders(self) -> tuple[str, ...]:
        """The existing folders whose events tell of a change: of each file, and of what a symbolic link leads to."""
        folders = dict.fromkeys(folder for folder in (dirname(abspath(self.path)), self._base) if isdir(folder))
        for (place, _), was in self._found.items():
            here = place if isinstance(was, tuple) else dirname(place) or "."
            folders.update(dict.fromkeys(folder for folder in (here, _behind(place)) if isdir(folder)))
        return tuple(folders)[:MAX_WATCHED_FOLDERS]

    def _latest(self, source: CrlSource | BundleSource) -> bytes | None:
        if source not in self._fetched:
            self._fetched[source] = self._asked(source)
        return self._fetched[source]

    def _is_latest(self, *, named: bool) -> bool:
        known = {source: was for source, was in self._fetched.items() if _is_named(source) is named}
        return all(self._asked(source) == was for source, was in known.items())

    def _asked(self, source: CrlSource | BundleSource) -> bytes | None:
        return self._crls.latest(source) if isinstance(source, CrlSource) else self._bundles.latest(source)

    def _content(self, place: str, limit: int) -> bytes:
        """What is at `place`, or was when it was first read. Raises OSError, the same each time."""
        if place not in self._contents:
            try:
                content = read_regular_file(place, limit)
            except OSError as error:
                self._found[place, limit] = _errno(error)
                self._contents[place] = error
            else:
                self._found[place, limit] = hashlib.sha256(content).digest()
                self._contents[place] = content
        known = self._contents[place]
        if isinstance(known, OSError):
            raise known
        return known

    def _listing(self, place: str) -> tuple[str, ...] | None:
        try:
            names = list_plain_files(place, MAX_FOLDER_FILES)
        except OSError as error:
            self._found[place, None] = _errno(error)
            self._contents[place] = error
            return None
        if names is not None:
            self._found[place, None] = names
        return names

    def _folder_files(self, names: tuple[str, ...] | int) -> Mapping[str, bytes]:
        if isinstance(names, int):
            self._problem(self.path, Code.FILE_UNREADABLE, f"the folder cannot be listed: {os.strerror(names)}")
            return {}
        for name in names:
            self._check_name(name)
        policies = [join(self.path, name) for name in names if name.endswith(_POLICY_ENDINGS)]
        if len(policies) > MAX_POLICY_FILES:
            text = f"{len(policies)} policy files; at most {MAX_POLICY_FILES} are read"
            self._problem(self.path, Code.TOO_MANY_FILES, text)
            return {}
        return self._read_policy_files(policies)

    def _check_name(self, name: str) -> None:
        """A file that somebody may believe to be in force, but is not, is a problem."""
        if name.endswith(_POLICY_ENDINGS):
            return
        if name.lower().endswith(_POLICY_ENDINGS):
            text, hint = "not read: the ending is not lower case", "name it *.yaml"
        else:
            text = "not a policy file, though it looks like one"
            hint = "name it *.yaml to put it in force, or move it out of the folder"
        self._problem(join(self.path, name), Code.FILE_UNEXPECTED, text, hint)

    def _read_policy_files(self, paths: list[str]) -> Mapping[str, bytes]:
        files = {}
        for path in paths:
            try:
                content = self._content(path, MAX_POLICY_FILE_BYTES)
            except OSError as error:
                code = Code.FILE_TOO_LARGE if error.errno == errno.EFBIG else Code.FILE_UNREADABLE
                hint = "check the path and its permissions; it is taken as soon as it can be read"
                self._problem(
                    path, code, f"cannot be read: {_words(error)}", hint if code == Code.FILE_UNREADABLE else ""
                )
                continue
            files[_shown(path)] = content
        return files

    def _problem(self, path: str, code: str, message: str, hint: str = "") -> None:
        self._problems.append(Problem(Position(_shown(path), 0, 0), code, message, hint))


def _is_named(source: CrlSource | BundleSource) -> bool:
    return isinstance(source, CrlSource) and source.named


def _policy_names(path: str) -> tuple[str, ...] | int | None:
    """The names in a policy folder that are policy files or could be taken for some; an errno; None for no folder."""
    try:
        names = list_plain_files(path, MAX_FOLDER_FILES)
    except OSError as error:
        return _errno(error)
    return None if names is None else tuple(name for name in names if _is_about_policy(name))


def _is_about_policy(name: str) -> bool:
    if name.endswith((*_TEST_ENDINGS, _SCHEMA_ENDING)):
        return False
    lower = name.lower()
    return lower.endswith((*_POLICY_ENDINGS, ".json")) or any(f"{ending}." in lower for ending in _POLICY_ENDINGS)


def _find(place: str, limit: int | None) -> _Found | None:
    """What is there now, looked for as it was the first time; None for no folder where a folder was."""
    try:
        if limit is None:
            return list_plain_files(place, MAX_FOLDER_FILES)
        return hashlib.sha256(read_regular_file(place, limit)).digest()
    except OSError as error:
        return _errno(error)


def _stat(place: str, limit: int | None, was: _Found) -> object:
    """A file that could not be read is tried again, as an error of the system may pass without any change to it."""
    if isinstance(was, int):
        return _find(place, limit)
    try:
        found = Path(place).stat()
        names = list_plain_files(place, MAX_FOLDER_FILES) if isinstance(was, tuple) else None
    except OSError as error:
        return _errno(error)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, names


def _behind(place: str) -> str:
    """The folder of the file that the symbolic links of `place` lead to."""
    try:
        return dirname(realpath(place))
    except ValueError:  # a name that the system cannot have
        return ""


def _errno(error: OSError) -> int:
    return error.errno or errno.EIO


def _words(error: OSError) -> str:
    return error.strerror or str(error)


def _shown(path: str) -> str:
    """A path as text that every terminal and log can take."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
