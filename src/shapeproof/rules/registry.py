"""Where rules are registered, and what they take and give."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property
from inspect import CO_VARARGS
from typing import Any

from shapeproof.dims import Dim, Shape, plain
from shapeproof.dims.conditions import Condition, compare, note, relation
from shapeproof.records import dataclass, usual
from shapeproof.rules.window import Window

DOCS = "https://docs.pytorch.org/docs/stable/generated/"
VISION = "https://docs.pytorch.org/vision/stable/generated/"
FAMILIES = (
    "convolution",
    "pooling",
    "elementwise",
    "linear",
    "normalisation",
    "reduction",
    "reshaping",
    "joining",
    "indexing",
    "splitting",
    "attention",
    "recurrent",
    "factories",
    "resizing",
    "padding",
    "sampling",
    "sorting",
    "gathering",
    "scattering",
    "counting",
    "products",
    "decomposition",
    "factoring",
    "losses",
    "arranging",
    "fourier",
    "packing",
    "detection",
)


class Counted(int):
    """Stands in a rule's shape for a size that the tensor's values decide: PyTorch's number is taken, and said so."""


COUNTED = Counted(-1)
COUNTED_NOTE = "a size that the values decide: the number is the one PyTorch found"


@usual
@dataclass(frozen=True)
class Operand:
    """What a rule sees of a tensor.

    Attributes:
        shape: sizes, possibly with letters.
        dtype: its name.
        stride: in elements.
        below: for whole numbers below a size, as positions are, that size; ``None`` for any other values.
        origin: which call made it; negative for an input of the model, -1 for the first; ``None`` for anything else.
    """

    shape: Shape
    dtype: str = "float32"
    stride: tuple[int, ...] | None = None
    below: int | None = None
    origin: int | None = None


@usual
@dataclass(frozen=True)
class Derived:
    """What a rule says of a call.

    Attributes:
        shape: the shape that comes out, or a tuple of shapes where several tensors do; ``None`` where none does.
            :data:`COUNTED` stands for a size that values decide.
        formula: the textbook form, in letters.
        arithmetic: the same with its values and its result.
        macs: multiply-adds; ``None`` where the rule does not know.
        windows: for sliding windows, one per spatial axis.
        notes: what a learner should not overlook, such as a row that the floor drops.
        below: for whole numbers below a size, that size.
    """

    shape: Any
    formula: str
    arithmetic: str
    macs: int | None = 0
    windows: tuple[Window, ...] = ()
    notes: tuple[str, ...] = ()
    below: int | None = None

    @cached_property
    def shapes(self) -> list[Shape]:
        """The shapes that come out, in order."""
        return sizes_in(self.shape)

    @cached_property
    def elements(self) -> int:
        """How many numbers come out, all together."""
        return sum(math.prod(map(plain, shape)) for shape in self.shapes)


class Violation(Exception):  # noqa: N818  # not an error of ours: a finding, caught by capture
    """A rule's condition does not hold: PyTorch is expected to refuse the call."""

    def __init__(self, code: str, expected: str, got: str, condition: Condition | None = None) -> None:
        """Say what was needed and what came, in the operation's own terms, and the condition where it has letters."""
        super().__init__(f"expected {expected}, got {got}")
        self.code, self.expected, self.got, self.condition = code, expected, got, condition


class Unsupported(Exception):  # noqa: N818  # a rule's answer, caught by capture
    """A rule has no account of this call: values decide its shape, or a form of it is not covered."""


@dataclass(frozen=True)
class Rule:
    """One registered rule: its names, its function, and the page of documentation that it is taken from."""

    name: str
    function: Callable[..., Derived]
    source: str

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Derived:
        """Answer a call as PyTorch takes it; ``out`` says where the result goes and changes no shape.

        Raises:
            Violation: where PyTorch is expected to refuse.
            Unsupported: where there is no account of this call.
        """
        if not kwargs:
            return self.function(*args)
        named = {key: value for key, value in kwargs.items() if key != "out"}
        known = _parameters(self.function)
        alias = None if args or known[0] in named else next((name for name in _FIRST if name in named), None)
        if alias and alias not in known:  # the first argument goes by several names, and by one here
            named[known[0]] = named.pop(alias)
        for alias in _NUMPY.keys() & named.keys():
            if alias not in known:
                named[_NUMPY[alias]] = named.pop(alias)
        return self.function(*args, **named)


_FIRST = ("self", "input", "tensor", "data", "input1", "A", "x", "x1", "a")  # the surest first
_NUMPY = {
    "axis": "dim",
    "keepdims": "keepdim",
    "axis0": "dim0",
    "axis1": "dim1",
    "x2": "other",
}  # NumPy's names, which PyTorch takes as well


@cache
def _parameters(function: Any) -> tuple[str, ...]:
    """The names of a function's parameters, in order, as ``inspect.signature`` would tell them, in less time."""
    code = function.__code__
    plain, named = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    rest = code.co_varnames[named : named + 1] if code.co_flags & CO_VARARGS else ()
    return (*code.co_varnames[:plain], *rest, *code.co_varnames[plain:named])


_rules: dict[str, Rule] = {}
_loaded = False


def rule(*names: str, page: str | None = None) -> Callable[[Callable[..., Derived]], Callable[..., Derived]]:
    """Register a function as the rule for PyTorch's operations of these names. A name given twice is an error."""

    def register(function: Callable[..., Derived]) -> Callable[..., Derived]:
        for name in names:
            if name in _rules:
                raise ValueError(f"two rules are registered for {name!r}")
            site, documented = VISION if "torchvision" in (page or "") else DOCS, page or f"torch.{name}"
            _rules[name] = Rule(name, function, f"{site}{documented}.html")
        return function

    return register


def find(name: str) -> Rule | None:
    """The rule of one operation, if there is one; families are loaded in turn, the commonest first, until found."""
    for family in FAMILIES:
        if name in _rules:
            break
        importlib.import_module(f"shapeproof.rules.{family}")
    return _rules.get(name)


def rules() -> dict[str, Rule]:
    """Every rule by the name of its operation."""
    global _loaded
    if not _loaded:
        for family in FAMILIES:
            importlib.import_module(f"shapeproof.rules.{family}")
        _loaded = True
    return _rules


def settled(derived: Derived, output: Any) -> Derived:
    """Put PyTorch's numbers for the sizes that values decide, and say so.

    Args:
        derived: a rule's answer, perhaps with :data:`COUNTED` in its shape.
        output: the shape that PyTorch gave, nested as it came.
    """
    if derived.shape == output:
        return derived
    shape = _filled(derived.shape, output)
    if shape is derived.shape:
        return derived
    return replace(derived, shape=shape, notes=(*derived.notes, COUNTED_NOTE))


def _filled(shape: Any, output: Any) -> Any:
    if isinstance(shape, Counted):
        return output if isinstance(output, int) else shape
    if not isinstance(shape, tuple) or not isinstance(output, (tuple, list)) or len(shape) != len(output):
        return shape
    filled = tuple(_filled(a, b) for a, b in zip(shape, output, strict=True))
    return shape if all(a is b for a, b in zip(filled, shape, strict=True)) else filled


def require(kind: str, left: int, right: int, code: str, expected: str, got: str) -> None:
    """State what must hold between two sizes; letters in it become part of the domain.

    Args:
        kind: ``"=="``, ``">="`` or ``"mod"`` (``right`` divides ``left``).
        left: the size that is tested.
        right: the size that it is tested against.
        code: the diagnosis code for when it does not hold.
        expected: what the operation needs, in words.
        got: what it was given, in words.

    Raises:
        Violation: if it does not hold for the values.
    """
    holds = compare(kind, int(left), int(right))
    lettered = isinstance(left, Dim) or isinstance(right, Dim)
    condition = Condition(relation(kind, left, right), code) if lettered else None
    if not holds:
        raise Violation(code, expected, got, condition)
    if condition:
        note(condition)


def require_shape(shape: Shape, wanted: Shape, code: str, expected: str, got: str = "") -> None:
    """A shape must be this one, size by size; letters in either become part of the domain.

    Args:
        shape: what is tested.
        wanted: what it must be.
        code: as for :func:`require`.
        expected: likewise.
        got: likewise; the shape itself where nothing else is said.

    Raises:
        Violation: if there are more or fewer sizes, or one differs.
    """
    if len(shape) != len(wanted):
        raise Violation(code, expected, got or show(shape))
    for have, want in zip(shape, wanted, strict=True):
        require("==", have, want, code, expected, got or show(shape))


def require_rank(operand: Operand, ranks: tuple[int, ...], code: str, layout: str) -> None:
    """A tensor must have one of these numbers of dimensions. Raises :class:`Violation` otherwise."""
    if len(operand.shape) not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks) if len(ranks) < 4 else f"at least {ranks[0]}"
        raise Violation(code, f"{wanted} dimensions ({layout})", f"{len(operand.shape)}: {show(operand.shape)}")


def axis(dim: int, rank: int) -> int:
    """The place of a dimension counted from the front. Raises :class:`Violation` where there is none such."""
    room = max(rank, 1)
    if not -room <= dim < room:
        raise Violation("dim-range", f"a dim from {-room} to {room - 1}", str(int(dim)))
    return int(dim) % room


def axes(dim: int | tuple[int, ...] | list[int] | None, rank: int) -> tuple[int, ...]:
    """Several dimensions counted from the front, all of them for ``None``; naming one twice is refused."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(rank))
    found = tuple(axis(d, rank) for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    if len(set(found)) != len(found):
        raise Violation("dim-range", "each dim named once", str(tuple(dim) if isinstance(dim, (tuple, list)) else dim))
    return found


def unchanged(input: Operand, line: str = "") -> Derived:
    """The answer of a rule that leaves the shape alone."""
    return Derived(input.shape, "out = in", line or show(input.shape))


def becomes(input: Operand, shape: Shape, formula: str, macs: int | None = 0) -> Derived:
    """The answer of a rule whose line of arithmetic is the shape before and after."""
    return Derived(shape, formula, f"{show(input.shape)} -> {show(shape)}", macs)


def show(shape: Shape) -> str:
    """Write a shape as Python does: ``(8, 1, 28, 28)``; a size that values decide as ``?``."""
    return "(" + ", ".join(_written(size) for size in shape) + ("," if len(shape) == 1 else "") + ")"


def _written(size: int) -> str:
    return "?" if isinstance(size, Counted) else str(size)


def shape_args(given: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence, as ``view(8, -1)`` and ``view((8, -1))`` both allow.

    A size given as a tensor of one number is one that values decide.
    """
    sizes = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    return tuple(COUNTED if isinstance(size, Operand) else size for size in sizes)


def counts(sizes: tuple[int, ...]) -> bool:
    """Whether values decide one of the sizes."""
    return any(isinstance(size, Counted) for size in sizes)


def sizes_in(shape: Any) -> list[Shape]:
    """The shapes in a rule's answer, in order."""
    if isinstance(shape, tuple) and all(isinstance(size, int) for size in shape):
        return [shape]
    return [inner for part in shape or () if part is not None for inner in sizes_in(part)]
