"""Opening a person's picture: nothing in a file can exhaust memory, and whatever is wrong with it is one clear line."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from shapeproof.errors import UsageError

MOST_PIXELS = 50_000_000  # a 50-megapixel photograph; decoded in colour that is 150 MB
MOST_BYTES = 64 * 2**20
WORKING_SIDE = 400  # pixels of the longer side that are looked at; 14 times the network's own 28
# Formats read by Pillow's own decoders. PostScript and its like would start other programs.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "ICO")

Pixels = NDArray[np.float32]


def read(path: Path) -> Pixels:
    """The picture in a file, as :func:`decode` gives it.

    Raises:
        UsageError: If the file cannot be read, is too large, or is no whole picture.
    """
    try:
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size / 2**20:.0f} MB; at most {MOST_BYTES >> 20} MB are read")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return decode(content, str(path))


def decode(content: bytes, name: str, most_pixels: int = MOST_PIXELS) -> Pixels:
    """An encoded picture as ``float32 (H, W, 3)``, 0 to 1, its longer side at most :data:`WORKING_SIDE`.

    Turned as its EXIF tag says; transparent parts lie on whichever of white and black stands out from the ink.

    Args:
        content: The file's bytes.
        name: What messages call it.
        most_pixels: Width times height above which it is refused before it is decoded.

    Raises:
        UsageError: If it is no picture, not whole, or too large.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes that are checked here anyhow, and of metadata that is not used.
            warnings.simplefilter("ignore")
            return _decoded(content, name, most_pixels)
    except UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS[:6])
        raise UsageError(f"{name} is not a picture that can be read; known formats are {kinds}") from error
    except Image.DecompressionBombError as error:
        raise UsageError(f"{name} is too large: more than {most_pixels:,} pixels") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError) as error:
        raise UsageError(f"{name} is not a whole picture: {error}") from error


def _decoded(content: bytes, name: str, most_pixels: int) -> Pixels:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if not width or not height:
            raise UsageError(f"{name} is {width} x {height} pixels: there is nothing in it")
        if width * height > most_pixels:
            raise UsageError(f"{name} is {width} x {height} pixels; at most {most_pixels:,} pixels are read")
        image.draft("RGB", (2 * WORKING_SIDE, 2 * WORKING_SIDE))  # a JPEG is decoded at a fraction of its size
        whole = ImageOps.exif_transpose(_eight_bits(image))
        return _on_a_ground(_smaller(whole))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Any mode as RGB or RGBA of 8 bits; grey values beyond 8 bits are scaled by their own range."""
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, dtype=np.float32))
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) * (255 / (high - low) if high > low else 0)
        return Image.fromarray(scaled.astype(np.uint8)).convert("RGB")
    clear = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if clear else "RGB")


def _smaller(image: Image.Image) -> Image.Image:
    longest = max(image.size)
    if longest <= WORKING_SIDE:
        return image
    size = tuple(max(1, round(side * WORKING_SIDE / longest)) for side in image.size)
    mode = "RGBa" if image.mode == "RGBA" else "RGB"  # colours of clear pixels must not bleed
    return image.convert(mode).resize(size, Image.Resampling.BOX, reducing_gap=3.0).convert(image.mode)  # type: ignore[arg-type]


def _on_a_ground(image: Image.Image) -> Pixels:
    pixels: Pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    if pixels.shape[2] == 3:
        return pixels
    colour, cover = pixels[..., :3], pixels[..., 3:]
    total = float(cover.sum())
    ground = 1.0 if total and float((colour * cover).sum()) / (3 * total) < 0.5 else 0.0
    return colour * cover + np.float32(ground) * (1 - cover)
