"""What backward keeps of a forward pass: by rule, and what PyTorch's autograd holds in the same run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from shapeproof.capture.letters import with_letters
from shapeproof.capture.nesting import leaves
from shapeproof.capture.run import run
from shapeproof.capture.trace import Call, Keeping, Manner, Trace
from shapeproof.derivation.model import Derivation, plain_shape
from shapeproof.derivation.steps import SHOWN
from shapeproof.dims import product
from shapeproof.dims.conditions import collecting
from shapeproof.records import dataclass
from shapeproof.rules.keeping import Fresh, Piece, kept, size_of

# of these PyTorch makes another choice on its meta device than on real ones, and what it holds there says nothing
_CHOSEN_BY_DEVICE = frozenset(["scaled_dot_product_attention"])


@dataclass(frozen=True)
class Kept:
    """The bytes that backward keeps, one entry a step, in the order of the derivation's steps.

    Each piece of memory counts once and whole, at the step that first keeps it. Parameters, buffers and the model's
    own inputs, which are there in any case, are not counted, and neither are single numbers.

    Attributes:
        derived: by rule, with letters where the sizes have them; ``None`` where there is no rule for it.
        pytorch: what PyTorch's autograd held, at the sizes tried; ``None`` where it cannot be told on shapes alone.
        trouble: why nothing is known, where the model could not be run with gradients; ``""`` otherwise.
    """

    derived: tuple[int | None, ...] = ()
    pytorch: tuple[int | None, ...] = ()
    trouble: str = ""

    @property
    def steps(self) -> tuple[int | None, ...]:
        """The rule's bytes, or PyTorch's where there is no rule."""
        return tuple(p if d is None else d for d, p in zip(self.derived, self.pytorch, strict=True))

    @property
    def total(self) -> int | None:
        """All of it; ``None`` where a part is not known."""
        found = self.steps
        known = [size for size in found if size is not None]
        return None if self.trouble or len(known) < len(found) else sum(known)

    @property
    def agreeing(self) -> int:
        """At how many steps the rule and PyTorch say the same."""
        pairs = zip(self.derived, self.pytorch, strict=True)
        return sum(d is not None and p is not None and int(d) == p for d, p in pairs)

    @property
    def differing(self) -> tuple[int, ...]:
        """Steps at which the rule and PyTorch differ."""
        pairs = enumerate(zip(self.derived, self.pytorch, strict=True))
        return tuple(place for place, (d, p) in pairs if d is not None and p is not None and int(d) != p)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; a size with letters is its expression's text."""
        return {
            "total": plain_shape(self.total),
            "derived": plain_shape(self.derived),
            "pytorch": list(self.pytorch),
            "trouble": self.trouble,
        }


def kept_by(model: Any, args: list[Any], kwargs: dict[str, Any], made: Derivation, like: Manner | None) -> Kept:
    """Run the model once more, with gradients, and tell what it keeps for backward.

    Args:
        model: the module or callable.
        args: as for :func:`~shapeproof.capture.run.run`.
        kwargs: likewise, by name.
        made: the derivation, whose operations this run must show again.
        like: how the model was run before.
    """
    try:
        with collecting():
            watch = functools.partial(run, model, args, kwargs, like, keeping=True)
            trace = with_letters(watch) if made.sizes else watch()
    except Exception as error:  # noqa: BLE001  # the model's own, which it raises with gradients alone
        return Kept(trouble=f"with gradients the model raises {type(error).__name__}: {error}")
    if trace.error is not None:
        return Kept(trouble="the model does not come through")
    if [SHOWN.get(call.op, call.op) for call in trace.calls] != [step.op for step in made.steps]:
        return Kept(trouble="with gradients the model runs other steps")
    return kept_of(trace)


def kept_of(trace: Trace) -> Kept:
    """What was kept in a run that noted it."""
    calls = trace.calls
    sizes = _made(calls)
    rules, seen = set[int](), set[int]()
    derived: list[int | None] = []
    pytorch: list[int | None] = []
    for call in calls:
        keeping = call.keeping
        if keeping is None:  # it raised, and the model caught that
            derived.append(0)
            pytorch.append(0)
            continue
        derived.append(_by_rule(keeping, sizes, rules))
        if trace.manner.alone and call.op in _CHOSEN_BY_DEVICE:
            pytorch.append(None)
            seen |= rules
        else:
            pytorch.append(_by_pytorch(keeping, sizes, seen))
    return Kept(tuple(derived), tuple(pytorch))


def _made(calls: Sequence[Call]) -> dict[int, int]:
    """The bytes of all memory that a step made; memory that was there before is put at 0."""
    sizes: dict[int, int] = {}
    for keeping in (call.keeping for call in calls):
        if keeping is None:
            continue
        for piece in leaves((keeping.ran.given, keeping.ran.named), Piece):
            sizes.setdefault(piece.place, 0)
        new = {piece.place for piece in keeping.ran.results} - sizes.keys()
        for piece in keeping.ran.results:  # of several that share memory, such as the columns of where, each is a part
            if piece.place in new and piece.shape:
                sizes[piece.place] = sizes.get(piece.place, 0) + product(piece.shape) * piece.itemsize
        sizes |= {place: 0 for place in new if place not in sizes}
    return sizes


def _by_rule(keeping: Keeping, sizes: dict[int, int], counted: set[int]) -> int | None:
    held = None if keeping.loose else kept(keeping.ran)
    if held is None:
        counted.update(saved.place for saved in keeping.saved)  # PyTorch's account stands in for the rule's
        return None
    total = 0
    for one in held:
        if isinstance(one, Fresh):
            total += size_of(one)
        elif one.place not in counted:
            counted.add(one.place)
            total += sizes[one.place]
    return total


def _by_pytorch(keeping: Keeping, sizes: dict[int, int], counted: set[int]) -> int:
    if not keeping.loose and not any(piece.needs_gradient for piece in keeping.ran.results):
        return 0  # what was put by on the way is gone with the call
    total = 0
    for saved in keeping.saved:
        if saved.place not in counted:
            counted.add(saved.place)
            total += saved.bytes if sizes.get(saved.place, 1) else 0
    return total
