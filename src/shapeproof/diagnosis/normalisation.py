"""Normalisations: the number of features, their place, and the number of dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import Edit, Setup, put, resized
from shapeproof.diagnosis.inputs import batch_edits, unsqueezed
from shapeproof.diagnosis.place import made
from shapeproof.diagnosis.propose import argument, around, input_edit, wrap
from shapeproof.diagnosis.rebuild import BATCH_NORMS, arguments
from shapeproof.diagnosis.source import instead
from shapeproof.diagnosis.width import upstream_width

FOR_RANK = {2: "BatchNorm1d", 3: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}


def find(case: Case) -> Iterator[Edit]:
    """Edits for a normalisation that was made for another number of features or of dimensions."""
    layer = case.owner
    if not isinstance(layer, (BATCH_NORMS, nn.LayerNorm, nn.GroupNorm)):
        return
    entering = _entering(case)
    if not entering:
        return
    if case.code == "one-value":
        yield from _one_value(case)
    elif case.call.op == "layer_norm" and isinstance(layer, nn.LayerNorm):
        yield from _layer_norm(case, layer, entering)
    elif isinstance(layer, nn.GroupNorm):
        yield from argument(case, case.path, "num_channels", entering[1], 0.0, "num-features")
    elif case.call.op in ("batch_norm", "instance_norm"):
        yield from _batch_norm(case, layer, entering)
    else:
        yield from _other_rank(case, layer, entering)


def terms(case: Case) -> tuple[str, str, str] | None:
    """Code, how many dimensions a BatchNorm wants, and what came; where its own check refused that."""
    kind = type(case.owner).__name__
    ranks = [str(rank) for rank, name in FOR_RANK.items() if name == kind]
    if not ranks or case.call.op in ("batch_norm", "instance_norm"):
        return None
    entering = _entering(case)
    return "rank", f"a tensor of {' or '.join(ranks)} dimensions", f"{len(entering)}: {entering}"


def _entering(case: Case) -> tuple[int, ...]:
    given = case.layer_local("input")
    return tuple(given.shape) if isinstance(given, torch.Tensor) else case.entering


def _one_value(case: Case) -> Iterator[Edit]:
    first = case.setup.first()
    if first is not None:
        place, _ = first
        words = "a batch of at least 2 (or call eval())"
        yield input_edit(case, place, "batch", words, lambda x: resized(x, {0: 2}), 0.0, "one-value")


def _layer_norm(case: Case, layer: nn.LayerNorm, entering: tuple[int, ...]) -> Iterator[Edit]:
    wanted, rank = tuple(layer.normalized_shape), len(entering)
    if len(wanted) == 1 and rank >= 3 and entering[1] == wanted[0]:
        last, first = _orders(rank)
        template = f"{{f}}({{}}.permute({last})).permute({first})"
        words = "normalise over the channels, which a LayerNorm looks for in the last dimension"
        yield from around(
            case, template, words, lambda x: x.movedim(1, -1), lambda x: x.movedim(-1, 1), 0.0, "num-features"
        )
    count = min(len(wanted), rank)
    yield from argument(case, case.path, "normalized_shape", entering[-count:], 0.1, "num-features")
    if len(wanted) == 1:
        yield from upstream_width(case, wanted[0])


def _orders(rank: int) -> tuple[str, str]:
    last = (0, *range(2, rank), 1)
    first = (0, rank - 1, *range(1, rank - 1))
    return ", ".join(map(str, last)), ", ".join(map(str, first))


def _batch_norm(case: Case, layer: Any, entering: tuple[int, ...]) -> Iterator[Edit]:
    if len(entering) == 3 and entering[2] == layer.num_features and case.layout(case.fed[0]) != "first":
        template = "{f}({}.transpose(1, 2)).transpose(1, 2)"
        words = "put the features second for it, where a BatchNorm looks for them"
        yield from around(
            case, template, words, lambda x: x.transpose(1, 2), lambda x: x.transpose(1, 2), 0.0, "num-features"
        )  # fmt: skip
    if len(entering) > 1:
        yield from argument(case, case.path, "num_features", entering[1], 0.1, "num-features")
        yield from upstream_width(case, layer.num_features)


def _other_rank(case: Case, layer: Any, entering: tuple[int, ...]) -> Iterator[Edit]:
    """A BatchNorm for another number of dimensions, or a batch or channel that is missing."""
    yield from batch_edits(case)
    kind = type(layer).__name__
    family = kind[:-2] if kind[-2:] in ("1d", "2d", "3d") else ""
    wanted = FOR_RANK.get(len(entering), "").replace("BatchNorm", family)
    fresh: Any = getattr(nn, wanted, None)
    if family and fresh is not None and wanted != kind and case.path is not None:
        at = made(case.setup.model, case.path, case.setup.sources)
        func = at.call.func if at else None
        change = instead(at.file, func, f"nn.{wanted}" if hasattr(func, "attr") else wanted) if at else None

        def apply(setup: Setup) -> None:
            old = setup.model.get_submodule(case.path)
            kept = {
                k: v
                for k, v in arguments(old).items()
                if k in ("num_features", "eps", "momentum", "affine", "track_running_stats")
            }
            put(setup, case.path or "", fresh(**kept).train(old.training))
            setup.sources.note(change)

        where = f"In {at.line}, write" if at else "Write"
        text = f"{where} nn.{wanted} instead of nn.{kind} for {case.path}: what comes has {len(entering)} dimensions."
        yield Edit(
            "argument", case.path, "class", kind, wanted, text, apply, 0.2, "num-features", at.line if at else ""
        )
    if len(entering) == 1:
        words = "give the row its batch"
        yield from wrap(
            case, 0, "{}.unsqueeze(0)", words, lambda x: x.unsqueeze(0), 0.5, "lost-batch", "x.unsqueeze(0)"
        )
    place = next((p for p, value in case.inputs() if tuple(value.shape) == entering), None)
    if place is not None:
        yield unsqueezed(case, place, 0, 0.3)
