"""Where a foreign library's failure ends: cryptography parses lazily and may raise anything, a Rust panic included."""


def survivable(error: BaseException) -> bool:
    """Whether `error` is a failure on one input, to be turned into a refusal, and not an order to stop.

    pyo3's PanicException derives from BaseException and has no importable class, so it is known by its name.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def words(error: BaseException) -> str:
    """What went wrong in one printable line of at most 200 characters."""
    text = str(error) or type(error).__name__
    return "".join(char if char.isprintable() else " " for char in text[:200])
