"""From any picture of a digit to what MNIST would have made of it: the one place for the page and for ``predict``.

MNIST's own making, after LeCun, Cortes and Burges: the ink is cut out, brought into a 20x20 box with its aspect ratio
kept and its edges softened, and laid into 28x28 with its centre of mass in the middle. Before that a person's picture
needs more: its ground is estimated and taken away, ink is told from ground, specks are dropped, and a pen that would
be a hair's breadth after shrinking is thickened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from shapeproof.serving.pictures import Pixels

SIZE, BOX = 28, 20
GRID = 64  # side of the grid on which the ground is fitted
FAINTEST = 0.05  # contrast, of 1, under which there is no ink
CLEAREST = 6.0  # times the ground's own noise that ink must stand out
SPECK = 0.04  # share of the largest piece of ink under which another is dirt
THINNEST = 2.0  # pixels of the 28x28 picture under which a stroke is thickened; MNIST's are 2 to 4 wide

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Prepared:
    """What the network is shown, and how it came about.

    Attributes:
        seen: ``uint8 (28, 28)``, ink bright on black.
        found: Whether there was ink at all; ``seen`` is black otherwise.
        dark_on_light: Whether the ink was darker than its ground.
        box: Left, top, right, bottom of the ink in the picture, as shares of its width and height, 0 to 1.
        scale: Pixels of ``seen`` for one of the picture's width and of its height.
        offset: Where the picture's left top corner lies in ``seen``, in its pixels: x, y.
        contrast: How far ink stands out from its ground, 0 to 1.
        noise: The ground's own deviation, 0 to 1.
    """

    seen: Grey
    found: bool
    dark_on_light: bool = False
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    scale: tuple[float, float] = (28.0, 28.0)
    offset: tuple[float, float] = (0.0, 0.0)
    contrast: float = 0.0
    noise: float = 0.0


def prepare(pixels: Pixels) -> Prepared:
    """Prepare a picture ``float32 (H, W, 3)``, 0 to 1, of any size, ink darker or lighter than its ground."""
    signal, dark = _signal(pixels)
    ink, contrast, noise = _ink(signal)
    if ink is None:
        return Prepared(np.zeros((SIZE, SIZE), np.uint8), False, contrast=contrast, noise=noise)
    return placed(_without_specks(ink), dark, contrast, noise)


def _signal(pixels: Pixels) -> tuple[Pixels, bool]:
    """How far each pixel stands out from its ground, along the colour in which it does most; and whether darker."""
    apart = pixels - _ground(pixels)
    flat = apart.reshape(-1, 3)
    _, vectors = np.linalg.eigh(flat.T @ flat)
    axis = vectors[:, -1]
    along = apart @ axis
    if float((along.astype(np.float64) ** 3).sum()) < 0:  # ink is the rarer, the larger way out
        axis, along = -axis, -along
    return along.astype(np.float32), bool(axis.sum() < 0)


def _ground(pixels: Pixels) -> Pixels:
    """The even part of the light: a surface of second degree in each colour, fitted to what is not ink.

    Robust least squares, begun from the border's median, since a border shows more ground than ink.
    """
    small = np.stack([_resized(pixels[..., c], (GRID, GRID)) for c in range(3)], axis=-1)
    terms = _terms(GRID, GRID)
    rim = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    fit = np.zeros((6, 3))
    fit[0] = np.median(rim, axis=0)
    flat = small.reshape(-1, 3)
    for least in (0.3, 0.2, 0.1, 0.05, 0.03, 0.03):
        away = np.linalg.norm(flat - terms @ fit, axis=1)
        width = max(least, 1.5 * float(np.median(away)) if least < 0.1 else least)
        weight = (1 / (1 + (away / width) ** 2) ** 2)[:, None]
        normal = terms.T @ (terms * weight) + 1e-3 * np.diag([0, 1, 1, 1, 1, 1])
        fit = np.linalg.solve(normal, terms.T @ (flat * weight))
    height, width_ = pixels.shape[:2]
    surface = _terms(height, width_) @ fit
    ground: Pixels = surface.reshape(height, width_, 3).astype(np.float32)
    return ground


def _terms(height: int, width: int) -> NDArray[np.float64]:
    y, x = np.meshgrid(
        (np.arange(height) + 0.5) / height * 2 - 1, (np.arange(width) + 0.5) / width * 2 - 1, indexing="ij"
    )
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _ink(signal: Pixels) -> tuple[Pixels | None, float, float]:
    """Ink from 0 to 1, its contrast and the ground's noise; no ink where nothing stands out clearly."""
    if float(np.ptp(signal)) < FAINTEST:
        return None, float(np.ptp(signal)), 0.0
    edge = _otsu(signal)
    over = signal >= edge
    if not over.any() or over.all():
        return None, 0.0, 0.0
    below = signal[~over]
    middle = float(np.median(below))
    noise = 1.4826 * float(np.median(np.abs(below - middle)))
    full = float(np.percentile(signal[over], 75))
    contrast = full - middle
    if contrast < max(FAINTEST, CLEAREST * noise):
        return None, contrast, noise
    low = middle + min(3 * noise, 0.35 * contrast)
    ink = np.clip((signal - low) / (full - low), 0, 1)
    return ink.astype(np.float32), contrast, noise


def _otsu(values: Pixels) -> float:
    """The threshold between two groups that leaves the least variance within them (Otsu, 1979)."""
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    left = np.cumsum(counts)
    right = left[-1] - left
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = left * right * (sums / left - (sums[-1] - sums) / right) ** 2
    return float(edges[1 + int(np.nanargmax(between[:-1]))])


def _without_specks(ink: Pixels) -> Pixels:
    """The ink without pieces far smaller than the largest, or running out of the picture beside one that does not."""
    side = max(ink.shape)
    step = -(-side // 128)
    height, width = (-(-size // step) for size in ink.shape)
    padded = np.zeros((height * step, width * step), np.float32)
    padded[: ink.shape[0], : ink.shape[1]] = ink
    small = padded.reshape(height, step, width, step).max(axis=(1, 3)) > 0.4
    pieces = _pieces(small)
    if len(pieces) < 2:
        return ink
    inside = [p for p in pieces if not _runs_out(p, height, width)]
    largest = max(len(piece) for piece in inside or pieces)
    all_largest = max(len(piece) for piece in pieces)
    judged = inside if inside and largest >= 0.1 * all_largest else pieces
    keep = np.zeros_like(small)
    for piece in judged:
        if len(piece) >= SPECK * max(len(p) for p in judged):
            keep[tuple(np.array(piece).T)] = True
    grown = np.asarray(Image.fromarray(keep).convert("L").filter(ImageFilter.MaxFilter(3))) > 0
    big = np.repeat(np.repeat(grown, step, axis=0), step, axis=1)[: ink.shape[0], : ink.shape[1]]
    return np.where(big, ink, 0).astype(np.float32)


def _runs_out(piece: list[tuple[int, int]], height: int, width: int) -> bool:
    return any(y in (0, height - 1) or x in (0, width - 1) for y, x in piece)


def _pieces(mask: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Connected pieces of a mask, neighbours across corners too, as lists of places."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    found = []
    while left:
        first = left.pop()
        piece, edge = [first], [first]
        while edge:
            y, x = edge.pop()
            for place in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if place in left:
                    left.remove(place)
                    piece.append(place)
                    edge.append(place)
        found.append(piece)
    return found


def placed(ink: Pixels, dark: bool = False, contrast: float = 1.0, noise: float = 0.0) -> Prepared:
    """Ink ``(H, W)`` from 0 to 1 in its 20x20 box, in 28x28, its centre of mass in the middle; there must be some."""
    left, top, right, bottom = _bounds(ink, 0.05 + min(0.25, 2 * noise / contrast))
    scale = BOX / max(right - left, bottom - top)
    ink, grown = _thickened(ink, scale)
    height, width = ink.shape
    left, top = max(0, left - grown), max(0, top - grown)
    right, bottom = min(width, right + grown), min(height, bottom + grown)
    scale = BOX / max(right - left, bottom - top)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    small = _resized(ink, size, (left, top, right, bottom))
    small = np.clip(small / max(1e-6, float(small.max())), 0, 1)
    x, y = (_middle(small, axis) for axis in (0, 1))
    seen = np.zeros((3 * SIZE, 3 * SIZE), np.float32)
    # MNIST's centres of mass lie from 14 to 15, pixels counted from the edge
    first_y, first_x = SIZE + math.ceil(SIZE / 2 - y), SIZE + math.ceil(SIZE / 2 - x)
    seen[first_y : first_y + size[1], first_x : first_x + size[0]] = small
    seen = seen[SIZE : 2 * SIZE, SIZE : 2 * SIZE]
    per_x, per_y = size[0] / (right - left), size[1] / (bottom - top)
    return Prepared(
        np.rint(255 * seen).astype(np.uint8), True, dark,
        (left / width, top / height, right / width, bottom / height),
        (per_x * width, per_y * height),
        (first_x - SIZE - left * per_x, first_y - SIZE - top * per_y),
        contrast, noise,
    )  # fmt: skip


def _bounds(ink: Pixels, least: float) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((ink > least).any(axis=1)), np.flatnonzero((ink > least).any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _thickened(ink: Pixels, scale: float) -> tuple[Pixels, int]:
    """The ink with strokes of at least :data:`THINNEST` pixels after scaling, and by how many pixels it grew."""
    mask = ink > 0.5
    inner = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    rim = int(mask.sum()) - int(inner.sum())
    width = 2 * float(mask.sum()) / max(1, rim) * scale  # a stroke's area over half its rim
    grown = round((THINNEST - width) / scale / 2) if scale < 0.7 else 0
    if grown < 1:
        return ink, 0
    grown = min(grown, 12)
    image = Image.fromarray(np.rint(255 * np.pad(ink, grown)).astype(np.uint8))
    wide = image.filter(ImageFilter.MaxFilter(2 * grown + 1)).filter(ImageFilter.BoxBlur(grown / 2))
    values = np.asarray(wide, np.float32)[grown:-grown, grown:-grown] / 255
    return values.astype(np.float32), grown


def _middle(ink: Pixels, axis: int) -> float:
    """The centre of mass along one axis, in pixels from the edge."""
    weight = ink.sum(axis=axis)
    return float(((np.arange(len(weight)) + 0.5) * weight).sum() / weight.sum())


def _resized(values: Pixels, size: tuple[int, int], box: tuple[int, int, int, int] | None = None) -> Pixels:
    """Resample to ``(width, height)``, every source pixel taking part."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box), np.float32)
