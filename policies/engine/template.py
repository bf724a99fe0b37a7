"""`set_headers` values: text with `{capture}` and `{identity.field}`; `{{` and `}}` stand for braces.

What is filled in is percent-encoded (RFC 3986 §2.1, UTF-8) wherever it is not visible ASCII or is `%` or `,`: a caller
who chooses a value can add no header, no list item, and no ambiguity; the upstream can decode it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from policies.peer.certificate import IdentityFacts

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LITERAL = re.compile(r"[\x20-\x7e\t]*")
_SAFE = frozenset(chr(code) for code in range(0x21, 0x7F)) - frozenset("%,")
#: Fields of the caller that a template may name.
IDENTITY_FIELDS = ("name", "uri", "dns", "email", "ip_san", "subject", "issuer", "serial", "fingerprint")


class TemplateError(ValueError):
    """Not a template; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Template:
    """Alternating literal texts and names: `texts` has one element more than `names`."""

    texts: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Raises TemplateError for lone braces, unknown identity fields and characters that no header may carry."""
        texts, names, position = [""], list[str](), 0
        for piece in _PIECE.finditer(text):
            texts[-1] += text[position : piece.start()]
            position = piece.end()
            if piece[0] in {"{{", "}}"}:
                texts[-1] += piece[0][0]
            elif piece[1] is None:
                brace = piece[0]
                raise TemplateError(f"`{text}` has a single {brace}; write {brace * 2} for it, or {{name}}")
            else:
                names.append(_checked_name(piece[1], text))
                texts.append("")
        texts[-1] += text[position:]
        if not all(_LITERAL.fullmatch(literal) for literal in texts):
            raise TemplateError(f"`{text}`: a header value is printable ASCII")
        return cls(tuple(texts), tuple(names))

    @property
    def captures(self) -> frozenset[str]:
        """The bound names that it needs."""
        return frozenset(name for name in self.names if not name.startswith("identity."))

    def filled(self, values: Mapping[str, tuple[str, ...]]) -> str | None:
        """The header value, or None if something that it names has no value."""
        filled = [self.texts[0]]
        for name, literal in zip(self.names, self.texts[1:], strict=True):
            found = values.get(name)
            if not found:
                return None
            filled += (",".join(map(header_safe, found)), literal)
        return "".join(filled)


def header_safe(value: str) -> str:
    """`value` with everything percent-encoded that a header list item may not carry as it is."""
    if _SAFE.issuperset(value):
        return value
    return "".join(
        character if character in _SAFE else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
        for character in value
    )


def identity_values(facts: IdentityFacts | None, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What templates may say of a caller; several SANs of one type are several values."""
    if facts is None:
        return {"identity.name": names}
    return {
        "identity.name": names,
        "identity.uri": facts.uri or (),
        "identity.dns": facts.dns or (),
        "identity.email": facts.email or (),
        "identity.ip_san": tuple(map(str, facts.ip or ())),
        "identity.subject": (facts.subject.text,) if facts.subject is not None and facts.subject.text else (),
        "identity.issuer": (facts.issuer.text,) if facts.issuer is not None and facts.issuer.text else (),
        "identity.serial": (f"{facts.serial:x}",) if facts.serial is not None else (),
        "identity.fingerprint": (facts.cert_sha256.hex(),) if facts.cert_sha256 is not None else (),
    }


def _checked_name(name: str, whole: str) -> str:
    field = name.removeprefix("identity.")
    if field != name and field not in IDENTITY_FIELDS:
        raise TemplateError(f"`{whole}`: identity has no field {field!r}; it has {', '.join(IDENTITY_FIELDS)}")
    if field == name and not name.isidentifier():
        raise TemplateError(f"`{whole}`: {{{name}}} is neither a bound name nor identity.FIELD")
    return name
