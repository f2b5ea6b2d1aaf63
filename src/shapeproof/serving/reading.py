"""One picture from its bytes to an answer: for ``predict`` and for the page."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shapeproof.errors import UsageError
from shapeproof.files import write_whole
from shapeproof.serving.certainty import Answer, answer, shown
from shapeproof.serving.opening import reads_digits
from shapeproof.serving.pictures import Pixels, read
from shapeproof.serving.preparing import Prepared, prepare
from shapeproof.training.run import Run


@dataclass(frozen=True)
class Reading:
    """What was seen in a picture, and what is said of it.

    Attributes:
        seen: ``uint8 (H, W)`` or ``(H, W, 3)``: what the network was shown.
        answer: What it says.
        prepared: How ``seen`` came about; ``None`` where the network is no reader of digits and the picture was
            only brought to its size.
    """

    seen: Any
    answer: Answer
    prepared: Prepared | None

    @property
    def letters(self) -> str:
        """What was seen, in letters."""
        return shown(self.seen if self.seen.ndim == 2 else self.seen.mean(axis=2))


def read_picture(run: Run, path: Path) -> Reading:
    """Read a file. Raises :class:`~shapeproof.errors.UsageError` if it is no picture that can be read."""
    return read_pixels(run, read(path))


def read_pixels(run: Run, pixels: Pixels) -> Reading:
    """Read a picture ``float32 (H, W, 3)``, 0 to 1."""
    if reads_digits(run):
        prepared = prepare(pixels)
        return Reading(prepared.seen, answer(run, prepared.seen, found=prepared.found), prepared)
    seen = _fitted(pixels, run)
    planes = seen if seen.ndim == 3 else seen[..., None]
    return Reading(seen, answer(run, np.ascontiguousarray(planes.transpose(2, 0, 1))), None)


def _fitted(pixels: Pixels, run: Run) -> Any:
    """The whole picture in the size and colours that a network of something else than digits reads."""
    wanted = run.preparation
    if wanted.channels not in (1, 3):
        raise UsageError(f"{run.path} reads pictures of {wanted.channels} colours; a picture has 1 or 3")
    image = Image.fromarray(np.rint(255 * pixels).astype(np.uint8))
    image = image.convert("L" if wanted.channels == 1 else "RGB")
    return np.asarray(image.resize((wanted.width, wanted.height), Image.Resampling.BILINEAR))


def save(reading: Reading, folder: Path, name: str) -> Path:
    """Write what was seen as ``NAME-seen.png``, whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--save-seen {folder}: cannot be made ({error.strerror})") from error
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(reading.seen)).save(target, "PNG")
    path = folder / f"{name}-seen.png"
    write_whole(path, target.getvalue())
    return path
