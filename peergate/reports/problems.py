"""Problems of a policy and findings about it: as text, JSON, SARIF, and annotations of GitHub Actions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Final
from urllib.parse import quote

from rich.text import Text

from peergate.console import styled
from peergate.version import version
from policies.authoring.lint.finding import Finding, LintCode, Severity
from policies.language.codes import Code
from policies.language.problem import Problem

_SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
#: Annotation values and properties: what GitHub's runner unescapes.
_GITHUB_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_GITHUB_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})
#: What a finding is for GitHub, which has no notes.
_GITHUB_LEVELS = {Severity.WARNING: "warning", Severity.NOTE: "notice"}
_COLOURS = {Severity.WARNING: "yellow", Severity.NOTE: "blue"}


def problem_text(problem: Problem | Finding) -> Text:
    """`file:line:column: code: message (hint)`, coloured where the console colours; of a finding with its severity."""
    at = problem.at
    severity = problem.code.severity if isinstance(problem, Finding) else None
    parts: list[str | tuple[str, str]] = [
        (f"{at.file}:{at.line}:{at.column}: ", "bold"),
        (f"{severity}: " if severity else "", ""),
        (problem.code, _COLOURS[severity] if severity else "red"),
        f": {problem.message}",
    ]
    if problem.hint:
        parts.append((f" ({problem.hint})", "cyan"))
    return styled(*parts)


def problem_object(problem: Problem) -> dict[str, object]:
    """One problem for JSON; line and column from 1, 0 = the file as a whole."""
    at = problem.at
    return {
        "file": at.file,
        "line": at.line,
        "column": at.column,
        "code": str(problem.code),
        "message": problem.message,
        "hint": problem.hint,
    }


def finding_object(finding: Finding) -> dict[str, object]:
    """One finding for JSON: as a problem, with its severity."""
    at, code = finding.at, finding.code
    found = problem_object(Problem(at, code, finding.message, finding.hint))
    return {"severity": code.severity.value, **found}


def github_from_problems(problems: Iterable[Problem | Finding]) -> Iterable[str]:
    """Workflow commands that annotate the lines of a pull request."""
    for problem in problems:
        hint = f" ({problem.hint})" if problem.hint else ""
        level = _GITHUB_LEVELS[problem.code.severity] if isinstance(problem, Finding) else "error"
        at = problem.at
        yield github_annotation(level, at.file, at.line, at.column, problem.code, f"{problem.message}{hint}")


def github_annotation(level: str, file: str, line: int, column: int, title: str, message: str) -> str:
    """One workflow command; `level` is error, warning or notice. Line and column 0 are left out."""
    properties = {"file": file, "line": line or None, "col": column or None, "title": title}
    said = ",".join(f"{name}={str(value).translate(_GITHUB_PROPERTY)}" for name, value in properties.items() if value)
    return f"::{level} {said}::{message.translate(_GITHUB_MESSAGE)}"


def sarif_from_problems(problems: Sequence[Problem | Finding]) -> str:
    """A SARIF 2.1.0 log (OASIS) of one run; also with no problem, as uploads close what is no longer found."""
    run = {
        "tool": {
            "driver": {
                "name": "peergate",
                "semanticVersion": version(),
                "informationUri": "https://github.com/peergate/peergate",
                "rules": [_sarif_rule(code) for code in sorted({str(problem.code) for problem in problems})],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(problem) for problem in problems],
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _sarif_rule(code: str) -> Mapping[str, object]:
    meaning = next((known.meaning for known in (*Code, *LintCode) if known == code), code)
    return {"id": code, "shortDescription": {"text": meaning}}


def _sarif_result(problem: Problem | Finding) -> Mapping[str, object]:
    hint = f" ({problem.hint})" if problem.hint else ""
    place: dict[str, object] = {"artifactLocation": {"uri": _uri(problem.at.file)}}
    if problem.at.line:
        place["region"] = {"startLine": problem.at.line, "startColumn": max(problem.at.column, 1)}
    return {
        "ruleId": str(problem.code),
        "level": problem.code.severity.value if isinstance(problem, Finding) else "error",
        "message": {"text": f"{problem.message}{hint}"},
        "locations": [{"physicalLocation": place}],
    }


def _uri(file: str) -> str:
    path = PurePath(file)
    return f"file://{quote(str(path))}" if path.is_absolute() else quote(str(path))
