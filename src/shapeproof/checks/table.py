"""``[tool.shapeproof.targets]`` of ``pyproject.toml``: which models to derive, and what is expected of each."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shapeproof.errors import UsageError
from shapeproof.models.target import BUILT_IN

EXAMPLE = '[tool.shapeproof.targets.net]\nmodel = "net.py:Net"\ninputs = ["N,1,28,28"]\noutput = "(N, 10)"'
KINDS: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "inputs": (str, list, dict),
    "set": (dict,),
    "output": (str, list),
    "domain": (str,),
    "train": (bool,),
    "proved": (bool,),
    "max-parameters": (int,),
}


@dataclass(frozen=True)
class Target:
    """One model to check.

    Attributes:
        name: its name in the table.
        model: as on the command line: a built-in name, ``FILE.py:NAME`` or ``PACKAGE.MODULE:NAME``.
        inputs: specs of the positional inputs; without any a likely one is taken.
        keywords: specs of the keyword inputs.
        settings: constructor arguments.
        output: the shapes expected to come out, as text; ``None`` where any will do.
        domain: the sizes for which it is expected to run, as text; ``None`` likewise.
        train: derive in training mode.
        proved: every step must be proved; a step without a rule is then a failure.
        max_parameters: the most parameters that it may have.
        line: its line in the file.
    """

    name: str
    model: str
    inputs: tuple[str, ...]
    keywords: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None
    domain: str | None = None
    train: bool = False
    proved: bool = False
    max_parameters: int | None = None
    line: int = 1


def find(start: Path) -> Path:
    """The ``pyproject.toml`` of a folder, or the nearest one above. Raises :class:`UsageError` if there is none."""
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file():
            return folder / "pyproject.toml"
    raise UsageError(
        f"there is no pyproject.toml in {start} or above it; check reads its targets from there:\n{EXAMPLE}"
    )


def read(path: Path) -> list[Target]:
    """Every target of a file's table, in its order.

    Raises:
        UsageError: if the file cannot be read, has no table of targets, or one of them makes no sense.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    targets = table.get("tool", {}).get("shapeproof", {}).get("targets")
    if not isinstance(targets, dict) or not targets:
        raise UsageError(f"{path}: has no [tool.shapeproof.targets]; a target looks like this:\n{EXAMPLE}")
    return [_target(path, text, name, given) for name, given in targets.items()]


def chosen(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    """The targets of these names, or all where none is given.

    A model that the table does not list may be named as on the command line; it is expected to run, no more.

    Raises:
        UsageError: for a name that is neither.
    """
    known = {target.name: target for target in targets}
    for name in names:
        if name not in known and not is_model(name):
            raise UsageError(f"no target is called {name!r}; the table has {', '.join(known)}")
    return [known.get(name, Target(name, name, ())) for name in names] if names else list(targets)


def is_model(name: str) -> bool:
    """Whether a name is that of a model itself, as ``derive`` takes it."""
    return name in BUILT_IN or ":" in name


def _target(path: Path, text: str, name: str, given: Any) -> Target:
    where = f"{path}: target {name!r}"
    if isinstance(given, str):  # the short form: name = "SPEC", where the name is the model's own
        given = {"inputs": given}
    if not isinstance(given, dict):
        raise UsageError(f"{where}: write it as a table:\n{EXAMPLE}")
    for key, value in given.items():
        _check_key(where, key, value)
    if "inputs" not in given:
        raise UsageError(f'{where}: has no inputs; give inputs = ["N,1,28,28"]')
    inputs = given["inputs"]
    keywords = inputs if isinstance(inputs, dict) else {}
    listed = [inputs] if isinstance(inputs, str) else [] if keywords else inputs
    if not all(isinstance(spec, str) for spec in (*listed, *keywords.values())) or not (listed or keywords):
        raise UsageError(f'{where}: inputs are specs in quotation marks, such as "N,1,28,28"')
    return Target(
        name, given.get("model", name), tuple(listed), keywords, given.get("set", {}),
        _shape_text(given.get("output")), given.get("domain"), given.get("train", False), given.get("proved", False),
        given.get("max-parameters"), _line(text, name),
    )  # fmt: skip


def _check_key(where: str, key: str, value: Any) -> None:
    if key not in KINDS:
        near = difflib.get_close_matches(key, KINDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(KINDS)}"
        raise UsageError(f"{where}: {key!r} is no key of a target; {hint}")
    if not isinstance(value, KINDS[key]) or (isinstance(value, bool) and bool not in KINDS[key]):
        names = {str: "text", list: "a list", dict: "a table", bool: "true or false", int: "a number"}
        raise UsageError(f"{where}: {key} is {' or '.join(names[kind] for kind in KINDS[key])}, not {value!r}")


def _shape_text(output: Any) -> str | None:
    """An expected output as the derivation writes it: ``["N", 10]`` is ``(N, 10)``; a list of lists is several."""
    if output is None or isinstance(output, str):
        return output
    if any(isinstance(part, list) for part in output):
        return ", ".join(str(_shape_text(part)) for part in output)
    return "(" + ", ".join(map(str, output)) + ("," if len(output) == 1 else "") + ")"


def _line(text: str, name: str) -> int:
    """The line of a target's header, for annotations; 1 where it is written in another way."""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.replace(" ", "").replace('"', "").replace("'", "")
        if bare.startswith((f"[tool.shapeproof.targets.{name}]", f"{name}=")):
            return number
    return 1
