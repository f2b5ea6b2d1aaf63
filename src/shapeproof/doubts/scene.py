"""A run that came through, as the doubts look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from torch import nn

from shapeproof.capture.trace import Call
from shapeproof.dims import Dim, Shape, same
from shapeproof.records import dataclass, usual

RESHAPES = frozenset("view reshape flatten".split())
TIME = frozenset("T L S".split())  # letters that name a sequence's length
BATCH = frozenset("N B".split())


@dataclass(frozen=True)
class Doubt:
    """One thing that is almost surely wrong.

    Attributes:
        code: stable, and documented under ``docs/codes``.
        message: what happens, with the sizes.
        index: the call that does it.
    """

    code: str
    message: str
    index: int


@usual
@dataclass(frozen=True)
class Scene:
    """A run that came through.

    Attributes:
        model: the module or callable.
        calls: every operation, in order.
        inputs: the shapes of the tensors that went in, with letters.
        output: the shapes that came out, nested as the model nests them.
    """

    model: Any
    calls: list[Call]
    inputs: list[Shape]
    output: Any = None

    @cached_property
    def batch(self) -> int | None:
        """The batch: the first size of the first input, unless its letter names a length; ``None`` if unknown."""
        letters = [size for shape in self.inputs for size in shape if isinstance(size, Dim)]
        first = self.inputs[0][0] if self.inputs and self.inputs[0] else None
        if isinstance(first, Dim) and str(first)[:1].upper() not in TIME:
            return first
        named = [size for size in letters if str(size) in BATCH]
        if isinstance(first, Dim) or named:
            return named[0] if named else None
        return first

    def is_batch(self, size: int) -> bool:
        """Whether a size is the batch; a batch of one, given as a number, is nobody's."""
        if self.batch is None or (not isinstance(self.batch, Dim) and self.batch < 2):
            return False
        return same(size, self.batch)

    @cached_property
    def results(self) -> list[Shape]:
        """The shapes that come out, in order."""
        return list(shapes_of(self.output))

    def makers(self, index: int) -> Iterator[Call]:
        """The calls whose results went into one, and those before them."""
        seen: set[int] = set()
        waiting = list(self.calls[index].parents)
        while waiting:
            place = waiting.pop()
            if place not in seen:
                seen.add(place)
                waiting += self.calls[place].parents
                yield self.calls[place]

    @cached_property
    def _users(self) -> dict[int, list[Call]]:
        users: dict[int, list[Call]] = {}
        for call in self.calls:
            for parent in call.parents:
                users.setdefault(parent, []).append(call)
        return users

    def users(self, index: int) -> list[Call]:
        """The calls into which the result of one went."""
        return self._users.get(index, [])

    @cached_property
    def _by_operation(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for index, call in enumerate(self.calls):
            places.setdefault(call.op, []).append(index)
        return places

    def of(self, operations: Iterable[str]) -> Iterator[tuple[int, Call]]:
        """The calls of these operations with their indices, in order."""
        places = [index for name in operations for index in self._by_operation.get(name, ())]
        return ((index, self.calls[index]) for index in sorted(places))

    def module(self, call: Call) -> Any:
        """The module whose code made a call; ``None`` for a plain function."""
        if not isinstance(self.model, nn.Module):
            return None
        try:
            return self.model.get_submodule(call.module)
        except AttributeError:  # a path through a wrapper
            return None


def shapes_of(output: Any) -> Iterator[Shape]:
    """The shapes in a nested output."""
    if isinstance(output, dict):
        for part in output.values():
            yield from shapes_of(part)
    elif isinstance(output, (tuple, list)):
        if output and all(isinstance(size, int) for size in output):
            yield tuple(output)
        else:
            for part in output:
                yield from shapes_of(part)


def result(call: Call) -> Shape | None:
    """The one shape that comes out of a call, with letters where the rule gives them."""
    shape = call.output
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape):
        return None
    derived = call.derived.shapes if call.derived else []
    agrees = len(derived) == 1 and tuple(map(int, derived[0])) == tuple(map(int, shape))
    return derived[0] if agrees else shape
