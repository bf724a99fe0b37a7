"""Settings from flags, then `PEERGATE_*` variables, then one YAML file, then defaults; all of them whole or not at all.

A command declares its settings once, as a frozen dataclass whose fields are annotated with a `Setting`. The command
line passes what was typed (`None` = not given) to `configured`, which finds every value, reads it with the field's
reader, and reports all mistakes together. The library that parses the command line merges nothing and knows no default.

- Flag `--decision-log`, variable `PEERGATE_DECISION_LOG` and key `decision-log` are one setting, the field
  `decision_log`.
- A setting that takes several values is a repeated flag, a YAML list, and in a variable words between blanks.
- An empty variable is one that is not set. Unknown variables are ignored, because Kubernetes makes some for a service
  of this name; unknown keys in the file are errors.
- The file is read like a policy: scalars are text as written, no key stands twice.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast, get_type_hints

from policies.language import node as yaml
from policies.language.problem import Problems
from policies.language.suggestion import Vocabulary, did_you_mean
from policies.language.yaml_text import node_from_bytes
from runtime.errors import ConfigurationError
from runtime.files import read_regular_file
from runtime.limits import MAX_CONFIGURATION_BYTES

T = TypeVar("T")

#: What a flag may hold when it comes from the command line; None = it was not given.
Given = str | int | float | bool | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Setting:
    """How one setting is read: `Annotated[Address | None, Setting(address_from_text)] = None`.

    `read` turns its text into the value, or raises ConfigurationError. `several`: the field is a tuple of such values.
    A field without default is required.
    """

    read: Callable[[str], object]
    several: bool = False


class Origin(StrEnum):
    """Where a value came from."""

    FLAG = "flag"
    VARIABLE = "variable"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Configured(Generic[T]):
    """A configuration, and the origin of each of its fields by name."""

    value: T
    origins: Mapping[str, Origin]

    def text(self) -> str:
        """The configuration as a configuration file, each line with its origin: what `--print-config` shows."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, origin in self.origins.items():
            value = getattr(self.value, name)
            if value is None or value == ():
                yield f"# {key_of(name)} is not set"
            else:
                yield f"{key_of(name)}: {_yaml_from_value(value)}  # {origin}"


def configured(
    kind: type[T],
    flags: Mapping[str, Given],
    environment: Mapping[str, str],
    file: str | None = None,
    *,
    arguments: Collection[str] = (),
) -> Configured[T]:
    """The configuration of `kind`, a dataclass of settings.

    `flags`: field name -> what was typed. `environment`: as os.environ. `file`: path of the configuration file;
    default: that of PEERGATE_CONFIG, if any. `arguments`: names of fields that are typed without a flag. Raises
    ConfigurationError with every mistake in one line.
    """
    file = file or environment.get(variable_of("config")) or None
    mistakes: list[str] = []
    declared = _declared(kind)
    in_file = {} if file is None else _file_values(file, declared, mistakes)
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    for name, (setting, required) in declared.items():
        origins[name], texts = _found(name, setting, flags, environment, in_file)
        if texts is not None:
            try:
                values[name] = _read(setting, texts)
            except ConfigurationError as error:
                mistakes.append(f"{_shown(name, origins[name])}: {error}")
        elif required:
            typed = f"name it as {name.upper()}" if name in arguments else f"give --{key_of(name)}"
            mistakes.append(f"{key_of(name)} is missing: {typed} or set {variable_of(name)}")
    if mistakes:
        raise ConfigurationError("; ".join(mistakes))
    return Configured(kind(**values), origins)


def key_of(name: str) -> str:
    """The key of a field in the configuration file, which is its flag without the dashes."""
    return name.replace("_", "-")


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return f"PEERGATE_{name.upper()}"


def _declared(kind: type) -> dict[str, tuple[Setting, bool]]:
    """Field name -> its setting, and whether it is required."""
    annotations = get_type_hints(kind, include_extras=True)
    return {
        item.name: (cast("Setting", annotations[item.name].__metadata__[0]), item.default is MISSING)
        for item in fields(cast("Any", kind))
    }


def _found(
    name: str,
    setting: Setting,
    flags: Mapping[str, Given],
    environment: Mapping[str, str],
    in_file: Mapping[str, Sequence[str]],
) -> tuple[Origin, Sequence[str] | None]:
    typed = _texts_from_flag(flags.get(name))
    if typed:
        return Origin.FLAG, typed
    if variable := environment.get(variable_of(name)):
        return Origin.VARIABLE, variable.split() if setting.several else [variable]
    if name in in_file:
        return Origin.FILE, in_file[name]
    return Origin.DEFAULT, None


def _read(setting: Setting, texts: Sequence[str]) -> object:
    if setting.several:
        return tuple(setting.read(text) for text in texts)
    if len(texts) != 1:
        raise ConfigurationError("takes one value")
    return setting.read(texts[0])


def _shown(name: str, origin: Origin) -> str:
    if origin is Origin.FLAG:
        return f"--{key_of(name)}"
    return variable_of(name) if origin is Origin.VARIABLE else key_of(name)


def _file_values(path: str, declared: Mapping[str, object], mistakes: list[str]) -> dict[str, Sequence[str]]:
    root = _root_of_file(path, mistakes)
    known = {key_of(name): name for name in declared}
    vocabulary = Vocabulary(known)
    values: dict[str, Sequence[str]] = {}
    for key, node in root.entries if isinstance(root, yaml.Mapping) else ():
        where = f"{path}:{key.line}:{key.column}"
        texts = _texts_from_node(node)
        if key.text not in known:
            hint = did_you_mean(key.text, vocabulary)
            mistakes.append(f"{where}: unknown setting {key.text!r}" + (f" ({hint})" if hint else ""))
        elif texts is None:
            mistakes.append(f"{where}: {key.text} is neither a value nor a list of values")
        else:
            values[known[key.text]] = texts
    return values


def _root_of_file(path: str, mistakes: list[str]) -> yaml.Node | None:
    try:
        data = read_regular_file(path, MAX_CONFIGURATION_BYTES)
    except OSError as error:
        raise ConfigurationError(f"the configuration file {path} cannot be read: {error.strerror or error}") from error
    problems = Problems()
    root = node_from_bytes(path, data, problems)
    mistakes.extend(str(problem) for problem in problems.sorted())
    if not mistakes and not isinstance(root, yaml.Mapping):
        mistakes.append(f"{path}: a configuration file is a mapping of settings, such as `workers: 2`")
    return root


def _texts_from_node(node: yaml.Node) -> Sequence[str] | None:
    if isinstance(node, yaml.Scalar):
        return [node.text]
    if not isinstance(node, yaml.Sequence):
        return None
    texts = [item.text for item in node.items if isinstance(item, yaml.Scalar)]
    return texts if len(texts) == len(node.items) else None


def _texts_from_flag(typed: Given) -> Sequence[str]:
    if typed is None:
        return ()
    if isinstance(typed, bool):
        return ["true" if typed else "false"]
    return [str(typed)] if isinstance(typed, (str, int, float)) else [str(text) for text in typed]


def _yaml_from_value(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_yaml_from_value(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(str(value), ensure_ascii=False)
