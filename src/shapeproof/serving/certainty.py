"""What a network says of a picture, and whether that can be relied on.

A digit is sure when the network's mean over five views of the picture, each a pixel apart, prefers one class clearly,
and a second network, which knows pictures that are no digits (:mod:`shapeproof.serving.judge`), sees the same digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from shapeproof.serving.judge import NONE
from shapeproof.serving.opening import judge, reads_digits
from shapeproof.serving.preparing import Grey
from shapeproof.training.preparation import Preparation
from shapeproof.training.run import Run, moves, predictions

CLEAR = 0.5  # probability of the best class under which the network itself hesitates
# Probability that the second network gives to the same digit, under which it objects: chosen so that 99.4 % of the
# 6,000 training pictures that were held back stay sure. `scripts/make_pretrained.py` prints it.
AGREED = 0.4
AS_SHOWN = Preparation(1, 28, 28)  # the second network reads pixels from 0 to 1


@dataclass(frozen=True)
class Answer:
    """What is said of one picture.

    Attributes:
        label: The class, by its place; ``None`` where there was nothing to see.
        name: The class's name, ``""`` without one.
        probability: The network's own, 0 to 1, the mean over five views.
        probabilities: The same for every class.
        sure: Whether the answer can be relied on.
        reason: Why it cannot: ``"no-ink"`` ``"no-digit"`` ``"between"`` or ``"other-digit"``; ``""`` where it can.
        other: The name of the class that competes with it, ``""`` without one.
    """

    label: int | None
    name: str
    probability: float
    probabilities: tuple[float, ...]
    sure: bool
    reason: str
    other: str = ""


def answer(run: Run, seen: Any, *, found: bool = True) -> Answer:
    """Classify a prepared picture ``uint8 (C, H, W)`` or, for grey digits, ``(28, 28)``.

    Args:
        run: The network.
        seen: What it is shown.
        found: Whether there was ink in the person's picture.
    """
    if not found:
        return Answer(None, "", 0.0, (1 / len(run.classes),) * len(run.classes), False, "no-ink")
    picture = torch.as_tensor(seen).reshape(1, *_stored(run))
    told = run.predict(picture, moved=True)[0]
    label = int(told.argmax())
    rival = int(told.topk(2).indices[1])
    reason, other = "", ""
    if float(told[label]) < CLEAR:
        reason, other = "between", run.classes[rival]
    elif reads_digits(run):
        reason, other = _second_opinion(picture, label)
    name, chance = run.classes[label], float(told[label])
    return Answer(label, name, chance, tuple(map(float, told)), not reason, reason, other)


def _stored(run: Run) -> tuple[int, int, int]:
    wanted = run.preparation
    return wanted.channels, wanted.height, wanted.width


def _second_opinion(picture: torch.Tensor, label: int) -> tuple[str, str]:
    """Why the judge objects to a digit, and the digit that it sees instead, if any."""
    seen = judged(picture)[0]
    if float(seen[label]) >= AGREED:
        return "", ""
    best = int(seen.argmax())
    return ("no-digit", "") if best in (NONE, label) else ("other-digit", str(best))


def judged(pictures: torch.Tensor) -> torch.Tensor:
    """Probabilities ``(N, 11)``, the last for what is no digit, of ``uint8 (N, 1, 28, 28)``."""
    views = [predictions(judge(), AS_SHOWN, view) for view in moves(pictures)]
    return torch.stack(views).mean(0)


def shown(seen: Grey) -> str:
    """A grey picture ``uint8 (H, W)`` in letters, two rows a line: a letter is twice as high as wide."""
    shades = " .:-=+*#%@"
    pairs = seen[: len(seen) // 2 * 2].reshape(len(seen) // 2, 2, -1).astype(float).mean(axis=1)
    lines = ("".join(shades[int(v * 9.99 / 255)] for v in row).rstrip() for row in pairs)
    return "\n".join(lines)
