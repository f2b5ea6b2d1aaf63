"""Receptive fields, carried from step to step: what one element of each result sees of the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shapeproof.capture.nesting import leaves
from shapeproof.capture.trace import Call
from shapeproof.derivation.carrying import Look, Lost, carried
from shapeproof.derivation.model import ReceptiveField
from shapeproof.derivation.places import ITSELF
from shapeproof.derivation.sight import NONE, Axis, Sight
from shapeproof.dims import Dim
from shapeproof.rules.registry import Operand

_States = dict[int, Sight | None]  # by input; None where it is lost what is seen of it


@dataclass
class Fields:
    """What is known so far: of each step, what it sees of each input; of each input, which axes are spatial."""

    steps: list[_States] = field(default_factory=list)
    spatial: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def after(self, call: Call | None) -> ReceptiveField | None:
        """The receptive field of the next call's result; ``None`` where none is known, defined, or it has no result."""
        states: _States = {}
        if call is None or call.asked is None:  # without a rule, all may be seen
            self.steps.append(dict.fromkeys([-1, *self.spatial]) if call else {})
            return None
        self._find_axes(call)
        for origin in sorted({origin for one in leaves(call.asked, Operand) for origin in self._of(one)}, reverse=True):
            try:
                found = carried(Look(call, lambda one, origin=origin: self._seen(one, origin)))  # type: ignore[misc]
                states[origin] = found.kept_axes(self.spatial[origin]) if origin in self.spatial else found
            except Lost:
                states[origin] = None
        self.steps.append(states)
        self._written(call, states)
        return self._told(states)

    def _of(self, one: Operand) -> Sequence[int]:
        """The inputs of which an operand sees something."""
        if one.origin is None:
            return ()
        return (one.origin,) if one.origin < 0 else tuple(self.steps[one.origin])

    def _seen(self, one: Operand, origin: int) -> Sight | None:
        if one.origin is None or origin not in self._of(one):
            return None
        sight = self._start(one) if one.origin < 0 else self.steps[one.origin][origin]
        if sight is None or len(sight.dims) != len(one.shape):
            raise Lost
        return sight

    def _start(self, one: Operand) -> Sight:
        """At the input each element sees itself."""
        rank = len(one.shape)
        axes = self.spatial.get(one.origin or 0, tuple(range(1, rank)))
        dims = tuple(((frozenset([d]) if d in axes else NONE, int(size)),) for d, size in enumerate(one.shape))
        # with a letter for a size, what all of the axis is would differ from size to size
        sizes = {d: int(one.shape[d]) for d in axes}
        known = {d: Axis(n, ITSELF, (0, n - 1), not isinstance(one.shape[d], Dim)) for d, n in sizes.items()}
        return Sight(dims, known)

    def _find_axes(self, call: Call) -> None:
        """Which axes of an input are spatial: those that the first window runs over; of pictures, all but two."""
        windows = len(call.derived.windows) if call.derived else 0
        for one in leaves(call.asked, Operand):
            rank = len(one.shape)
            if one.origin is not None and one.origin < 0 and one.origin not in self.spatial and (windows or rank > 3):
                self.spatial[one.origin] = tuple(range(rank - windows if 0 < windows < rank else 2, rank))
        if windows:
            for origin, axes in self._under(call, windows).items():
                self.spatial.setdefault(origin, axes)

    def _under(self, call: Call, windows: int) -> dict[int, tuple[int, ...]]:
        """By input, the axes that lie under the windows of a call."""
        first = next(leaves(call.asked, Operand), None)
        if first is None or first.origin is None or first.origin < 0 or len(first.shape) < windows:
            return {}
        last = range(len(first.shape) - windows, len(first.shape))
        sights = self.steps[first.origin]
        return {
            origin: tuple(sorted(sight.carried(last)))
            for origin, sight in sights.items()
            if sight and len(sight.dims) == len(first.shape) and len(sight.carried(last)) == windows
        }

    def _written(self, call: Call, states: _States) -> None:
        """What is written into a part of a tensor changes what that tensor sees."""
        if call.op != "setitem":
            return
        target = next(leaves(call.asked, Operand), None)
        if target is not None and target.origin is not None and target.origin >= 0:
            self.steps[target.origin] = dict.fromkeys({**states, **self.steps[target.origin]})

    def _told(self, states: _States) -> ReceptiveField | None:
        for origin, sight in states.items():
            axes = self.spatial.get(origin, ())
            places = tuple(sight.axes[axis].places for axis in axes if axis in sight.axes) if sight else ()
            known = tuple(place for place in places if place and any(place.spans))
            if not axes or len(known) != len(axes):
                return None
            begins = tuple(next(span[0] for span in place.spans if span) for place in known)
            sizes, strides = tuple(place.size for place in known), tuple(place.stride for place in known)
            return ReceptiveField(sizes, strides, begins, known)
        return None
