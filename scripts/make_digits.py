"""Make the files of `src/shapeproof/data/digits/` from the copy of the UCI digits that scikit-learn carries.

    pip install scikit-learn
    python scripts/make_digits.py

Each 8x8 picture (values 0 to 16) is enlarged to 20x20 (bicubic) and set into 28x28, its centre of mass in the middle,
as MNIST's pictures were, so that one network and one way of preparing a picture serve both sets. The order of
the source is kept: it runs writer by writer, and the last 360 of the 1,797 are the test set.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor

FOLDER = Path(__file__).resolve().parent.parent / "src" / "shapeproof" / "data" / "digits"
TEST = 360
LEVELS = 17  # grey levels kept: the source has 17, and few levels make small files


def centred(picture: Tensor) -> Tensor:
    """Set one 20x20 picture into 28x28, its centre of mass on the middle (whole pixels)."""
    along = torch.arange(20.0)
    mass = picture.sum()
    top = round(13.5 - float((picture.sum(1) * along).sum() / mass))
    left = round(13.5 - float((picture.sum(0) * along).sum() / mass))
    top, left = min(max(top, 0), 8), min(max(left, 0), 8)
    canvas = torch.zeros(28, 28)
    canvas[top : top + 20, left : left + 20] = picture
    return canvas


def enlarged(pictures: Tensor) -> Tensor:
    """Turn ``(N, 8, 8)`` with values 0 to 16 into uint8 ``(N, 28, 28)`` with values 0 to 255."""
    big = torch.nn.functional.interpolate(pictures[:, None], size=(20, 20), mode="bicubic", align_corners=False)
    big = (big[:, 0] * (LEVELS / 16)).clamp(0, LEVELS).round() * (255 // LEVELS)
    return torch.stack([centred(picture) for picture in big]).to(torch.uint8)


def write(name: str, values: Tensor) -> None:
    """Write uint8 values as gzipped IDX; the same values always give the same bytes."""
    header = struct.pack(f">HBB{values.dim()}I", 0, 8, values.dim(), *values.shape)
    content = header + bytes(values.flatten().tolist())
    (FOLDER / f"{name}.gz").write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


def main() -> None:
    """Write the four files."""
    source = load_digits()
    images = enlarged(torch.tensor(source.images, dtype=torch.float32))
    labels = torch.tensor(source.target, dtype=torch.uint8)
    write("train-images-idx3-ubyte", images[:-TEST])
    write("train-labels-idx1-ubyte", labels[:-TEST])
    write("t10k-images-idx3-ubyte", images[-TEST:])
    write("t10k-labels-idx1-ubyte", labels[-TEST:])
    print("train", labels[:-TEST].long().bincount().tolist(), "test", labels[-TEST:].long().bincount().tolist())


if __name__ == "__main__":
    main()
