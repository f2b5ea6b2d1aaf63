"""How much a run on real tensors may cost. Beyond that the model is run on shapes alone, on the meta device."""

from __future__ import annotations

from torch import Tensor

from shapeproof.capture.anatomy import Anatomy
from shapeproof.capture.trace import Call, Manner
from shapeproof.records import dataclass, usual

WEIGHTS = 2 * 2**30  # bytes of parameters and buffers
MACS = 20 * 10**9  # a second or two on two cores
ELEMENTS = 2**29  # in all results together: 2 GiB in float32
REPEATED = 0.1  # the share of a run that is one of many
SMALL = 2**16  # elements up to which a tensor keeps its values in a run on shapes alone


class TooMuch(BaseException):
    """A run on real tensors is about to do more than it may; no model's ``except`` is meant to catch it."""


@usual
@dataclass()
class Effort:
    """What one run has done so far, told before each call; ``share`` is its part of what a run may do."""

    share: float = 1.0
    macs: int = 0
    elements: int = 0

    def about_to_do(self, call: Call) -> None:
        """Add what the rule says of a call. Raises :class:`TooMuch` where the sum is more than a run may do."""
        if call.derived is None:
            return
        self.macs += int(call.derived.macs or 0)
        self.elements += call.derived.elements
        if self.macs > MACS * self.share:
            raise TooMuch(f"it takes more than {MACS * self.share / 1e9:g} G multiply-adds")
        if self.elements > ELEMENTS * self.share:
            raise TooMuch(f"its results hold more than {ELEMENTS * self.share / 2**20:g} Mi numbers")


def repeated(manner: Manner, macs: int | None) -> Manner:
    """How to run a model many times, after one run in this manner that did so many multiply-adds."""
    if not manner.alone and not manner.values and (macs or 0) > MACS * REPEATED:
        return Manner("it is one of many runs")
    return manner


def alone_from_the_start(parts: Anatomy, inputs: list[Tensor]) -> str:
    """Why a model should not be run on real tensors at all; ``""`` if it may."""
    own = parts.sized
    if any(tensor.device.type == "meta" for tensor in own):
        return "the model lies on the meta device"
    if any(tensor.device.type == "meta" for tensor in inputs):
        return "the input lies on the meta device"
    weights = sum(tensor.numel() * tensor.element_size() for tensor in own)
    return f"the weights take {weights / 2**30:.1f} GiB" if weights > WEIGHTS else ""
