"""Pictures that stay in their files, read by a ``DataLoader`` while the steps before theirs are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from shapeproof.data.dataset import Pictures
from shapeproof.training import threads

MOST_WORKERS = 4


class _Rows(Dataset[Tensor]):
    """A data set whose items are whole batches: asked for an index tensor, it reads those pictures."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    def __getitem__(self, rows: Tensor) -> Tensor:
        return self.pictures[rows]


class Ahead:
    """Gives the pictures of one step after another.

    Args:
        pictures: Where they are.
        rows: Says for any step which pictures it wants, ``int64 (n,)``.
        steps: How many steps there are.
        workers: Processes that read; by default one less than there are processors, at most four.
    """

    def __init__(
        self, pictures: Pictures, rows: Callable[[int], Tensor], steps: int, workers: int | None = None
    ) -> None:
        self.pictures, self.rows, self.steps = pictures, rows, steps
        self.workers = min(MOST_WORKERS, threads.available() - 1) if workers is None else workers
        self._next = -1
        self._batches: Iterator[Tensor] = iter(())

    def at(self, step: int) -> Tensor:
        """The pictures of a step, ``uint8 (n, C, H, W)``; reading starts anew where it is not the next one."""
        if step != self._next:
            wanted = (self.rows(later) for later in range(step, self.steps))
            loader = DataLoader(_Rows(self.pictures), batch_size=None, sampler=wanted, num_workers=self.workers)
            self._batches = iter(loader)
        self._next = step + 1
        return next(self._batches)
