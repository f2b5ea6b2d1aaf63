"""The results of a check as text, JSON, SARIF 2.1.0 and GitHub annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shapeproof import __version__
from shapeproof.checks.check import Problem, Result
from shapeproof.files import near
from shapeproof.render.words import domain_text, shape_text

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_text(results: Sequence[Result], width: int) -> str:
    """One line a target, then the explanation of each that failed to run."""
    broad = max(len(result.target.name) for result in results)
    lines = [f"{result.status:<8} {result.target.name:<{broad}}  {_line(result)}" for result in results]
    for result in results:
        derivation = result.derivation
        if derivation is not None and derivation.diagnosis is not None:
            lines += ["", f"{result.target.name}:", derivation.to_text(width).rstrip()]
        else:
            rest = result.problems[_told(result) :]
            lines += [f"  {result.target.name}: {found.level}: {found.code}: {found.message}" for found in rest]
    return near("\n".join(lines)) + "\n"


def _told(result: Result) -> int:
    """How many problems the target's own line has told already."""
    return 1 if result.status != "ok" else 0


def _line(result: Result) -> str:
    derivation = result.derivation
    if result.status != "ok" or derivation is None:
        first = result.problems[0]
        return f"{first.code}: {first.message}"
    proved = sum(step.verdict == "proved" for step in derivation.steps)
    told = f"{derivation.verdict}: {proved} of {len(derivation.steps)} steps, output {shape_text(derivation.output)}"
    return told if derivation.domain is None else f"{told}, {domain_text(derivation.domain)}"


def as_json(results: Sequence[Result]) -> str:
    """A list of one object a target."""
    return json.dumps([_plain(result) for result in results], indent=2, ensure_ascii=False) + "\n"


def _plain(result: Result) -> dict[str, Any]:
    derivation = result.derivation
    return {
        "target": result.target.name,
        "model": result.target.model,
        "status": result.status,
        "problems": [vars(problem) for problem in result.problems],
        "derivation": None if derivation is None else derivation.to_dict(),
    }


def as_sarif(results: Sequence[Result]) -> str:
    """SARIF 2.1.0, as code scanning services read it."""
    pairs = [(result, problem) for result in results for problem in result.problems]
    rules = [{"id": code} for code in dict.fromkeys(problem.code for _, problem in pairs)]
    run = {
        "tool": {"driver": {"name": "shapeproof", "version": __version__, "rules": rules}},
        "results": [_sarif_result(result, problem) for result, problem in pairs],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _sarif_result(result: Result, problem: Problem) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": _uri(problem.file)},
        "region": {"startLine": problem.line},
    }
    return {
        "ruleId": problem.code,
        "level": problem.level,
        "message": {"text": near(f"{result.target.name}: {problem.message}{_first_fix(result, problem)}")},
        "locations": [{"physicalLocation": place}],
    }


def as_github(results: Sequence[Result]) -> str:
    """GitHub's workflow commands: each problem is shown at its line of the pull request."""
    lines = [
        f"::{problem.level} file={_value(_uri(problem.file))},line={problem.line},title={_value(problem.code)}::"
        + _escaped(near(f"{result.target.name}: {problem.message}{_first_fix(result, problem)}"))
        for result in results
        for problem in result.problems
    ]
    lines += [f"{result.status:<8} {result.target.name}" for result in results]
    return "\n".join(lines) + "\n"


def _first_fix(result: Result, problem: Problem) -> str:
    found = result.derivation.diagnosis if result.derivation else None
    if found is None or problem.code != found.code or not found.fixes:
        return ""
    return f". {found.fixes[0].text}"


def _uri(file: str) -> str:
    """A path from the working folder where it lies below it, with forward slashes."""
    return Path(near(file)).as_posix()


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _value(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
