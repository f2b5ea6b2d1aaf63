"""A derivation in Graphviz's language: ``dot -Tsvg`` and many other tools draw it."""

from __future__ import annotations

from shapeproof.derivation.model import Derivation
from shapeproof.render.graph import Node, graph
from shapeproof.render.words import title

_LOOKS = {
    "given": ("#eceff4", "#5c6675"),
    "proved": ("#e4f3ea", "#14693d"),
    "unsupported": ("#fdf1d8", "#8a5a00"),
    "failed": ("#fbe6e4", "#b3261e"),
    "mismatch": ("#fbe6e4", "#b3261e"),
}


def render(derivation: Derivation) -> str:
    """A ``digraph`` from top to bottom, a cluster for each block that repeats."""
    found = graph(derivation)
    lines = [
        "digraph derivation {",
        f"  graph [label={_quoted((title(derivation),))}, labelloc=t, fontname=Helvetica, rankdir=TB];",
        "  node [shape=box, style=filled, fontname=Helvetica, fontsize=11];",
    ]
    for place, cluster in enumerate(found.clusters):
        boxes = [f"  {_box(node)}" for node in cluster.nodes]
        if cluster.title:
            head = [f"  subgraph cluster_{place} {{", f"    label={_quoted((cluster.title,))};"]
            boxes = [*head, *(f"  {box}" for box in boxes), "  }"]
        lines += boxes
    lines += [f"  {a} -> {b};" for a, b in found.arrows]
    return "\n".join([*lines, "}"]) + "\n"


def _box(node: Node) -> str:
    fill, edge = _LOOKS[node.verdict]
    return f'{node.name} [label={_quoted(node.lines)}, fillcolor="{fill}", color="{edge}"];'


def _quoted(lines: tuple[str, ...]) -> str:
    """A quoted string of several lines, in which no character means more than itself."""
    plain = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    return '"' + "\\n".join(plain) + '"'
