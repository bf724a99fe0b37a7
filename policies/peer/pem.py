"""PEM (RFC 7468), strictly: what is not a whole block of the expected label is an error, never skipped.

A trust bundle may hold explanatory text around its blocks, as openssl writes it (RFC 7468 §5.2); anything in it that
looks like a damaged boundary is an error, so that a CA is never dropped silently. What comes from a wire holds no such
text.
"""

import binascii
import re
from base64 import b64decode

from policies.peer.errors import CertificateError

_BOUNDARY = re.compile(r"-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]*)-----")
_DASHES = re.compile(r"\s*-+\s*(?:BEGIN|END)\b")
#: Characters of a line of explanatory text; openssl's longest are names, of some hundred.
_MAX_COMMENT_CHARS = 4096


def der_from_pem(text: str, *, limit: int, label: str = "CERTIFICATE", explained: bool = False) -> tuple[bytes, ...]:
    """The contents of 1 to `limit` PEM blocks, all with `label`. `explained`: other text may stand around the blocks.

    Raises CertificateError, with the line.
    """
    blocks: list[bytes] = []
    body: list[str] | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r \t")
        boundary = _BOUNDARY.fullmatch(line)
        if boundary:
            _check_boundary(boundary, number, label, inside=body is not None)
            if body is None:
                body = []
            else:
                blocks.append(_decoded(body, number))
                body = None
            if len(blocks) > limit:
                raise CertificateError(f"more than {limit} PEM blocks")
        elif body is not None:
            body.append(line)
        elif line and (not explained or not _is_comment(line)):
            raise CertificateError(f"line {number} is neither part of a PEM block nor a comment: {line[:40]!r}")
    if body is not None:
        raise CertificateError(f"the last PEM block has no -----END {label}-----")
    if not blocks:
        raise CertificateError(f"no PEM block: there is no -----BEGIN {label}-----")
    return tuple(blocks)


def _is_comment(line: str) -> bool:
    """Whether nobody would take the line for a boundary of a block: whatever looks like one must be one."""
    if len(line) > _MAX_COMMENT_CHARS or "\x00" in line or _DASHES.match(line):
        return False
    return "-----" not in line or not any(character.isascii() and character.isalpha() for character in line)


def _check_boundary(boundary: re.Match[str], number: int, label: str, *, inside: bool) -> None:
    kind, found = boundary.groups()
    if found != label:
        hint = "; keep keys out of trust files" if "PRIVATE KEY" in found else ""
        raise CertificateError(f"line {number}: a {found} where a {label} is expected{hint}")
    if (kind == "END") != inside:
        raise CertificateError(f"line {number}: unbalanced -----{kind} {found}-----")


def _decoded(body: list[str], number: int) -> bytes:
    try:
        der = b64decode("".join(body), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CertificateError(f"the PEM block that ends at line {number} is not base64: {error}") from error
    if not der:
        raise CertificateError(f"the PEM block that ends at line {number} is empty")
    return der
