"""A data set's pictures brought to the size and the colours asked for, and its labels to another's classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from shapeproof.data.dataset import IN_MEMORY, DataSet, Pictures, chunks
from shapeproof.data.pictures import CHANNELS
from shapeproof.data.reading import Reading
from shapeproof.errors import UsageError

# Luma of ITU-R BT.601, as Pillow's conversion to grey has it.
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Converted:
    """Pictures that are brought to a shape when they are asked for.

    Attributes:
        source: The pictures as they are.
        wanted: The shape ``(C, H, W)`` of each.
    """

    source: Pictures
    wanted: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape ``(N, C, H, W)``."""
        return (len(self.source), *self.wanted)

    @property
    def dtype(self) -> torch.dtype:
        """``torch.uint8``."""
        return self.source.dtype

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: Any) -> Tensor:
        found = self.source[key]
        return converted(found[None], self.wanted)[0] if found.dim() == 3 else converted(found, self.wanted)


def converted(images: Tensor, wanted: tuple[int, int, int]) -> Tensor:
    """Pictures ``uint8 (N, C, H, W)`` with other colours (1 or 3 channels) and another size (bilinear)."""
    x = images
    if x.shape[1] == 3 and wanted[0] == 1:
        x = (x.float() * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True).round().to(torch.uint8)
    if x.shape[2:] != torch.Size(wanted[1:]):
        stretched = functional.interpolate(x.float(), wanted[1:], mode="bilinear", antialias=True)
        x = stretched.round().clamp(0, 255).to(torch.uint8)
    return x.expand(-1, wanted[0], -1, -1).contiguous()


def uniform(data: DataSet, reading: Reading) -> DataSet:
    """The set with its pictures in the size and the colours that ``reading`` asks for; itself where they are.

    Raises:
        UsageError: If the pictures have neither 1 nor 3 channels, and other colours are asked for.
    """
    channels, height, width = data.shape
    rows, columns = reading.image_size or (height, width)
    wanted = (CHANNELS[reading.colour] if reading.colour else channels, rows, columns)
    if wanted == data.shape:
        return replace(data, reading=reading)
    if wanted[0] != channels and channels not in CHANNELS.values():
        raise UsageError(f"{data.name} has pictures with {channels} channels; leave out --colour")
    own, asked = ("x".join(map(str, shape)) for shape in (data.shape, wanted))
    train, test = (_all(images, wanted, data.way) for images in (data.train_images, data.test_images))
    note = f"pictures are brought from {own} to {asked}, as asked"
    return replace(data, train_images=train, test_images=test, notes=(*data.notes, note), reading=reading)


def _all(images: Pictures, wanted: tuple[int, int, int], way: str) -> Pictures:
    if way != IN_MEMORY or not len(images):
        return Converted(images, wanted)
    return torch.cat([converted(part, wanted) for part in chunks(images, 5_000)])


def with_classes(data: DataSet, classes: tuple[str, ...]) -> DataSet:
    """The set with its labels counted as in ``classes``; itself where its classes are those, or as many others.

    Raises:
        UsageError: If it has fewer or more classes, and they are not found by name.
    """
    if len(data.classes) == len(classes) and (data.classes == classes or set(data.classes) != set(classes)):
        return data
    if strange := [name for name in data.classes if name not in classes]:
        raise UsageError(
            f"the run tells {len(classes)} classes apart, but {data.name} has {len(data.classes)}, among them "
            f"unknown ones: {', '.join(strange[:10])}"
        )
    place = torch.tensor([classes.index(name) for name in data.classes])
    return replace(data, train_labels=place[data.train_labels], test_labels=place[data.test_labels], classes=classes)
