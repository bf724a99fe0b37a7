"""Lays a document out anew, comments where they belong: each is written when what follows it is.

A comment behind a value stays behind it. One on a line of its own stays above what follows it, at its indentation, or
at the end of the block that it was indented to.
"""

import re
from bisect import bisect

from policies.authoring.formatting.scalar import key_from_leaf, line_from_leaf, lines_from_leaf, lines_from_root
from policies.authoring.formatting.source import Comment, Group, Leaf, Part

#: Columns that a mapping or list in brackets may reach; a longer one is written on several lines.
MAX_LINE_CHARS = 120
STEP = 2
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


class Layout:
    """One document on its way to lines."""

    def __init__(self, text: str, comments: list[Comment]) -> None:
        self._text = text
        self._comments = comments
        self._starts = [comment.start for comment in comments]
        self._next = 0
        self._lines: list[str] = []
        #: How many lines there were when a comment was put behind the last one.
        self._commented = 0
        #: Where what was written last ends in the text: a value, or a comment.
        self._content_end = 0
        self._written_end = 0
        self._opened = True

    def written(self, root: Part) -> str:
        """The document as text, ending with a line break."""
        if isinstance(root, Group) and not self._is_line(root, 0):
            self._block(root, 0, "")
        else:
            self._comments_before(root.start, 0)
            if isinstance(root, Leaf):
                self._lines += lines_from_root(root, STEP)
                self._content_end = self._written_end = root.end
            else:
                self._put_value("", root, 0)
        self._comments_before(len(self._text), 0)
        return "\n".join(self._lines) + "\n"

    def _block(self, group: Group, indent: int, prefix: str) -> None:
        """A group on lines of its own; `prefix` begins the first one, such as `  - `."""
        for number, item in enumerate(group.items):
            start = prefix if number == 0 else " " * indent
            key = None if group.keys is None else group.keys[number]
            self._entry(start, key, item, indent, top=key is not None and indent == 0 and number > 0)
        self._comments_at_end(group, indent)

    def _entry(self, start: str, key: Part | None, value: Part, indent: int, *, top: bool) -> None:
        """An item of a list (no key), or a key with its value."""
        first = value if key is None else key
        on_line = self._is_line(value, len(start) + STEP) if key is None else self._key_line(start, key, value)
        margin = len(start) - len(start.lstrip(" "))
        self._comments_before(first.start, margin, spaced=top and not on_line)
        if on_line:
            self._comments_inside(value, margin)
        else:
            self._comment_behind(value, margin)
        if key is None:
            head = f"{start}- "
            if on_line:
                self._put_value(head, value, indent)
            else:
                self._opened = True
                self._block_of(value, indent + STEP, head)
            return
        head = f"{start}{self._key(key)}:"
        if on_line:
            self._put_value(f"{head} ", value, indent)
        else:
            self._put(head, key.end)
            self._opened = True
            self._block_of(value, indent + STEP, " " * (indent + STEP))

    def _key(self, key: Part) -> str:
        return key_from_leaf(key) if isinstance(key, Leaf) else self._flow(key) or ""

    def _key_line(self, start: str, key: Part, value: Part) -> bool:
        return self._is_line(value, len(start) + len(self._key(key)) + STEP)

    def _block_of(self, value: Part, indent: int, prefix: str) -> None:
        if isinstance(value, Group):
            self._block(value, indent, prefix)

    def _put_value(self, head: str, value: Part, indent: int) -> None:
        if isinstance(value, Group):
            self._put(f"{head}{self._flow(value)}", value.end)
            return
        lines = lines_from_leaf(value, indent + STEP)
        self._put(f"{head}{lines[0]}".rstrip(), value.end)
        self._lines += lines[1:]

    def _put(self, line: str, end: int) -> None:
        self._lines.append(line)
        self._opened = False
        self._content_end = self._written_end = end

    def _is_line(self, value: Part, column: int) -> bool:
        """Whether a value stands behind its key or `- `: a scalar, or a group in brackets that fits."""
        if isinstance(value, Leaf):
            return True
        if not value.items:
            return True
        if not value.flow or self._has_comment(value):
            return False
        line = self._flow(value)
        return line is not None and column + len(line) <= MAX_LINE_CHARS

    def _flow(self, value: Part) -> str | None:
        """A value in brackets on one line, None if a part of it has several."""
        if isinstance(value, Leaf):
            return line_from_leaf(value)
        items = [self._flow(item) for item in value.items]
        keys = [] if value.keys is None else [self._flow(key) for key in value.keys]
        if None in items or None in keys:
            return None
        if value.keys is None:
            return f"[{', '.join(map(str, items))}]"
        return f"{{{', '.join(f'{key}: {item}' for key, item in zip(keys, items, strict=True))}}}"

    def _has_comment(self, group: Group) -> bool:
        index = bisect(self._starts, group.start)
        return index < len(self._starts) and self._starts[index] < group.end

    def _comments_before(self, start: int, indent: int, *, spaced: bool = False) -> None:
        """Write the comments before `start`, and the blank line that its author left; `spaced`: one in any case."""
        blank_at = len(self._lines)
        blanks = 0
        while self._next < len(self._comments) and self._comments[self._next].start < start:
            comment = self._comments[self._next]
            if comment.trailing and self._lines:
                self._append(comment, indent)
                blank_at = len(self._lines)
            else:
                blanks += self._write(comment, indent)
        blanks += self._blank_line_before(start)
        if spaced and not blanks and not self._opened:
            self._lines.insert(blank_at, "")

    def _comments_inside(self, value: Part, indent: int) -> None:
        """Comments between a key and its value: those that cannot stand behind the value go above the key."""
        is_block = isinstance(value, Leaf) and value.style in {"|", ">"}
        index = self._next
        while index < len(self._comments) and self._comments[index].start < value.start:
            comment = self._comments[index]
            if comment.trailing and not is_block:
                index += 1
            else:
                del self._comments[index]
                self._lines.append(f"{' ' * indent}{comment.text}")

    def _comment_behind(self, value: Part, indent: int) -> None:
        """A comment behind brackets that become several lines goes above them: it was about all of it."""
        for index in range(self._next, len(self._comments)):
            comment = self._comments[index]
            if comment.start >= value.end:
                between = self._text[value.end : comment.start]
                if isinstance(value, Group) and value.flow and comment.trailing and not between.strip(" \t"):
                    del self._comments[index]
                    self._lines.append(f"{' ' * indent}{comment.text}")
                return

    def _comments_at_end(self, group: Group, indent: int) -> None:
        """Comments behind the last value of a block, and those that were indented like its entries."""
        if group.flow:
            return
        column = group.start - (self._text.rfind("\n", 0, group.start) + 1)
        while self._next < len(self._comments):
            comment = self._comments[self._next]
            if comment.after > self._content_end:
                return
            if comment.trailing:
                self._append(comment, indent)
            elif comment.column >= max(column, 1):
                self._write(comment, indent)
            else:
                return

    def _append(self, comment: Comment, indent: int) -> None:
        """Put a comment behind the last line, in its column if that is free; below, if there is a comment already."""
        line = self._lines[-1]
        if len(self._lines) == self._commented:
            self._write(comment, indent)
            return
        self._commented = len(self._lines)
        self._lines[-1] = f"{line}{' ' * max(comment.column - len(line), 1)}{comment.text}"
        self._passed(comment)

    def _write(self, comment: Comment, indent: int) -> bool:
        """Write a comment on a line of its own; whether a blank line was left before it."""
        blank = self._blank_line_before(comment.start)
        self._lines.append(f"{' ' * indent}{comment.text}")
        self._opened = False
        self._passed(comment)
        return blank

    def _passed(self, comment: Comment) -> None:
        self._next += 1
        self._written_end = comment.start + len(comment.text)

    def _blank_line_before(self, start: int) -> bool:
        """Leave a blank line if there was one; never at the start of a block, and never two."""
        if self._opened or not _BLANK_LINE.search(self._text, self._written_end, start):
            return False
        if start < len(self._text):
            self._lines.append("")
            self._written_end = start
        return True
