"""A derivation as a Mermaid flow chart, which GitHub and many wikis draw from Markdown."""

from __future__ import annotations

from shapeproof.derivation.model import Derivation
from shapeproof.render.graph import Graph, Node, graph
from shapeproof.render.words import title

# what would end a label, begin markup within it, or be taken for the start of an entity
_CODES = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"}
_LOOKS = {
    "given": "fill:#eceff4,stroke:#5c6675,color:#1d2430",
    "proved": "fill:#e4f3ea,stroke:#14693d,color:#1d2430",
    "unsupported": "fill:#fdf1d8,stroke:#8a5a00,color:#1d2430",
    "failed": "fill:#fbe6e4,stroke:#b3261e,color:#1d2430",
    "mismatch": "fill:#fbe6e4,stroke:#b3261e,color:#1d2430",
}


def render(derivation: Derivation) -> str:
    """A ``flowchart`` from top to bottom, a subgraph for each block that repeats."""
    found = graph(derivation)
    lines = ["---", f"title: {_quoted(title(derivation))}", "---", "flowchart TD", *_boxes(found)]
    lines += [f"  {a} --> {b}" for a, b in found.arrows]
    used = {node.verdict for cluster in found.clusters for node in cluster.nodes}
    lines += [f"  classDef {name} {look}" for name, look in _LOOKS.items() if name in used]
    return "\n".join(lines) + "\n"


def _boxes(found: Graph) -> list[str]:
    lines: list[str] = []
    for place, cluster in enumerate(found.clusters):
        inside = [f"  {_box(node)}" for node in cluster.nodes]
        if cluster.title:
            inside = [f"  subgraph g{place} [{_label((cluster.title,))}]", *(f"  {line}" for line in inside), "  end"]
        lines += inside
    return lines


def _box(node: Node) -> str:
    return f"{node.name}[{_label(node.lines)}]:::{node.verdict}"


def _label(lines: tuple[str, ...]) -> str:
    return '"' + "<br>".join("".join(_CODES.get(c, c) for c in line).replace("\n", " ") for line in lines) + '"'


def _quoted(text: str) -> str:
    """A YAML string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
