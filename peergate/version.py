"""Which peergate this is."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version


def version() -> str:
    """The version of the installed distribution; `0+source` in a tree that is not installed."""
    try:
        return installed_version("peergate")
    except PackageNotFoundError:
        return "0+source"
