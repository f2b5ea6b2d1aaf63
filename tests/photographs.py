"""Digits as people's pictures have them: large, turned, dark on uneven light, noisy, compressed."""

import io
import zlib

import numpy as np
from PIL import Image

PAPERS = ((250, 248, 240), (235, 230, 210), (222, 226, 232), (200, 200, 196))
INKS = ((25, 25, 30), (20, 35, 110), (110, 20, 25), (60, 60, 62))


def photograph(digit, rng):
    """A digit ``uint8 (28, 28)`` as a photograph of pen on paper: 400 to 900 pixels wide, as a PIL picture."""
    side = int(rng.integers(200, 420))
    ink = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    ink = ink.rotate(float(rng.uniform(-10, 10)), Image.Resampling.BICUBIC)
    width, height = int(rng.integers(side + 60, 900)), int(rng.integers(side + 60, 900))
    cover = np.zeros((height, width), np.float32)
    top, left = int(rng.integers(0, height - side)), int(rng.integers(0, width - side))
    cover[top : top + side, left : left + side] = np.asarray(ink, np.float32) / 255
    cover = np.clip((cover - 0.3) / 0.4, 0, 1)[..., None]  # a pen's edge is sharp
    paper = np.array(PAPERS[rng.integers(len(PAPERS))], np.float32)
    pen = np.array(INKS[rng.integers(len(INKS))], np.float32)
    scene = (paper * (1 - cover) + pen * cover) * light(height, width, rng)[..., None]
    scene += rng.normal(0, rng.uniform(2, 10), scene.shape)
    return Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))


def light(height, width, rng):
    """A slope of light and a vignette, about 1 at the brightest."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    angle, slope, dark = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.2), rng.uniform(0, 0.3)
    return 1 - slope * (1 + np.cos(angle) * x + np.sin(angle) * y) / 2 - dark * (x**2 + y**2) / 2


def encoded(image, form="JPEG", **options):
    """A PIL picture as the bytes of a file."""
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def claiming(width, height):
    """A PNG file of a few bytes whose header speaks of another size."""
    content = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)
