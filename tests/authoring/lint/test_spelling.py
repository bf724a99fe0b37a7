"""A rule that can never match, as its author meant a pattern or another word, is not called fine."""

import pytest

from tests.authoring.lint.linted import codes, findings


def rule(to: str) -> str:
    return f"rules:\n  - {{id: a, deny: anyone, to: {to}}}\n"


@pytest.mark.parametrize(
    "path",
    ["/admin/.+", "/admin/[a-z]+", "/admin/(a|b)", "/admin/:id", "/admin/<id>", "/admin/a$", "/^a", "/:a"],
)
def test_a_path_that_looks_like_a_pattern_of_another_kind_is_found(path: str) -> None:
    assert codes(rule(f'{{paths: ["{path}"]}}')) == ["path_literal"]
    named = f'routes:\n  r: {{paths: ["{path}"]}}\n' + rule("r")
    assert codes(named) == ["path_literal"]


@pytest.mark.parametrize("path", ["/a", "/a/*", "/a/{id}/**", "/a/b.json", "/a:b", "/a,b=c", "/a/~b/@c", "/caf%C3%A9"])
def test_an_ordinary_path_is_fine(path: str) -> None:
    assert codes(rule(f'{{paths: ["{path}"]}}')) == []


@pytest.mark.parametrize(("method", "hint"), [("DELET", "did you mean `DELETE`?"), ("FROB", "leave it")])
def test_a_method_that_is_not_registered_is_found_with_the_one_that_is_near(method: str, hint: str) -> None:
    (found,) = findings(rule(f"{{methods: [{method}, PROPFIND, QUERY]}}"))
    assert (str(found.code), hint in found.hint) == ("method_unusual", True)
    assert f"`{method}`" in found.message
