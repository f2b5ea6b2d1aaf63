"""What a data set is once it has been read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from shapeproof.data.reading import Reading

IN_MEMORY, MAPPED, FROM_FILES = "memory", "memory map", "files"


class Pictures(Protocol):
    """Many pictures ``uint8 (N, C, H, W)``: a tensor, in memory or mapped, or something that reads them when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape ``(N, C, H, W)``."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """``torch.uint8``."""
        ...

    def __len__(self) -> int:
        """How many."""
        ...

    def __getitem__(self, key: Any, /) -> Tensor:
        """Those of a slice or an index tensor, ``uint8 (n, C, H, W)``; of a whole number ``uint8 (C, H, W)``."""
        ...


@dataclass(frozen=True)
class Chosen:
    """Some of many pictures, by index, without copying them.

    Attributes:
        whole: All pictures.
        rows: Which of them, ``int64 (n,)``.
    """

    whole: Pictures
    rows: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape ``(n, C, H, W)``."""
        return (len(self.rows), *self.whole.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """``torch.uint8``."""
        return self.whole.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Tensor:
        return self.whole[self.rows[key]]


def chunks(pictures: Pictures, size: int) -> Iterator[Tensor]:
    """The pictures in order, ``size`` at a time; only one part is in memory where they are read when asked."""
    for at in range(0, len(pictures), size):
        yield pictures[at : at + size]


def evenly(pictures: Pictures, most: int) -> Pictures:
    """At most ``most`` of the pictures, spread evenly over all: a folder's come class by class."""
    count = len(pictures)
    return pictures if count <= most else Chosen(pictures, torch.arange(most) * count // most)


@dataclass(frozen=True)
class DataSet:
    """Pictures and their labels, for training and for testing.

    Attributes:
        name: ``"mnist"``, ``"digits"``, ... or the name of the directory that was read.
        train_images: ``uint8 (N, C, H, W)``, 0 to 255; a tensor unless the set is larger than memory.
        train_labels: ``int64 (N,)``, each from 0 to ``len(classes) - 1``.
        test_images: As ``train_images``.
        test_labels: As ``train_labels``.
        classes: The name of each class, by label.
        checksum: SHA-256 over the unpacked content, 64 hexadecimal digits.
        source: Where the set came from: a folder, or the package itself.
        notice: A line that the user must see before training, or ``None``.
        notes: What else should be known about how the set was read.
        way: How pictures are reached: ``"memory"``, ``"memory map"`` or ``"files"``.
        reading: How it was asked to be read.
    """

    name: str
    train_images: Pictures
    train_labels: Tensor
    test_images: Pictures
    test_labels: Tensor
    classes: tuple[str, ...]
    checksum: str
    source: str
    notice: str | None = None
    notes: tuple[str, ...] = ()
    way: str = IN_MEMORY
    reading: Reading = field(default_factory=Reading)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape ``(C, H, W)`` of one picture."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width
