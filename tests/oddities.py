"""Pictures that are no digits: letters, noise, shapes, scribbles."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# letters that nobody would take for a digit, whoever writes them
LETTERS = "ACEFHKMNPRTUVWXYadehkmnprtuvwx"
FONTS = ("DejaVuSans", "DejaVuSerif", "LiberationSans-Regular", "LiberationSerif-Italic")
SIDE = 240


def canvas():
    image = Image.new("L", (SIDE, SIDE), 255)
    return image, ImageDraw.Draw(image)


def letter(text, rng):
    """A letter in strokes as a pen draws it, dark on light; in Pillow's own font where no other is installed."""
    image, draw = canvas()
    draw.text((SIDE / 2, SIDE / 2), text, fill=0, font=font(rng), anchor="mm", stroke_width=int(rng.integers(0, 5)))
    return image.rotate(float(rng.uniform(-12, 12)), Image.Resampling.BICUBIC, fillcolor=255)


def font(rng):
    for name in rng.permutation(FONTS):
        try:
            return ImageFont.truetype(f"{name}.ttf", 150)
        except OSError:
            continue
    return ImageFont.load_default(150)


def scribble(rng):
    """A line that goes to and fro."""
    image, draw = canvas()
    points = [tuple(float(v) for v in rng.uniform(30, 210, 2)) for _ in range(int(rng.integers(6, 14)))]
    draw.line(points, fill=0, width=int(rng.integers(8, 18)), joint="curve")
    return image


def noise(rng):
    side = int(rng.integers(16, 200))
    return Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8))


def cloud(rng):
    """Noise as broad as strokes are."""
    side = int(rng.integers(5, 14))
    small = Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8))
    return small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def shape(kind, rng):
    image, draw = canvas()
    a, b = (float(v) for v in rng.uniform(30, 80, 2))
    c, d = (float(v) for v in rng.uniform(160, 210, 2))
    width = int(rng.integers(10, 20))
    if kind == "square":
        draw.rectangle((a, b, c, d), fill=0)
    elif kind == "disc":
        draw.ellipse((a, b, c, d), fill=0)
    elif kind == "triangle":
        draw.polygon([((a + c) / 2, b), (a, d), (c, d)], fill=0)
    elif kind == "frame":
        draw.rectangle((a, b, c, d), outline=0, width=width)
    elif kind == "cross":
        draw.line((a, b, c, d), fill=0, width=width)
        draw.line((a, d, c, b), fill=0, width=width)
    elif kind == "plus":
        draw.line((a, 120, c, 120), fill=0, width=width)
        draw.line((120, b, 120, d), fill=0, width=width)
    elif kind == "stripes":
        for x in range(30, 220, 36):
            draw.line((x, b, x, d), fill=0, width=width)
    elif kind == "face":
        draw.ellipse((30, 30, 210, 210), outline=0, width=width)
        draw.ellipse((80, 85, 100, 105), fill=0)
        draw.ellipse((140, 85, 160, 105), fill=0)
        draw.arc((75, 90, 165, 175), 20, 160, fill=0, width=width)
    return image


SHAPES = ("square", "disc", "triangle", "frame", "cross", "plus", "stripes", "face")
