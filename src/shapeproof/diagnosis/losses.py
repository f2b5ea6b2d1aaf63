"""Losses: targets of another batch, one-hot targets, a trailing 1, classes last, too few classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from shapeproof.diagnosis.case import Case, sizes
from shapeproof.diagnosis.edits import Edit, Setup
from shapeproof.diagnosis.meeting import branches, functional
from shapeproof.diagnosis.propose import argument, input_edit, wrap
from shapeproof.diagnosis.reshaping import lost_batch
from shapeproof.diagnosis.source import written
from shapeproof.diagnosis.width import upstream_width

CLASSES = ("cross_entropy", "nll_loss")
ALIKE = (
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "kl_div",
    "binary_cross_entropy_with_logits", "soft_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
)  # fmt: skip


def find(case: Case) -> Iterator[Edit]:
    """Edits for a loss whose predictions and targets do not fit."""
    if case.call.op == "embedding":
        yield from _table(case)
    if case.call.op not in (*CLASSES, *ALIKE) or len(case.fed) < 2:
        return
    predicted, target = sizes(case.fed[0]), sizes(case.fed[1])
    if predicted[:1] != target[:1]:
        yield from _batches(case, predicted, target)
    if case.call.op in CLASSES:
        yield from _classes(case, predicted, target)
    else:
        yield from _alike(case, predicted, target)


def terms(case: Case) -> tuple[str, str, str] | None:
    """Code, what the loss expects and what came."""
    if case.call.op == "embedding" and isinstance(case.error, IndexError):
        rows = sizes(case.fed[1])[0] if len(case.fed) > 1 else 0
        return "num-embeddings", f"indices from 0 to {rows - 1}, num_embeddings = {rows}", "an index outside of them"
    if case.call.op not in (*CLASSES, *ALIKE) or len(case.fed) < 2:
        return None
    predicted, target = sizes(case.fed[0]), sizes(case.fed[1])
    if case.call.op in ALIKE:
        return (
            ("target-batch" if predicted[:1] != target[:1] else "target-shape"),
            f"a target of {predicted}",
            str(target),
        )
    wanted = (*predicted[:1], *predicted[2:]) if len(predicted) > 1 else ()
    if predicted[:1] != target[:1]:
        return "target-batch", f"{predicted[0] if predicted else 1} targets, one for each prediction", f"{target}"
    if isinstance(case.error, IndexError):
        return (
            "num-classes",
            f"class indices from 0 to {predicted[1] - 1} for predictions of {predicted}",
            "one outside of them",
        )
    return "target-shape", f"a target of {wanted}, class indices, for predictions of {predicted}", f"{target}"


def _one(
    case: Case, index: int, call: str, words: str, change: Callable[[Tensor], Tensor], cost: float, code: str
) -> Iterator[Edit]:
    """An operation on predictions or targets: in the user's line, or in what is given to the loss."""
    if case.operand(index) is not None:
        yield from wrap(case, index, "{}" + call, words, change, cost, code, "x" + call)
        return
    place = case.input_of(case.fed[index])
    if place is not None:
        yield input_edit(
            case,
            place,
            "target" if index else "predictions",
            f"{'target' if index else 'prediction'}{call}",
            change,
            cost,
            code,
        )
    elif index == 0:
        yield from wrap(case, index, "{}" + call, words, change, cost, code, "x" + call)


def _batches(case: Case, predicted: tuple[int, ...], target: tuple[int, ...]) -> Iterator[Edit]:
    lost = list(lost_batch(case, "target-batch"))
    yield from lost
    if len(predicted) == 2 and len(target) == 2 and predicted[0] == target[0] * target[1]:
        yield from _one(
            case, 1, ".reshape(-1)", "put the targets in one row too", lambda x: x.reshape(-1), 0.0, "target-batch"
        )
    if len(predicted) == 3 and len(target) == 1 and target[0] == predicted[0] * predicted[1]:
        words = "put the predictions of all steps one below the other"
        yield from _one(case, 0, ".flatten(0, 1)", words, lambda x: x.flatten(0, 1), 0.0, "target-batch")
    if len(predicted) == 1 and len(target) == 1 and target[0] == 1:
        yield from _one(
            case, 0, ".unsqueeze(0)", "give the prediction its batch", lambda x: x.unsqueeze(0), 0.2, "target-batch"
        )
    place = case.input_of(case.fed[1])
    if place is not None and predicted and not lost and (place != 0 or len(list(case.inputs())) == 1):
        wanted = (predicted[0], *target[1:])

        def apply(setup: Setup) -> None:
            held: Any = setup.args if isinstance(place, int) else setup.kwargs
            held[place] = held[place].new_zeros(wanted)

        text = f"Give targets of the predictions' batch: {wanted} instead of {target}."
        yield Edit("input", "", "target", target, wanted, text, apply, 0.5, "target-batch")


def _classes(case: Case, predicted: tuple[int, ...], target: tuple[int, ...]) -> Iterator[Edit]:
    rank = len(predicted)
    if rank >= 3 and len(target) == rank - 1 and predicted[:-1] == target:
        order = (0, rank - 1, *range(1, rank - 1))
        call = ".transpose(1, 2)" if rank == 3 else f".permute({', '.join(map(str, order))})"
        words = "put the classes second, where a class loss looks for them"
        yield from _one(case, 0, call, words, lambda x: x.permute(order), 0.0, "classes-last")
    axis = target.index(1, 1) if 1 in target[1:] else 0
    if len(target) == rank and axis and (*target[:axis], *target[axis + 1 :]) == (*predicted[:1], *predicted[2:]):
        yield from _one(
            case, 1, f".squeeze({axis})", "take out the dimension of 1", lambda x: x.squeeze(axis), 0.0, "target-shape"
        )
    elif len(target) == rank and target[0] == predicted[0] and target[2:] == predicted[2:] and rank > 1:
        words = "give class indices instead of one-hot rows"
        wider = target[1] > predicted[1]  # then the last layer has too few classes, whatever the target's form
        yield from _one(case, 1, ".argmax(dim=1)", words, lambda x: x.argmax(dim=1), 0.9 if wider else 0.0, "one-hot")
        if wider:
            yield from (replace(edit, code="num-classes") for edit in upstream_width(case, target[1], 0.0))
    if rank >= 3 and len(target) == rank - 1 and target[0] == predicted[0] and predicted[2:] != target[1:]:
        yield from _one_size(case, len(target))
    if isinstance(case.error, IndexError):
        yield from _too_few(case, predicted)


def _one_size(case: Case, rank: int) -> Iterator[Edit]:
    """Predictions for each place brought to the target's height and width."""
    node, function = case.operand(1), functional(case)
    if node is None or not function or rank != 3:
        return
    new = f"{function}.interpolate({{}}, size={written(node, case.text)}.shape[-2:])"
    words = "bring the predictions to the target's height and width"
    yield from wrap(case, 0, new, words, lambda x: x, 0.3, "target-shape", "F.interpolate(x, size=y.shape[-2:])")


def _too_few(case: Case, predicted: tuple[int, ...]) -> Iterator[Edit]:
    """A class index that the last layer has no output for."""
    place = case.input_of(case.fed[1])
    held: Any = case.setup.args if isinstance(place, int) else case.setup.kwargs
    target = held[place] if place is not None else None
    if not isinstance(target, Tensor) or not target.numel() or target.is_floating_point():
        return
    low, high = int(target.min()), int(target.max())
    if low >= 1 and high == predicted[1]:
        yield from _one(case, 1, " - 1", "count the classes from 0", lambda x: x - 1, 0.0, "num-classes")
    yield from upstream_width(case, high + 1, 0.2)


def _alike(case: Case, predicted: tuple[int, ...], target: tuple[int, ...]) -> Iterator[Edit]:
    if predicted == (*target, 1):
        yield from _one(
            case, 1, ".unsqueeze(-1)", "give the target the same last 1", lambda x: x.unsqueeze(-1), 0.0, "target-shape"
        )
        yield from _one(
            case,
            0,
            ".squeeze(-1)",
            "take the last 1 from the predictions",
            lambda x: x.squeeze(-1),
            0.2,
            "target-shape",
        )
    elif target == (*predicted, 1):
        yield from _one(
            case, 1, ".squeeze(-1)", "take the last 1 from the target", lambda x: x.squeeze(-1), 0.0, "target-shape"
        )
    elif predicted[:1] == target[:1] and _count(predicted) == _count(target):
        node = case.operand(1)
        if len(target) > len(predicted) == 2:
            yield from _one(
                case, 1, ".flatten(1)", "flatten the target too", lambda x: x.flatten(1), 0.1, "target-shape"
            )
        elif node is not None:
            call = f".reshape({written(node, case.text)}.shape)"
            yield from _one(case, 0, call, "give the predictions the target's shape", lambda x: x, 0.1, "target-shape")
    if len(predicted) == 4 and predicted[2:] == (1, 1) and target[:1] == predicted[:1] and len(target) == 1:
        yield from _one(
            case, 0, ".flatten()", "put the predictions in one row", lambda x: x.flatten(), 0.1, "target-shape"
        )
    if len(predicted) == len(target) and predicted[:1] == target[:1]:
        yield from branches(case, "target-shape")
        if len(predicted) == 2:
            yield from upstream_width(case, target[1], 0.2)
    if len(predicted) == 2 and predicted[:1] == target and predicted[1] > 1:
        yield from upstream_width(case, 1, 0.6)


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _table(case: Case) -> Iterator[Edit]:
    """An index beyond an embedding's rows."""
    layer = case.owner
    place = case.input_of(case.fed[0]) if case.fed else None
    held: Any = case.setup.args if isinstance(place, int) else case.setup.kwargs
    indices = held[place] if place is not None else None
    if isinstance(layer, nn.Embedding) and isinstance(indices, Tensor) and int(indices.min()) >= 0:
        yield from argument(case, case.path, "num_embeddings", int(indices.max()) + 1, 0.0, "num-embeddings")
