"""Two derivations beside each other, as a table in plain text or on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from shapeproof.derivation.compare import Pair, lined_up, parting
from shapeproof.derivation.model import Derivation, Step
from shapeproof.files import near
from shapeproof.render.words import count_text, shape_text, title

KEPT = 2  # rows that are alike and shown before and after a difference


def renderables(first: Derivation, second: Derivation) -> Iterator[Any]:
    """The table, in which stretches that are alike are one row, then where the two part and which totals differ."""
    pairs = lined_up(first, second)
    table = Table(title=Text(f"A: {title(first)}\nB: {title(second)}"), title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("module", "operation", "A", "B", ""):
        table.add_column(name, overflow="fold")
    for cells in _rows(pairs):
        table.add_row(*map(Text, cells))
    yield table
    yield from map(Text, summary(first, second, pairs))


def _rows(pairs: Sequence[Pair]) -> Iterator[tuple[str, ...]]:
    for alike, group in groupby(pairs, lambda pair: pair.alike):
        found = list(group)
        if not alike or len(found) <= 2 * KEPT + 1:
            yield from map(_row, found)
            continue
        yield from map(_row, found[:KEPT])
        yield "...", f"{len(found) - 2 * KEPT} steps alike", "", "", ""
        yield from map(_row, found[-KEPT:])


def _row(pair: Pair) -> tuple[str, ...]:
    step = pair.first or pair.second
    assert step is not None
    mark = "" if pair.alike else "≠" if pair.first and pair.second else "only A" if pair.first else "only B"
    return step.module or "(model)", step.op, _output(pair.first), _output(pair.second), mark


def _output(step: Step | None) -> str:
    if step is None:
        return ""
    return "fails" if step.verdict == "failed" else shape_text(step.output)


def summary(first: Derivation, second: Derivation, pairs: Sequence[Pair]) -> list[str]:
    """Where two derivations part, and which of their totals differ."""
    apart = parting(pairs)
    lines = [f"alike: all {len(pairs)} steps"] if apart is None else [_apart(apart)]
    facts = [
        ("verdict", first.verdict, second.verdict),
        ("output", shape_text(first.output), shape_text(second.output)),
        ("parameters", count_text(first.cost.parameters), count_text(second.cost.parameters)),
        ("multiply-adds", count_text(first.cost.macs), count_text(second.cost.macs)),
        ("works for", str(first.domain), str(second.domain)),
    ]
    return lines + [f"{name}: {a} in A, {b} in B" for name, a, b in facts if a != b]


def _apart(pair: Pair) -> str:
    step = pair.first or pair.second
    assert step is not None
    where = f"they part at {step.module or 'the model'} ({step.op})" + (f", {near(step.source)}" if step.source else "")
    if pair.first is None or pair.second is None:
        return f"{where}: only in {'A' if pair.first else 'B'}"
    return f"{where}: {_output(pair.first)} in A, {_output(pair.second)} in B"
