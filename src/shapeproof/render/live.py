"""Sizes on a page that follow its sliders: each is a number, and behind it the expression that the script evaluates."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Dim
from shapeproof.dims.conditions import Relation
from shapeproof.dims.expr import Poly
from shapeproof.dims.trees import Tree, of_poly, of_relation
from shapeproof.render.mathml import brackets


class Live:
    """The expressions and conditions of one page, each kept once."""

    def __init__(self) -> None:
        self._places: dict[Poly, int] = {}
        self._trees: list[Tree] = []
        self._relations: dict[Relation, int] = {}

    def place(self, size: int) -> int | None:
        """Where the expression of a size stands in the page's table; ``None`` for a plain number."""
        if not isinstance(size, Dim) or size.expr.is_constant:
            return None
        if size.expr not in self._places:
            self._places[size.expr] = len(self._trees)
            self._trees.append(of_poly(size.expr))
        return self._places[size.expr]

    def data(self, size: int) -> int | str:
        """A size for the page's script: a number, or ``"#3"`` for the expression at place 3."""
        place = self.place(size)
        return int(size) if place is None else f"#{place}"

    def number(self, size: int, tag: str = "b", count: bool = False) -> str:
        """A size as HTML or, with ``tag="mn"``, as MathML; ``count`` sets thousands apart."""
        place = self.place(size)
        text = f"{int(size):,}" if count else str(int(size))
        if place is None:
            return f"<mn>{text}</mn>" if tag == "mn" else text
        return f'<{tag} data-x="{place}"{" data-n" if count else ""}>{text}</{tag}>'

    def condition(self, relation: Relation) -> int:
        """Where a condition stands in the page's table."""
        return self._relations.setdefault(relation, len(self._relations))

    def tables(self) -> dict[str, Any]:
        """Everything kept, as plain JSON values for the page's script."""
        return {
            "sizes": self._trees,
            "conditions": [
                {"text": brackets(str(relation)), "tree": of_relation(relation)} for relation in self._relations
            ],
        }
