"""Parts of a Kubernetes resource: lists and mappings that are what they should be, or a problem."""

from collections.abc import Callable, Collection

from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.resource import Texts
from policies.language.node import Mapping, Node, Refused, Scalar, Sequence
from policies.language.problem import Problems
from policies.language.suggestion import Vocabulary, did_you_mean
from policies.language.wording import quoted


def entries_of(node: Node, label: str, problems: Problems) -> dict[str, tuple[Scalar, Node]] | None:
    """The entries of a mapping by key, also of an empty one; None if it is something else."""
    if isinstance(node, Mapping):
        return {key.text: (key, value) for key, value in node.entries}
    refuse_part(node, label, "a mapping", problems)
    return None


def items_of(node: Node, label: str, problems: Problems) -> tuple[Node, ...]:
    """The items of a list with at least one; empty, with a problem, if it is something else."""
    if isinstance(node, Sequence) and node.items:
        return node.items
    refuse_part(node, label, "a list that is not empty", problems)
    return ()


def texts_of(node: Node, label: str, problems: Problems) -> Texts:
    """The texts of a list; each has a character at least."""
    texts: list[Scalar] = []
    for item in items_of(node, label, problems):
        if isinstance(item, Scalar) and item.text:
            texts.append(item)
        else:
            refuse_part(item, label, "texts that are not empty", problems)
    return tuple(texts)


def known_entries(
    node: Node, label: str, known: Collection[str], problems: Problems
) -> dict[str, tuple[Scalar, Node]] | None:
    """The entries of a mapping that has `known` keys only; each other key is a problem, and left out."""
    entries = entries_of(node, label, problems)
    if entries is None:
        return None
    for name in [name for name in entries if name not in known]:
        key, _ = entries.pop(name)
        hint = did_you_mean(name, Vocabulary(known))
        problems.add(key.at, ImportCode.INVALID, f"{quoted(label)} has no field {quoted(name)}", hint)
    return entries


def text_at(
    entries: dict[str, tuple[Scalar, Node]], key: str, accepts: Callable[[str], object], problems: Problems
) -> str:
    """The text under `key`, empty if there is none or it is not accepted; the latter is a problem."""
    if key not in entries:
        return ""
    node = entries[key][1]
    if isinstance(node, Scalar) and accepts(node.text):
        return node.text
    refuse_part(node, key, "a Kubernetes name", problems)
    return ""


def refuse_part(node: Node, label: str, wanted: str, problems: Problems) -> None:
    """Report that `node` is not what belongs under `label`; nothing if that is already reported."""
    found = {Scalar: "a text", Sequence: "a list", Mapping: "a mapping"}
    if isinstance(node, Refused):
        return
    shown = quoted(node.text) if isinstance(node, Scalar) and node.text else None
    empty = isinstance(node, Scalar) or not (node.items if isinstance(node, Sequence) else node.entries)
    what = shown or ("nothing" if isinstance(node, Scalar) else f"an empty {found[type(node)][2:]}")
    what = what if shown or empty else found[type(node)]
    problems.add(node.at, ImportCode.INVALID, f"{quoted(label)} takes {wanted}, found {what}")
