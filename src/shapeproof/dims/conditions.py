"""Conditions on sizes, as data: what a rule requires, checked on the values and kept with its letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from shapeproof.dims.dim import expr_of
from shapeproof.dims.expr import Poly


@dataclass(frozen=True)
class Relation:
    """``left == right``, ``left != right``, ``left >= right`` or ``left = 0 mod right``."""

    kind: str  # "==" "!=" ">=" "mod"
    left: Poly
    right: Poly

    @property
    def letters(self) -> frozenset[str]:
        """The letters on which the truth depends."""
        return self.left.letters | self.right.letters

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it is true for these sizes. Raises ``KeyError`` for a letter without a size."""
        left, right = self.left.value(sizes), self.right.value(sizes)
        if self.kind == "mod":
            return bool(right) and left % right == 0
        if self.kind == ">=":
            return left >= right
        return (left == right) is (self.kind == "==")

    def __str__(self) -> str:
        sign = {"==": "=", "!=": "!=", ">=": ">=", "mod": "= 0 mod"}[self.kind]
        return f"{self.left} {sign} {self.right}"


@dataclass(frozen=True)
class Condition:
    """A relation that must hold for an operation to run, and the diagnosis code for when it does not."""

    relation: Relation
    code: str


_collected: ContextVar[list[Condition] | None] = ContextVar("collected", default=None)


@contextmanager
def collecting() -> Iterator[list[Condition]]:
    """Gather the conditions with letters in them that hold while the block runs."""
    found: list[Condition] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def note(condition: Condition) -> None:
    """Keep a condition that has letters in it; one without is settled by its numbers."""
    found = _collected.get()
    if found is not None and condition.relation.letters and condition not in found:
        found.append(condition)


def relation(kind: str, left: int, right: int) -> Relation:
    """Relate two sizes, with the letters that they carry."""
    return Relation(kind, expr_of(left), expr_of(right))


def branch(kind: str, left: int, right: int, outcome: bool) -> None:
    """Keep, as a condition of the path taken, how a comparison in the model's own Python came out."""
    if expr_of(left).same(expr_of(right)):
        return
    if kind in ("<", "<="):
        kind, left, right = {"<": ">", "<=": ">="}[kind], right, left
    if kind == ">":
        kind, right = ">=", right + 1
    if kind == "==":
        found = relation("==" if outcome else "!=", left, right)
    else:
        found = relation(">=", left, right) if outcome else relation(">=", right, left + 1)
    note(Condition(found, "branch"))
