"""Pictures that are no digits, made from digits and from strokes at random, for `make_pretrained.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from shapeproof.serving.preparing import placed

SIDE = 112
TURNED = (2, 3, 4, 5, 7)  # a quarter turn leaves no digit
MIRRORED = (3, 4, 6, 7, 9)  # 2 and 5 become one another


def no_digits(images: Any, labels: Any, count: int, seed: int) -> Any:
    """``uint8 (count, 28, 28)``, prepared as a person's picture would be."""
    rng = np.random.default_rng(seed)
    makers = (glued, glued, turned, mirrored, doubled, strokes, strokes, strokes, strokes, blot)
    found: list[Any] = []
    while len(found) < count:
        picture = makers[int(rng.integers(len(makers)))](images, labels, rng)
        if picture.max() > 200:
            found.append(placed(picture.astype(np.float32) / 255).seen)
    return np.stack(found)


def _one(images: Any, labels: Any, rng: Any, among: tuple[int, ...] = tuple(range(10))) -> Any:
    while True:
        place = int(rng.integers(len(images)))
        if int(labels[place]) in among:
            return images[place]


def glued(images: Any, labels: Any, rng: Any) -> Any:
    """The upper part of one digit and the lower of another, or left and right."""
    first, second = _one(images, labels, rng), _one(images, labels, rng)
    cut, slip = int(rng.integers(10, 18)), int(rng.integers(-4, 5))
    second = np.roll(second, slip, axis=1)
    glued_ = np.concatenate([first[:cut], second[cut:]] if rng.random() < 0.5 else [first[:cut], first[:cut][::-1]])
    glued_ = glued_[:28] if len(glued_) >= 28 else np.pad(glued_, ((0, 28 - len(glued_)), (0, 0)))
    return glued_ if rng.random() < 0.5 else glued_.T


def turned(images: Any, labels: Any, rng: Any) -> Any:
    """A digit turned by about a quarter."""
    image = Image.fromarray(_one(images, labels, rng, TURNED))
    angle = float(rng.choice([90, 270]) + rng.uniform(-15, 15))
    return np.asarray(image.rotate(angle, Image.Resampling.BICUBIC))


def mirrored(images: Any, labels: Any, rng: Any) -> Any:
    """A digit seen in a mirror."""
    return _one(images, labels, rng, MIRRORED)[:, ::-1]


def doubled(images: Any, labels: Any, rng: Any) -> Any:
    """Two digits on top of one another, or side by side."""
    first, second = _one(images, labels, rng), _one(images, labels, rng)
    if rng.random() < 0.5:
        return np.maximum(first, np.roll(second, int(rng.integers(-5, 6)), axis=1))
    return np.concatenate([first[:, 4:24], second[:, 4:24]], axis=1)


def strokes(images: Any, labels: Any, rng: Any) -> Any:
    """Three to six strokes, straight or bent, between places where letters have theirs."""
    image = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    width = int(rng.integers(6, 18))
    wide, high = rng.uniform(0.4, 1), rng.uniform(0.6, 1)
    last = None
    for _ in range(int(rng.integers(3, 7))):
        begin = last if last is not None and rng.random() < 0.6 else _anchor(rng, wide, high)
        end = _anchor(rng, wide, high)
        bend = (begin + end) / 2 + (rng.uniform(-45, 45, 2) if rng.random() < 0.4 else 0)
        t = np.linspace(0, 1, 12)[:, None]
        path = (1 - t) ** 2 * begin + 2 * t * (1 - t) * bend + t**2 * end
        draw.line([tuple(p) for p in path.tolist()], fill=255, width=width, joint="curve")
        last = end
    return np.asarray(image)


def _anchor(rng: Any, wide: float, high: float) -> Any:
    grid = np.array([rng.integers(0, 3) / 2 * wide, rng.integers(0, 5) / 4 * high])
    return 14 + grid * (SIDE - 28) + rng.normal(0, 3, 2)


def blot(images: Any, labels: Any, rng: Any) -> Any:
    """A filled shape, a frame, stripes, dots or a cloud."""
    image = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    kind = int(rng.integers(6))
    points = [tuple(p) for p in rng.uniform(10, SIDE - 10, (int(rng.integers(3, 8)), 2)).tolist()]
    a, b, c, d = (float(v) for v in (*rng.uniform(8, 40, 2), *rng.uniform(60, 104, 2)))
    width = int(rng.integers(5, 16))
    if kind == 0:
        draw.polygon(points, fill=255)
    elif kind == 1:
        draw.ellipse((a, b, c, d), fill=255)
    elif kind == 2:
        draw.rectangle((a, b, c, d), fill=255 if rng.random() < 0.5 else 0, outline=255, width=width)
    elif kind == 3:
        for x in range(10, SIDE, 2 * width):
            draw.line((x, b, x + float(rng.uniform(-8, 8)), d), fill=255, width=width)
    elif kind == 4:
        for x, y in points:
            draw.ellipse((x - width, y - width, x + width, y + width), fill=255)
    else:
        side = int(rng.integers(4, 10))
        cloud = Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8))
        image = cloud.resize((SIDE, SIDE), Image.Resampling.BICUBIC).point(lambda v: 255 if v > 140 else 0)
    return np.asarray(image)
