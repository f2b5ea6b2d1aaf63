"""Errors of a ``DataLoader``'s worker, whose frames stayed there: the batch is fetched again in this process."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from torch.utils.data import IterableDataset, SequentialSampler

from shapeproof.capture.guard import same_randomness
from shapeproof.postmortem.frames import Moment

MOST_FETCHED = 4  # batches; where the order is random, the one that failed is not known


def fetched_again(stack: list[Moment]) -> TracebackType | None:
    """The traceback of fetching the failed batch in this process; ``None`` where it is fine here, or no worker failed.

    In a shuffled order the failed batch is not known: the first batches in order stand in for it.
    """
    loader = next((held for moment in stack if (held := _loader(moment)) is not None), None)
    if loader is None or isinstance(loader._dataset, IterableDataset) or loader._index_sampler is None:
        return None
    for indices in _batches(loader):
        try:
            with same_randomness():
                samples = [loader._dataset[index] for index in indices]
                loader._collate_fn(samples if loader._auto_collation else samples[0])
        except Exception as error:  # noqa: BLE001  # this is the error that is looked for
            return error.__traceback__
    return None


def _loader(moment: Moment) -> Any:
    """The iterator of a loader with workers that hands on what a worker raised."""
    if moment.torchs and moment.code.co_name == "_process_data":
        return moment.frame.f_locals.get("self")
    return None


def _batches(loader: Any) -> list[list[int]]:
    size = getattr(loader._index_sampler, "batch_size", 1) or 1
    total = len(loader._dataset)
    known = isinstance(getattr(loader._index_sampler, "sampler", None), SequentialSampler)
    first = max(loader._rcvd_idx - 1, 0) * size if known else 0
    batches = [list(range(start, min(start + size, total))) for start in range(first, total, size)]
    return batches[: 2 if known else MOST_FETCHED]
