"""Deriving one target and holding it against what is expected of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from shapeproof.checks.table import Target
from shapeproof.derivation.derive import derive
from shapeproof.derivation.inputs import likely
from shapeproof.derivation.model import Derivation
from shapeproof.errors import UsageError
from shapeproof.models.target import load
from shapeproof.render.words import shape_text

Status = Literal["ok", "failed", "unusable"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        code: the diagnosis's or warning's code, or ``output``, ``domain``, ``parameters``, ``not-proved``,
            ``mismatch``, ``raises`` or ``unusable``.
        message: one sentence.
        file: the file in which to look, as it was found.
        line: the line in it.
        level: ``"error"``, or ``"warning"`` for what runs and is still almost surely wrong.
    """

    code: str
    message: str
    file: str
    line: int
    level: Literal["error", "warning"] = "error"


@dataclass(frozen=True)
class Result:
    """What came of one target."""

    target: Target
    status: Status
    problems: tuple[Problem, ...]
    derivation: Derivation | None = None


def check(target: Target, config: Path) -> Result:
    """Derive a target and compare. Nothing is raised for a target's own fault: that is the result.

    Args:
        target: what to check.
        config: the file that lists it; paths of models are read from its folder.
    """

    def problem(code: str, message: str, status: Status = "failed") -> Result:
        return Result(target, status, (Problem(code, message, str(config), target.line),))

    try:
        model = _load(target, config.parent)
        inputs = target.inputs if target.inputs or target.keywords else (likely(model),)
        derivation = derive(model, *inputs, **target.keywords)
    except UsageError as error:
        return problem("unusable", str(error), "unusable")
    except Exception as error:  # noqa: BLE001  # the model's own: told, and the other targets go on
        return problem("raises", f"raises {type(error).__name__}: {error}")
    problems = [*_of_derivation(target, derivation, config), *_of_warnings(derivation, config, target)]
    wrong = any(found.level == "error" for found in problems)
    return Result(target, "failed" if wrong else "ok", tuple(problems), derivation)


def _load(target: Target, folder: Path) -> Any:
    place, colon, name = target.model.rpartition(":")
    path = str(folder / place) if place.endswith(".py") else place
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # a package beside the file, as a test runner finds it
    model = load(f"{path}{colon}{name}", target.settings)
    return model.train(target.train) if isinstance(model, nn.Module) else model


def _of_derivation(target: Target, derivation: Derivation, config: Path) -> list[Problem]:
    def here(code: str, message: str) -> Problem:
        return Problem(code, message, str(config), target.line)

    found = derivation.diagnosis
    if found is not None:
        return [Problem(found.code, found.message, *place(found.step.source, config, target))]
    if derivation.verdict == "mismatch":
        return [here("mismatch", "a rule disagrees with PyTorch: a mistake in shapeproof, please report it")]
    problems = []
    if target.proved and derivation.verdict != "proved":
        names = sorted({step.op for step in derivation.steps if step.verdict == "unsupported"})
        problems.append(here("not-proved", f"not every step is proved: no rule for {', '.join(names)}"))
    output = shape_text(derivation.output)
    if target.output is not None and _bare(target.output) != _bare(output):
        problems.append(here("output", f"expected output {target.output}, got {output}"))
    domain = "any size" if derivation.domain is None else str(derivation.domain)
    if target.domain is not None and _parts(target.domain) != _parts(domain):
        problems.append(here("domain", f"expected to work for {target.domain}, works for {domain}"))
    most = target.max_parameters
    if most is not None and derivation.cost.parameters > most:
        problems.append(here("parameters", f"{derivation.cost.parameters:,} parameters, more than {most:,}"))
    return problems


def _of_warnings(derivation: Derivation, config: Path, target: Target) -> list[Problem]:
    return [
        Problem(warning.code, warning.message, *place(warning.step.source, config, target), level="warning")
        for warning in derivation.warnings
    ]


def place(source: str, config: Path, target: Target) -> tuple[str, int]:
    """File and line of a step; those of the target where no user code was on the stack."""
    file, _, number = source.rpartition(":")
    return (file, int(number)) if file and number.isdigit() else (str(config), target.line)


def _bare(text: str) -> str:
    return "".join(text.split())


def _parts(domain: str) -> list[str]:
    """The conditions of a domain without regard to spaces and order."""
    return sorted(_bare(part) for part in domain.split(","))
