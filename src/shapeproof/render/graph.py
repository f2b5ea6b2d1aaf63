"""A derivation as a graph of boxes and arrows: what Mermaid and Graphviz draw."""

from __future__ import annotations

from collections.abc import Iterator

from shapeproof.derivation.model import Derivation
from shapeproof.records import dataclass
from shapeproof.render.outline import Shown, shown_rows
from shapeproof.render.words import MARKS, arithmetic_text, shape_text


@dataclass(frozen=True)
class Node:
    """One box.

    Attributes:
        name: letters and digits only, unique in the graph.
        lines: what stands in it.
        verdict: of its step; ``"given"`` for an input.
    """

    name: str
    lines: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class Cluster:
    """Nodes that stand together: a block that repeats, under its title, or (without one) a single stretch."""

    title: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Graph:
    """Boxes, in the order of running, and arrows between their names."""

    clusters: tuple[Cluster, ...]
    arrows: tuple[tuple[str, str], ...]


def graph(derivation: Derivation) -> Graph:
    """The graph of a derivation; blocks that repeat are drawn once."""
    rows = shown_rows(derivation)
    arrows = tuple((source, row.name) for row in rows for source in row.feeds)
    return Graph(tuple(_clusters(rows, derivation)), arrows)


def _clusters(rows: list[Shown], derivation: Derivation) -> Iterator[Cluster]:
    title, left = "", 0
    nodes: list[Node] = []
    for row in rows:
        if row.group or (title and not left):
            if nodes:
                yield Cluster(title, tuple(nodes))
            title, nodes = "", []
        if row.group:
            group, names = row.group
            title, left = _title(group.times, names), group.length
        left -= 1
        nodes.append(Node(row.name, _lines(row, derivation), row.step.verdict if row.step else "given"))
    if nodes:
        yield Cluster(title, tuple(nodes))


def _title(times: int, names: tuple[str, ...]) -> str:
    return f"{times} times" + (f": {names[0]} ... {names[-1]}" if names else "")


def _lines(row: Shown, derivation: Derivation) -> tuple[str, ...]:
    step = row.step
    if step is None:
        return ("input", shape_text(row.shape))
    head = f"{step.op} {step.module}".strip()
    shape = shape_text(step.output)
    told = arithmetic_text(step, derivation)
    return (head, *([told] if told and told != shape else []), f"{shape} {MARKS[step.verdict]}")
