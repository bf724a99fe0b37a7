"""Turns shadow rules on in the text of policy files: the word `shadow` becomes `enforce`, every other byte stays.

Law kept here: what comes out says the same as what went in, but for the mode of the rules that were named. That is not
believed of an edit, it is read again and compared.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from policies.authoring.text_edit import Edit, TextEditor
from policies.language.document import PolicyDocument, RuleDocument
from policies.language.modes import ENFORCE, SHADOW
from policies.language.node import Node, plain_from_node
from policies.language.problem import Position, Problems
from policies.language.reading import document_from_bytes
from policies.language.yaml_text import node_from_bytes


class PromotionError(ValueError):
    """A mode that cannot be changed in place. The message names the place and the way out."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What is to be written: changed file -> new content. `ids`: the rules that are enforced by then, sorted."""

    files: Mapping[str, bytes]
    ids: tuple[str, ...]


def promotion_from_files(files: Mapping[str, bytes], ids: Collection[str] | None) -> Promotion:
    """Turn on the shadow rules with these ids, or all of them (None).

    `files` are those of a policy that loads. Raises PromotionError, with nothing half done.
    """
    changed: dict[str, bytes] = {}
    promoted: list[str] = []
    for file, data in sorted(files.items()):
        document, _ = document_from_bytes(file, data)
        if document is None:
            raise PromotionError(f"{file} cannot be read")
        wanted = [rule for rule in _shadow_rules(document) if ids is None or rule.id.text in ids]
        if wanted:
            changed[file] = _promoted(data, document, wanted, whole=ids is None)
            promoted.extend(rule.id.text for rule in wanted)
    return Promotion(changed, tuple(sorted(promoted)))


def _shadow_rules(document: PolicyDocument) -> Iterator[RuleDocument]:
    for rule in document.rules:
        mode = rule.mode or document.mode
        if mode is not None and mode.text == SHADOW:
            yield rule


def _promoted(data: bytes, document: PolicyDocument, wanted: list[RuleDocument], *, whole: bool) -> bytes:
    """`data` with these rules turned on. `whole`: these are all shadow rules, so the mode of the file can change."""
    editor = TextEditor(data.decode())
    edits = [_changed_word(editor, rule.mode.at) for rule in wanted if rule.mode is not None]
    if whole and document.mode is not None and document.mode.text == SHADOW:
        edits.append(_changed_word(editor, document.mode.at))
    else:
        edits += [_added_mode(editor, rule) for rule in wanted if rule.mode is None]
    after = editor.edited(edits).encode()
    _check(document, data, after, {rule.id.text for rule in wanted})
    return after


def _changed_word(editor: TextEditor, at: Position) -> Edit:
    token = editor.token_at(at, SHADOW)
    if token is None:
        where = f"{at.file}:{at.line}:{at.column}"
        raise PromotionError(f"{where}: the mode is not simply written as `{SHADOW}`: change it by hand")
    return token.replaced(ENFORCE)


def _added_mode(editor: TextEditor, rule: RuleDocument) -> Edit:
    """`mode: enforce` behind the id, in a rule whose file is in shadow mode."""
    token = editor.token_at(rule.id.at, rule.id.text)
    if token is None:
        where = f"{rule.id.file}:{rule.id.line}:{rule.id.column}"
        raise PromotionError(f"{where}: the id is written in an unusual way: add `mode: {ENFORCE}` by hand")
    if editor.character_at(rule.at) == "{":
        return Edit(token.end, token.end, f", mode: {ENFORCE}")
    return editor.line_added_below(token.end, rule.at.column, f"mode: {ENFORCE}")


def _check(document: PolicyDocument, before: bytes, after: bytes, ids: Collection[str]) -> None:
    """Whether `after` says what `before` does, but for the mode of these rules."""
    expected, found = _read(document.file, before), _read(document.file, after)
    if _without_modes(expected) != _without_modes(found) or _shadowed(after) != _shadowed(before) - set(ids):
        raise PromotionError(f"{document.file}: the modes cannot be changed in place: change them by hand")


def _read(file: str, data: bytes) -> Node | None:
    problems = Problems()
    node = node_from_bytes(file, data, problems)
    return None if len(problems) else node


def _shadowed(data: bytes) -> set[str]:
    document, problems = document_from_bytes("", data)
    if document is None or problems:
        raise PromotionError("the edited file cannot be read: change the modes by hand")
    return {rule.id.text for rule in _shadow_rules(document)}


def _without_modes(node: Node | None) -> object:
    tree = None if node is None else plain_from_node(node)
    if isinstance(tree, dict):
        rules = tree.get("rules")
        tree = {key: value for key, value in tree.items() if key != "mode"}
        if isinstance(rules, list):
            tree["rules"] = [_without_mode(rule) for rule in rules]
    return tree


def _without_mode(rule: object) -> object:
    return {key: value for key, value in rule.items() if key != "mode"} if isinstance(rule, dict) else rule
