"""What one run showed: every call of a tensor operation, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from types import CodeType
from typing import TYPE_CHECKING, Any

from shapeproof.dims import Shape
from shapeproof.dims.conditions import Condition
from shapeproof.records import dataclass, usual
from shapeproof.rules.registry import Derived, Operand, Violation

if TYPE_CHECKING:
    from shapeproof.rules.keeping import Ran


@dataclass(frozen=True)
class Fed(Operand):
    """A tensor as it went into a call: besides its shape, which call made it, and its id while it lived."""

    maker: int | None = None
    identity: int = 0


@dataclass(frozen=True)
class Saved:
    """A tensor that PyTorch keeps for backward: where it lies, and the bytes of all of that memory."""

    place: int
    bytes: int


@dataclass()
class Keeping:
    """What one call keeps for backward, as seen from both sides.

    Attributes:
        ran: the call, for the rule.
        saved: what PyTorch put by.
        loose: whether more was put by after it, outside of every call, as a function of the user's own does.
    """

    ran: Ran
    saved: list[Saved]
    loose: bool = False


@usual
@dataclass()
class Call:
    """One operation as it ran.

    Attributes:
        op: PyTorch's public name.
        module: dotted path of the innermost module that was running.
        source: ``file:line`` of the user's code, ``""`` where no user code is on the stack.
        inputs: shapes of the tensors that went in, with letters.
        output: shape PyTorch gave, nested as it came; ``None`` where it raised.
        derived: what the rule says; ``None`` without a rule.
        violation: the rule's condition that does not hold.
        error: what PyTorch raised.
        parents: indices of the calls whose results went in.
        parameters: ids of the parameters that went in.
        bytes_out: bytes of the result.
        made: of each tensor of the result that lies in memory of its own, its place and the bytes of an element.
        asked: the arguments as the rule got them, each tensor as an :class:`Operand`.
        requires: the conditions with letters in them that the rule states.
        given: the arguments as they were passed, each tensor as a :class:`Fed`; kept only where it is asked for.
        spot: code and instruction of the user's line, likewise.
        refused: of a call that raised, the function and its arguments.
        caught: whether it raised, and the model went on.
        times: of how many calls ``vmap`` made this one.
        trouble: what went wrong inside the rule, which then has no say.
        keeping: what is kept for backward; noted only in a run that asks for it.
    """

    op: str
    module: str
    source: str
    inputs: tuple[Shape, ...]
    output: Any = None
    derived: Derived | None = None
    violation: Violation | None = None
    error: Exception | None = None
    parents: tuple[int, ...] = ()
    parameters: tuple[int, ...] = ()
    bytes_out: int = 0
    made: tuple[tuple[int, int], ...] = ()
    asked: tuple[tuple[Any, ...], dict[str, Any]] | None = None
    requires: tuple[Condition, ...] = ()
    given: tuple[tuple[Any, ...], dict[str, Any]] | None = None
    spot: tuple[CodeType, int] | None = None
    refused: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None = None
    times: int = 1
    trouble: str = ""
    caught: bool = False
    keeping: Keeping | None = None


@usual
@dataclass(frozen=True)
class Manner:
    """How a run was made.

    Attributes:
        alone: why it was made on shapes alone, on tensors without values; ``""`` for a run on real tensors.
        values: which call needed values, so that a run on shapes alone was of no use; ``""`` for none.
        eager: whether something of the model is compiled, and was run as it is written instead.
        put: at which sizes the run was made into whose letters these numbers were put; ``""`` where none were.
        again: why the model was run again at these numbers, instead; ``""`` where it was not.
    """

    alone: str = ""
    values: str = ""
    eager: bool = False
    put: str = ""
    again: str = ""


@usual
@dataclass()
class Trace:
    """Everything that one run showed.

    Attributes:
        calls: every operation, in order; the one that failed is the last.
        output: shapes of what came out, nested as the model nests them.
        error: the shape error that ended the run.
        parameters: number and bytes of each parameter of the model, by id.
        unused: paths of modules without children that were never called.
        manner: on what kind of tensors the run was made, and why.
        entering: shapes of the tensors that went in, with letters.
        inside: path of the module that was running when an error ended the run.
    """

    calls: list[Call] = field(default_factory=list)
    output: Any = None
    error: BaseException | None = None
    parameters: dict[int, tuple[int, int]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    manner: Manner = field(default_factory=Manner)
    entering: list[Shape] = field(default_factory=list)
    inside: str = ""
