"""Preparation of name values for comparison: after it, plain equality is name matching.

RFC 5280 §7.1 asks for the steps of RFC 4518 §2 with case folding and NFKC. Control characters, which RFC 4518 drops,
are refused: `adm<NUL>in` must not be `admin`.
"""

import re
import unicodedata

from policies.peer.errors import DistinguishedNameError

# Categories Cc and Cs: controls, and surrogates that no encoding can carry.
_REFUSED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# RFC 4518 §2.2, the characters that are mapped to nothing and are no controls.
_NOTHING = re.compile(
    "[\u00ad\u034f\u06dd\u070f\u1806\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2063\u206a-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffc\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
# RFC 4518 §2.2: every separator (categories Zs, Zl, Zp) is a SPACE.
_SEPARATOR = re.compile("[\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


def prepared(value: str) -> str:
    """`value` prepared for comparison. Raises DistinguishedNameError for control characters and lone surrogates."""
    if value.isascii() and value.isprintable():
        # Most names by far: nothing is refused, mapped or folded but case.
        return _collapsed(value.lower()) if " " in value else value.lower()
    if _REFUSED.search(value):
        raise DistinguishedNameError("a name holds a control character")
    return _collapsed(_folded(_SEPARATOR.sub(" ", _NOTHING.sub("", value))))


def _folded(text: str) -> str:
    """Compatibility caseless form (Unicode §3.13, D146)."""
    for _ in range(2):
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return text


def _collapsed(text: str) -> str:
    """RFC 4518 §2.6.1: blanks at the ends do not count, inner runs count as one."""
    return " ".join(part for part in text.split(" ") if part)
