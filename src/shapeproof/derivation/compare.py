"""Two derivations lined up, step by step, and where they part."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher

from shapeproof.derivation.model import Derivation, Step
from shapeproof.records import dataclass

LEAST_SHARED = 0.3  # of two models with fewer step names in common, operations alone are lined up


@dataclass(frozen=True)
class Pair:
    """A step of the first derivation and the step of the second that stands in its place; ``None`` where none does."""

    first: Step | None
    second: Step | None

    @property
    def alike(self) -> bool:
        """Whether both are there, and take in and give the same shapes."""
        return self.first is not None and self.second is not None and _seen(self.first) == _seen(self.second)


def _seen(step: Step) -> tuple[str, ...]:
    return step.op, str(step.inputs), str(step.output), step.verdict


def lined_up(first: Derivation, second: Derivation) -> list[Pair]:
    """Every step of both, in order; steps of the same module and operation stand together where the order allows."""
    keys: list[list[Hashable]] = [[(s.module, s.op) for s in d.steps] for d in (first, second)]
    matcher = SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    if matcher.ratio() < LEAST_SHARED:
        ops = [[step.op for step in derivation.steps] for derivation in (first, second)]
        matcher = SequenceMatcher(None, [*ops[0]], [*ops[1]], autojunk=False)
    pairs: list[Pair] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        pairs += _paired(kind, first.steps[a:b], second.steps[c:d])
    return pairs


def _paired(kind: str, first: Sequence[Step], second: Sequence[Step]) -> Iterator[Pair]:
    if kind == "equal":
        yield from (Pair(a, b) for a, b in zip(first, second, strict=True))
        return
    yield from (Pair(step, None) for step in first)
    yield from (Pair(None, step) for step in second)


def parting(pairs: Sequence[Pair]) -> Pair | None:
    """The first pair that is not alike."""
    return next((pair for pair in pairs if not pair.alike), None)
