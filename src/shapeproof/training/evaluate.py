"""How good a trained network is: accuracy with its uncertainty, each class, calibration, the worst mistakes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapeproof.data.dataset import Pictures
from shapeproof.errors import UsageError
from shapeproof.training.files import write_bytes

CONFIDENCE_Z = 1.959963984540054  # two-sided 95 %
BINS = 15  # of the calibration error, as in Guo et al. 2017


@dataclass(frozen=True)
class Mistake:
    """One picture told wrong.

    Attributes:
        index: Its place in the test set, from 0.
        true: Its label.
        told: The class that the network gave.
        confidence: The probability the network gave to that, 0 to 1.
    """

    index: int
    true: int
    told: int
    confidence: float


@dataclass(frozen=True)
class ClassScore:
    """How one class fares.

    Attributes:
        name: The class.
        count: Test pictures of it.
        recall: Share of them told right, ``None`` where there are none.
        precision: Share of the pictures told to be it that are it, ``None`` where there are none.
    """

    name: str
    count: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True)
class Bin:
    """The pictures of which the network was about equally sure.

    Attributes:
        low: The confidence above which they lie, 0 to 1.
        high: The confidence up to which they lie.
        count: How many there are.
        confidence: Their mean confidence, ``None`` where there are none.
        accuracy: Share of them told right, ``None`` where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    Attributes:
        count: Test pictures.
        accuracy: Share told right, 0 to 1.
        interval: Wilson's 95 % interval of it.
        loss: Mean cross entropy, in nats.
        calibration_error: Expected calibration error over 15 bins of equal width, 0 to 1.
        reliability: Those bins, the least sure first.
        classes: Each class.
        confusion: ``confusion[true][told]``: how many pictures.
        mistakes: Those told wrong, the most confident first.
    """

    count: int
    accuracy: float
    interval: tuple[float, float]
    loss: float
    calibration_error: float
    reliability: tuple[Bin, ...]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def wilson(hits: int, count: int, z: float = CONFIDENCE_Z) -> tuple[float, float]:
    """Wilson's interval for a share of ``hits`` in ``count`` > 0 (Wilson 1927), each end from 0 to 1."""
    share, square = hits / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al. 2017, https://arxiv.org/abs/1706.04599): 0 is perfect.

    Args:
        probabilities: ``float (N, classes)``.
        labels: ``int64 (N,)``.
        bins: Bins of equal width over the confidence.
    """
    gaps = (
        one.count * abs(one.confidence - one.accuracy)
        for one in reliability(probabilities, labels, bins)
        if one.confidence is not None and one.accuracy is not None
    )
    return sum(gaps) / len(labels)


def reliability(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> tuple[Bin, ...]:
    """How often the network is right, by how sure it is; arguments as :func:`calibration_error`."""
    confidence, told = probabilities.double().max(1)
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1  # bins are open below, closed above
    counts, sure, right = (
        torch.zeros(bins, dtype=torch.float64).index_add_(0, place, values).tolist()
        for values in (torch.ones_like(confidence), confidence, (told == labels).double())
    )
    return tuple(
        Bin(i / bins, (i + 1) / bins, int(n), sure[i] / n if n else None, right[i] / n if n else None)
        for i, n in enumerate(counts)
    )


def evaluate(probabilities: Tensor, labels: Tensor, classes: tuple[str, ...]) -> Evaluation:
    """Measure predictions against labels.

    Args:
        probabilities: ``float (N, K)``.
        labels: ``int64 (N,)``, from 0 to K - 1.
        classes: K names.

    Raises:
        UsageError: If there is nothing to measure, or the numbers of classes differ.
    """
    count, width = len(labels), len(classes)
    if not count:
        raise UsageError("there are no test pictures to evaluate on")
    if probabilities.shape != (count, width):
        raise UsageError(f"the network gives {tuple(probabilities.shape)}, but the data wants ({count}, {width})")
    told = probabilities.argmax(1)
    table = torch.bincount(labels * width + told, minlength=width * width).view(width, width)
    hits = int(table.diagonal().sum())
    true = probabilities[torch.arange(count), labels].double()
    return Evaluation(
        count=count,
        accuracy=hits / count,
        interval=wilson(hits, count),
        loss=float(-true.clamp_min(1e-12).log().mean()),
        calibration_error=calibration_error(probabilities, labels),
        reliability=reliability(probabilities, labels),
        classes=tuple(_class_score(name, i, table) for i, name in enumerate(classes)),
        confusion=tuple(tuple(row) for row in table.tolist()),
        mistakes=_mistakes(probabilities, told, labels),
    )


def confused(found: Evaluation) -> list[tuple[str, str, int]]:
    """Which class was taken for which, and how often, the most frequent first."""
    names = [score.name for score in found.classes]
    pairs = [
        (names[i], names[j], count)
        for i, row in enumerate(found.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(pairs, key=lambda pair: -pair[2])


def _class_score(name: str, i: int, table: Tensor) -> ClassScore:
    hits, count, told = int(table[i, i]), int(table[i].sum()), int(table[:, i].sum())
    return ClassScore(name, count, hits / count if count else None, hits / told if told else None)


def _mistakes(probabilities: Tensor, told: Tensor, labels: Tensor) -> tuple[Mistake, ...]:
    wrong = (told != labels).nonzero().flatten()
    confidence = probabilities[wrong, told[wrong]]
    order = confidence.argsort(descending=True, stable=True)
    return tuple(Mistake(int(i), int(labels[i]), int(told[i]), float(probabilities[i, told[i]])) for i in wrong[order])


def write_sheet(path: Path, images: Pictures, found: Evaluation, limit: int = 40) -> int:
    """Write a PNG sheet of the worst mistakes: each picture with what it is, what it was told to be, and how surely.

    Args:
        path: The file to write.
        images: All test pictures, ``uint8 (N, C, H, W)`` with C 1 or 3.
        found: Their evaluation.
        limit: How many to show at most.

    Returns:
        How many are shown.
    """
    import io

    from PIL import Image, ImageDraw

    shown = found.mistakes[:limit]
    side, columns = 84, 8
    rows = max(1, math.ceil(len(shown) / columns))
    sheet = Image.new("RGB", (columns * (side + 12) + 12, rows * (side + 36) + 12), "white")
    pen = ImageDraw.Draw(sheet)
    for at, mistake in enumerate(shown):
        x, y = 12 + at % columns * (side + 12), 12 + at // columns * (side + 36)
        picture = images[mistake.index].permute(1, 2, 0).squeeze(2).cpu().numpy()
        sheet.paste(Image.fromarray(picture).convert("RGB").resize((side, side), Image.Resampling.NEAREST), (x, y))
        true, told = found.classes[mistake.true].name, found.classes[mistake.told].name
        pen.text((x, y + side + 2), f"{true}, told {told}\n{100 * mistake.confidence:.0f} %  #{mistake.index}", "black")
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())
    return len(shown)
