"""One picture file, as ``uint8``; and many of them, read when they are asked for."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".tif", ".tiff", ".webp", ".avif"}
)
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
CHANNELS = {"grey": 1, "rgb": 3}


class UnreadableError(Exception):
    """A file is no whole picture; says why in a few words."""


@dataclass(frozen=True)
class Header:
    """What a picture's first bytes say.

    Attributes:
        size: Rows and columns, upright.
        coloured: Whether it has colours.
    """

    size: tuple[int, int]
    coloured: bool


def header(path: Path) -> Header:
    """Read only a picture's header.

    Raises:
        UnreadableError: If it is no picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            columns, rows = picture.size
            turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # EXIF's orientation: a quarter turn
            return Header((columns, rows) if turned else (rows, columns), picture.mode not in GREY_MODES)
    except Exception as error:  # Pillow's plugins raise whatever a broken file makes them
        raise UnreadableError(_reason(error)) from error


def read(path: Path, size: tuple[int, int], colour: str) -> Tensor:
    """A picture ``uint8 (C, rows, columns)``, 0 to 255.

    It is turned upright as its EXIF data says, laid on white where it is transparent, and stretched to ``size``
    where it has another (bilinear, averaged over the pixels that fall together). Of several frames the first counts.

    Args:
        path: The file.
        size: Rows and columns.
        colour: ``"grey"`` or ``"rgb"``.

    Raises:
        UnreadableError: If it is no whole picture.
    """
    import numpy
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            opened.load()
            picture = _plain(ImageOps.exif_transpose(opened), colour)
        if picture.size != size[::-1]:
            picture = picture.resize(size[::-1], Image.Resampling.BILINEAR)
        values = torch.from_numpy(numpy.array(picture, dtype=numpy.uint8))
    except Exception as error:  # as above
        raise UnreadableError(_reason(error)) from error
    return values[None] if colour == "grey" else values.permute(2, 0, 1).contiguous()


def _plain(picture: Image, colour: str) -> Image:
    """Without transparency, palette or deep pixels: mode ``L`` or ``RGB``."""
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _eight_bits(picture)
    if "A" in picture.getbands() or "transparency" in picture.info:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert("L" if colour == "grey" else "RGB")


def _eight_bits(picture: Image) -> Image:
    """A grey picture of 16 bits a pixel as one of 8; Pillow's own conversion would cut off what is above 255."""
    import numpy
    from PIL import Image

    values = numpy.asarray(picture).astype(numpy.float64)
    scale = 257.0 if values.max(initial=0.0) > 255 else 1.0
    return Image.fromarray((values / scale).round().clip(0, 255).astype(numpy.uint8))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip().splitlines()
    return "no picture that can be read" if not text or "cannot identify" in text[0] else text[0][:120]


@dataclass(frozen=True)
class PictureFiles:
    """Pictures that stay in their files and are read when asked for; a ``Pictures`` of :mod:`shapeproof.data.dataset`.

    Attributes:
        paths: The files.
        size: Rows and columns to bring each to.
        colour: ``"grey"`` or ``"rgb"``.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    colour: str

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape ``(N, C, H, W)``."""
        return (len(self.paths), CHANNELS[self.colour], *self.size)

    @property
    def dtype(self) -> torch.dtype:
        """``torch.uint8``."""
        return torch.uint8

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: Any) -> Tensor:
        if isinstance(key, int):
            return self._one(key)
        chosen = range(len(self.paths))[key] if isinstance(key, slice) else torch.as_tensor(key).tolist()
        if not chosen:
            return torch.empty(0, *self.shape[1:], dtype=torch.uint8)
        return torch.stack([self._one(at) for at in chosen])

    def _one(self, at: int) -> Tensor:
        try:
            return read(self.paths[at], self.size, self.colour)
        except UnreadableError as error:
            from shapeproof.errors import UsageError

            raise UsageError(f"{self.paths[at]} can no longer be read: {error}") from error


def read_all(paths: list[Path], take: Any) -> list[Any]:
    """What ``take(at, path)`` gives for each file, in order, on as many threads as there are processors."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(take, range(len(paths)), paths))
