"""The characters of a policy file: UTF-8 text in which a reviewer sees what a program reads (law 3).

Beside NUL, byte order marks and controls, two kinds of characters are refused because a review would not show them:
line breaks that only YAML knows (U+0085, U+2028, U+2029, a lone CR), with which a comment may end unseen, and
characters that reorder text (Unicode TR #36 §2.7, CVE-2021-42574).
"""

import re

from policies.language.codes import Code
from policies.language.limits import MAX_FILE_BYTES
from policies.language.problem import Position, Problems

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"

#: C0, DEL and C1 controls; soft hyphen, zero width space, word joiner; bidirectional embeddings, overrides and
#: isolates; U+FEFF and the noncharacters that YAML excludes.
_HIDDEN = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff"
_BREAKS = r"\x85\u2028\u2029"
_FORBIDDEN_IN_FILE = re.compile(rf"[{_HIDDEN}{_BREAKS}]")
_FORBIDDEN_IN_VALUE = re.compile(rf"[{_HIDDEN}{_BREAKS}\r\ud800-\udfff]")
_LONE_CR = re.compile(r"\r(?!\n)")
_BREAK_CHARACTERS = "\x85\u2028\u2029"
_REPLACEMENT = "\ufffd"


def text_from_bytes(file: str, data: bytes, problems: Problems) -> str | None:
    """The text of a file, without a byte order mark; None if it cannot be read as text at all.

    Each forbidden character is reported and becomes U+FFFD, so that places stay right and reading can go on.
    """
    whole = Position(file, 0, 0)
    if len(data) > MAX_FILE_BYTES:
        message = f"the file has {len(data)} bytes; at most {MAX_FILE_BYTES} are read"
        problems.add(whole, Code.FILE_TOO_LARGE, message, "split it into several files of one folder")
        return None
    if data.startswith(_UTF16_MARKS):
        problems.add(Position(file, 1, 1), Code.NOT_UTF8, "the file is UTF-16 text", "save it as UTF-8")
        return None
    if data.startswith(_UTF8_MARK):
        message = "the file starts with a byte order mark"
        problems.add(Position(file, 1, 1), Code.BYTE_ORDER_MARK, message, "save it as UTF-8 without BOM")
        data = data[len(_UTF8_MARK) :]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8 here"
        problems.add(_place(file, before, len(before)), Code.NOT_UTF8, message, "save the file as UTF-8")
        return None
    return _without_forbidden(file, text, problems)


def forbidden_in_value(text: str) -> str | None:
    """The first character, as `U+0000`, that a value may not have, not even as a YAML escape; tab and LF may stand."""
    if text.isprintable():
        return None
    found = _FORBIDDEN_IN_VALUE.search(text)
    return _code_point(found[0]) if found else None


def _without_forbidden(file: str, text: str, problems: Problems) -> str | None:
    nul = text.find("\0")
    if nul >= 0:
        message = "the file has a NUL character: it is binary, or UTF-16 text"
        problems.add(_place(file, text, nul), Code.NUL_BYTE, message, "save it as UTF-8 text")
        return None
    lone = _LONE_CR.search(text)
    if lone:
        message = "a carriage return stands alone, which YAML reads as a line break and most editors do not show"
        hint = "end lines with LF or CR LF"
        problems.add(_place(file, text, lone.start()), Code.LINE_BREAK_FORBIDDEN, message, hint)
        return None
    if not _FORBIDDEN_IN_FILE.search(text):
        return text
    return "\n".join(_clean_line(file, i, line, problems) for i, line in enumerate(text.split("\n"), 1))


def _clean_line(file: str, number: int, line: str, problems: Problems) -> str:
    """The line with what is forbidden replaced; each such character is reported once a line."""
    columns: dict[str, int] = {}
    for found in _FORBIDDEN_IN_FILE.finditer(line):
        columns.setdefault(found[0], found.start() + 1)
    for character, column in columns.items():
        at = Position(file, number, column)
        shown = _code_point(character)
        if character in _BREAK_CHARACTERS:
            message = f"{shown} stands here, which YAML reads as a line break and most editors do not show"
            problems.add(at, Code.LINE_BREAK_FORBIDDEN, message, "end lines with LF or CR LF")
        else:
            message = f"the character {shown} stands here, which a reader of the file does not see"
            problems.add(at, Code.CHARACTER_FORBIDDEN, message, "remove it")
    return _FORBIDDEN_IN_FILE.sub(_REPLACEMENT, line) if columns else line


def _place(file: str, text: str, index: int) -> Position:
    line_start = text.rfind("\n", 0, index) + 1
    return Position(file, text.count("\n", 0, index) + 1, index - line_start + 1)


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"
