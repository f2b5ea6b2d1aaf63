"""Which rows and columns of a derivation are shown: modules folded, repeats told once, some steps only."""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shapeproof.derivation.model import Derivation, ReceptiveField, Step
from shapeproof.dims import Dim
from shapeproof.errors import UsageError
from shapeproof.records import dataclass
from shapeproof.render.folding import Group, folded, likeness, owner
from shapeproof.render.words import COLUMNS, count_text, left_out, row, shape_text, shown_steps

LEAST_BLOCKS = 3  # modules that are alike, before they become one row
_WORST = ("mismatch", "failed", "unsupported", "proved")


@dataclass(frozen=True)
class View:
    """What to show of a derivation.

    Attributes:
        depth: modules deeper than this are one row each, several that are alike one together; ``None`` for every step.
        only: patterns of module paths or operations, such as ``layer1`` or ``conv2d``; none for all.
        columns: which columns, by name.
        whole: whether blocks that are alike are all shown.
    """

    depth: int | None = None
    only: tuple[str, ...] = ()
    columns: tuple[str, ...] = COLUMNS
    whole: bool = False

    def __post_init__(self) -> None:
        there = (*COLUMNS, *_MORE, "kept")
        unknown = [name for name in self.columns if name not in there]
        if unknown:
            raise UsageError(f"no column is called {', '.join(unknown)}; there are {', '.join(there)}")
        if self.depth is not None and self.depth < 1:
            raise UsageError(f"--depth {self.depth}: a depth is at least 1")


@dataclass(frozen=True)
class Row:
    """One row: its cells in the order of the columns, and the verdict that it stands for."""

    cells: tuple[str, ...]
    verdict: str


def rows(derivation: Derivation, view: View) -> list[Row]:
    """The rows of a derivation's table.

    Raises:
        UsageError: if no step matches ``only``.
    """
    steps = _wanted(derivation.steps, view.only)
    if view.only and not steps:
        raise UsageError(f"--only {' '.join(view.only)}: no module or operation matches")
    if view.depth is not None:
        return list(_block_rows(_by_module(steps, view.depth), derivation, view))
    if left_out(derivation) and not view.whole and not view.only:
        words = Row(tuple(left_out(derivation) if name == "arithmetic" else "" for name in view.columns), "proved")
        return [words, *(_step_row(step, derivation, view) for step in shown_steps(derivation)[1])]
    groups = [Group(0, len(steps))] if view.whole or view.only or not steps else folded(steps)
    return [made for group in groups for made in _group_rows(steps, group, derivation, view)]


def _wanted(steps: Sequence[Step], only: tuple[str, ...]) -> list[Step]:
    """The steps in modules of these names; where a pattern names no module, those of operations of its name."""
    if not only:
        return list(steps)
    found: set[int] = set()
    for glob in only:
        inside = {step.index for step in steps for end in ("", ".*") if fnmatch.fnmatchcase(step.module, glob + end)}
        found |= inside or {step.index for step in steps if fnmatch.fnmatchcase(step.op, glob)}
    return [step for step in steps if step.index in found]


def _by_module(steps: Sequence[Step], depth: int) -> list[list[Step]]:
    """Steps in a row whose modules agree up to a depth; what the model itself calls stands alone."""
    blocks: list[list[Step]] = []
    for step in steps:
        if blocks and step.module and _upto(step, depth) == _upto(blocks[-1][0], depth):
            blocks[-1].append(step)
        else:
            blocks.append([step])
    return blocks


def _block_rows(blocks: Sequence[Sequence[Step]], derivation: Derivation, view: View) -> Iterator[Row]:
    """A row for each module; one for all of several that follow one another, are alike and are numbered on."""
    for _, run in itertools.groupby(blocks, key=lambda block: tuple(map(likeness, block))):
        several = list(run)
        made = [_step_row(b[0], derivation, view) if len(b) == 1 else _block_row(b, derivation, view) for b in several]
        name = _range([owner(block) for block in several])
        if view.whole or len(several) < LEAST_BLOCKS or not name:
            yield from made
        else:
            yield _together(made, name, view)


def _together(several: Sequence[Row], name: str, view: View) -> Row:
    """Modules that are alike as one row: its figures are those of each, its receptive field the last one's."""
    cells = dict(zip(view.columns, several[-1].cells, strict=True))
    cells["module"] = f"{name}, each"
    return Row(tuple(cells[column] for column in view.columns), several[-1].verdict)


def _upto(step: Step, depth: int) -> str:
    return ".".join(step.module.split(".")[:depth])


def _group_rows(steps: Sequence[Step], group: Group, derivation: Derivation, view: View) -> Iterator[Row]:
    block = steps[group.start : group.start + group.length]
    if group.times == 1:
        yield from (_step_row(step, derivation, view) for step in block)
        return
    begins = range(group.start, group.start + group.length * group.times, group.length)
    names = [owner(steps[begin : begin + group.length]) for begin in begins]
    together = _range(names)
    words = {
        "module": together or "(model)",
        "operation": f"x{group.times}",
        "arithmetic": f"the next {group.length} steps run {group.times} times alike",
    }
    yield Row(tuple(words.get(name, "") for name in view.columns), "proved")
    for step in block:
        made = _step_row(step, derivation, view)
        place = f"{together}{step.module[len(names[0]) :]}" if together else step.module or "(model)"
        cells = (place if name == "module" else cell for name, cell in zip(view.columns, made.cells, strict=True))
        yield Row(tuple(cells), made.verdict)


def _range(names: Sequence[str]) -> str:
    """``layer1.[0-2]`` for ``layer1.0``, ``layer1.1``, ``layer1.2``; ``""`` where names have no such form."""
    parts = [re.fullmatch(r"(.*?)(\d+)(\D*)", name) for name in names]
    found = [(part[1], int(part[2]), part[3]) for part in parts if part]
    alike = len(found) == len(names) and len({(head, tail) for head, _, tail in found}) == 1
    if not alike or [n for _, n, _ in found] != list(range(found[0][1], found[0][1] + len(found))):
        return ""
    return f"{found[0][0]}[{found[0][1]}-{found[-1][1]}]{found[0][2]}"


def _step_row(step: Step, derivation: Derivation, view: View) -> Row:
    cells = dict(zip(COLUMNS, row(step, derivation), strict=True))
    shown = (cells[name] if name in cells else _more(name, step, derivation) for name in view.columns)
    return Row(tuple(shown), step.verdict)


def _more(name: str, step: Step, derivation: Derivation) -> str:
    return _kept([step], derivation) if name == "kept" else _MORE[name](step)


def _kept(block: Sequence[Step], derivation: Derivation) -> str:
    """What backward keeps of some steps; for a step at which PyTorch keeps something else, that as well."""
    found = derivation.kept
    if found.trouble:
        return "unknown"
    text = count_text(_sum([found.steps[step.index] for step in block]))
    different = any(step.index in found.differing for step in block)
    return f"{text} (PyTorch {count_text(_sum([found.pytorch[s.index] for s in block]))})" if different else text


def _block_row(block: Sequence[Step], derivation: Derivation, view: View) -> Row:
    """A module's steps as one row."""
    first, last = block[0], block[-1]
    verdict = next(kind for kind in _WORST if any(step.verdict == kind for step in block))
    proved = sum(step.verdict == "proved" for step in block)
    given = shape_text(first.inputs[0]) if first.inputs else ""
    cells = {
        "module": owner(block) or _upto(first, 1),
        "operation": f"{len(block)} steps",
        "arithmetic": f"{given} -> {shape_text(last.output)}",
        "output": shape_text(last.output),
        "PyTorch": "✓" if verdict == "proved" else f"{proved} of {len(block)}",
        "source": first.source,
        "inputs": given,
        "parameters": count_text(sum(step.cost.parameters for step in block)),
        "macs": count_text(_sum([step.cost.macs for step in block])),
        "flops": count_text(_sum([step.cost.flops for step in block])),
        "bytes": count_text(sum(step.cost.activation_bytes for step in block)),
        "field": _field(last.receptive_field),
    }
    cells |= {"kept": _kept(block, derivation)} if "kept" in view.columns else {}
    return Row(tuple(cells.get(name, "") for name in view.columns), verdict)


def _sum(counts: list[int | None]) -> int | None:
    """A total; unknown where one part is."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _field(seen: ReceptiveField | None) -> str:
    """A receptive field: its size, how far its neighbour's is, and where the first begins."""
    if seen is None:
        return "-"
    sides = [_sides(part) for part in (seen.size, seen.stride, seen.start)]
    return f"{sides[0]} every {sides[1]} from {sides[2]}"


def _sides(values: tuple[Any, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values))


def _short(text: str) -> str:
    """A place in the code without the folders before it."""
    return re.sub(r"^.*[/\\]", "", text)


def _count(value: int | None) -> str:
    return str(value) if isinstance(value, Dim) else count_text(value)


# columns beside the usual ones
_MORE: dict[str, Callable[[Step], str]] = {
    "formula": lambda step: step.formula,
    "inputs": lambda step: ", ".join(map(shape_text, step.inputs)),
    "source": lambda step: _short(step.source),
    "parameters": lambda step: count_text(step.cost.parameters),
    "macs": lambda step: _count(step.cost.macs),
    "flops": lambda step: _count(step.cost.flops),
    "bytes": lambda step: _count(step.cost.activation_bytes),
    "field": lambda step: _field(step.receptive_field),
    "requires": lambda step: ", ".join(str(condition.relation) for condition in step.requires),
}
