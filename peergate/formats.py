"""The words that `--format` and `--fail-on` take."""

from enum import StrEnum


class Format(StrEnum):
    """For people, or for programs."""

    TEXT = "text"
    JSON = "json"


class CheckFormat(StrEnum):
    """What `policy check` writes."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class PolicyTestFormat(StrEnum):
    """What `policy test` writes."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    GITHUB = "github"


class MatrixFormat(StrEnum):
    """What `policy matrix` writes."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


class DiffFormat(StrEnum):
    """What `policy diff` writes."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class IstioForm(StrEnum):
    """What `policy export istio` prints."""

    AUTHORIZATION = "authorization"
    EXT_AUTHZ = "ext-authz"
    MESH_CONFIG = "mesh-config"


class DiffFailOn(StrEnum):
    """What makes `policy diff` answer "no", if not every difference does."""

    WIDEN = "widen"


class FailOn(StrEnum):
    """What makes `policy replay` answer "no"."""

    CHANGED = "changed"


class CheckFailOn(StrEnum):
    """The least severe finding that makes `policy check` answer "no"."""

    WARNING = "warning"
    NOTE = "note"
