"""What rewrites policy files: `policy fmt` and `policy promote`."""

from functools import cache
from pathlib import Path

from fuzz.target import Target, require
from fuzz.world import SEEDS
from policies.authoring.formatting.format import formatted
from policies.authoring.promotion import PromotionError, promotion_from_files
from policies.language.reading import document_from_bytes

_LIBRARY = Path(__file__).parents[2] / "policies" / "library"
_LAYOUT = b"a: |\n  x\n  # y\n\n# c\nb:\n- - x # y\n  - {a: b, # c\n    d: e}\n? q\n: r\nmode: shadow\n"


@cache
def _texts() -> tuple[bytes, ...]:
    library = sorted(_LIBRARY.rglob("*.yaml"))
    return (_LAYOUT, (SEEDS / "policy.yaml").read_bytes(), *(path.read_bytes() for path in library))


def _check(data: bytes) -> None:
    once, problems = formatted("policy.yaml", data)
    require((once is None) == bool(problems), "there is a formatted text, or there are problems")
    if once is not None:
        require(formatted("policy.yaml", once) == (once, ()), "formatting what is formatted changes nothing")
    document, problems = document_from_bytes("policy.yaml", data)
    if document is None or problems:
        return
    try:
        promotion = promotion_from_files({"policy.yaml": data}, None)
    except PromotionError:
        return
    require(set(promotion.files) <= {"policy.yaml"}, "no other file is written")
    again = promotion_from_files(promotion.files, None)
    require(not again.files, "what was turned on is on")


TARGET = Target(
    "rewriting",
    "fmt and promote keep what a file says, and are done after one turn",
    _texts(),
    _check,
    (
        *(b"#", b" # c\n", b"\n", b"\n\n", b"  ", b"- ", b": ", b"{", b"}", b"[", b"]", b",", b"'", b'"', b"''", b'""'),
        *(
            b"|\n",
            b">-\n",
            b"|2\n",
            b"|+\n",
            b"? ",
            b"\\",
            b"\r\n",
            b"---\n",
            b"...\n",
            b"\t",
            b"mode: shadow",
            b"\xc3\xa9",
        ),
    ),
)
