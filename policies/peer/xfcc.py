"""The grammar of `x-forwarded-client-cert` (XFCC), as text or as the JSON that Envoy 1.38 and later can write.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert

Laws: only the last element is the TLS peer of the Envoy that calls. What is not exactly of this grammar is refused
whole: an unclosed quote or a repeated key may be the work of whom the header speaks of. What the grammar cannot show,
see `forwarded`.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from policies.peer.errors import XfccError
from policies.peer.limits import MAX_HEADER_CHARS, MAX_XFCC_ELEMENTS
from policies.peer.percent import percent_decoded

# element = pair *(";" pair); value = element *("," element). Envoy quotes Cert, Chain and Subject, in which `"` and `\`
# are escaped; every other value ends at the first `;` or `,`, whatever is in it.
_PAIR = re.compile(r'([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))')
_COMMA = re.compile(r",[ \t]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_SINGLE = frozenset({"hash", "cert", "chain", "subject"})
_REPEATED = frozenset({"by", "uri", "dns"})
_JSON_LISTS = frozenset({"by", "chain", "uri", "dns"})


@dataclass(frozen=True, slots=True)
class XfccElement:
    """What one proxy says of its peer; nothing of it is verified.

    `hash`: SHA-256 of the certificate, lower-case hex. `cert`, `chain`: PEM; the chain includes the leaf. `subject`:
    RFC 2253 text. Empty = not said, or said to be empty, which `keys` tells apart: those that were written, in order,
    lower case; `quoted`: those of them whose value stood between quotes. `is_json`: written as JSON, so that no value
    can run into another.
    """

    by: tuple[str, ...] = ()
    hash: str = ""
    cert: str = ""
    chain: str = ""
    subject: str = ""
    uri: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    is_json: bool = False
    keys: tuple[str, ...] = field(default=(), compare=False, repr=False)
    quoted: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


def parse_xfcc(text: str) -> XfccElement:
    """The last element of `text`: the TLS peer. Raises XfccError if any element is malformed."""
    return xfcc_elements(text)[-1]


def xfcc_elements(text: str) -> tuple[XfccElement, ...]:
    """Every element of `text`, at least one. Raises XfccError."""
    if len(text) > MAX_HEADER_CHARS:
        raise XfccError(f"the value has more than {MAX_HEADER_CHARS} characters")
    if _CONTROL.search(text):
        raise XfccError("the value holds a control character")
    elements = _json_elements(text) if text.startswith("[") else _text_elements(text)
    if not 0 < len(elements) <= MAX_XFCC_ELEMENTS:
        raise XfccError(f"the value has {len(elements)} elements, 1 to {MAX_XFCC_ELEMENTS} are read")
    return tuple(elements)


def _text_elements(text: str) -> list[XfccElement]:
    elements: list[XfccElement] = []
    pairs: list[tuple[str, str]] = []
    quoted: set[str] = set()
    position = 0
    while True:
        pair = _PAIR.match(text, position)
        if pair is None:
            raise XfccError(f"no KEY=value at character {position + 1}, or a quote where none belongs")
        pairs.append(_pair(*pair.groups()))
        if pair[2] is not None:
            quoted.add(pairs[-1][0])
        position = pair.end()
        comma = _COMMA.match(text, position)
        if comma or position == len(text):
            elements.append(replace(_element(pairs, is_json=False), quoted=frozenset(quoted)))
            pairs, quoted = [], set()
            if comma is None:
                return elements
        elif text[position] != ";":
            raise XfccError(f"a stray quote or character at {position + 1}")
        position = comma.end() if comma else position + 1


def _pair(name: str, quoted: str | None, plain: str) -> tuple[str, str]:
    key = name.lower()
    # Envoy puts the subject between quotes as it is: its backslashes are those of RFC 2253.
    raw = plain if quoted is None else quoted
    value = raw if quoted is None or key == "subject" else re.sub(r"\\(.)", r"\1", raw)
    if key not in ("cert", "chain"):
        return key, value
    try:
        return key, percent_decoded(value)
    except ValueError as error:
        raise XfccError(f"{name}: {error}") from error


def _element(pairs: Iterable[tuple[str, str]], *, is_json: bool) -> XfccElement:
    pairs = tuple(pairs)
    single: dict[str, str] = {}
    repeated: dict[str, list[str]] = {key: [] for key in _REPEATED}
    for key, value in pairs:
        if key in repeated:
            # Envoy writes an empty `URI=` for a certificate without one.
            repeated[key] += [value] if value else []
        elif key not in _SINGLE:
            raise XfccError(f"the key {key[:20]!r} is unknown")
        elif key in single:
            raise XfccError(f"the key {key!r} is repeated")
        else:
            single[key] = value
    if "hash" in single and not _HASH.fullmatch(single["hash"]):
        raise XfccError("Hash is not a SHA-256 in hex")
    return XfccElement(
        by=tuple(repeated["by"]),
        hash=single.get("hash", "").lower(),
        cert=single.get("cert", ""),
        chain=single.get("chain", ""),
        subject=single.get("subject", ""),
        uri=tuple(repeated["uri"]),
        dns=tuple(repeated["dns"]),
        is_json=is_json,
        keys=tuple(key for key, _ in pairs),
    )


def _json_elements(text: str) -> list[XfccElement]:
    try:
        objects = json.loads(text, object_pairs_hook=_JsonObject)
    except (ValueError, RecursionError) as error:
        raise XfccError(f"not JSON: {error}") from error
    if not isinstance(objects, list) or not all(isinstance(item, _JsonObject) for item in objects):
        raise XfccError("the JSON is not a list of objects")
    return [_element(item.pairs(), is_json=True) for item in objects]


class _JsonObject:
    """A JSON object as it was written: json would let the last of repeated keys win."""

    def __init__(self, members: Sequence[tuple[str, object]]) -> None:
        self._members = members

    def pairs(self) -> list[tuple[str, str]]:
        """Key and text: a list gives one pair for each text, but the chain one text of several PEM blocks."""
        keys = [key for key, _ in self._members]
        if len(set(keys)) != len(keys):
            raise XfccError("a JSON key is repeated")
        return [pair for member in self._members for pair in self._pairs(*member)]

    @staticmethod
    def _pairs(key: str, value: object) -> list[tuple[str, str]]:
        items = value if isinstance(value, list) else [value]
        texts = [item for item in items if isinstance(item, str)]
        if len(texts) != len(items) or isinstance(value, list) != (key in _JSON_LISTS):
            raise XfccError(f"the JSON value of {key[:20]!r} is not of its type")
        return [(key, "".join(texts))] if key == "chain" else [(key, text) for text in texts]
