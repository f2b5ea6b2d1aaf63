"""IDX, the format of MNIST: a four-byte magic number, the sizes as big-endian 32-bit integers, then the bytes.

The format is described at the foot of http://yann.lecun.com/exdb/mnist/ ; only its type 0x08, unsigned bytes, is read
here, which is what every set of the MNIST family uses.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from shapeproof.errors import UsageError

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"


def unpacked(path: Path) -> bytes:
    """The content of a file, decompressed where it is gzip (told by its first bytes, not by its name).

    Raises:
        UsageError: If the file is missing, cannot be read, or is a broken gzip file.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == GZIP_MAGIC else content
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; put it there or run `shapeproof data fetch`") from None
    except EOFError:
        raise UsageError(f"{path} is cut short (its gzip stream does not end); delete it and fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as broken:
        raise UsageError(f"{path} is not sound gzip ({broken}); delete it and fetch it again") from None
    except OSError as trouble:
        raise UsageError(f"{path} cannot be read: {trouble.strerror or trouble}") from None


def sizes(content: bytes, path: Path) -> tuple[int, ...]:
    """Read and check the header of an IDX file: its sizes, outermost first.

    Raises:
        UsageError: If the content is empty, no IDX of unsigned bytes, or not as long as its header says.
    """
    if not content:
        raise UsageError(f"{path} is empty; delete it and fetch it again")
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE or content[3] == 0:
        raise UsageError(
            f"{path} is no IDX file of unsigned bytes: it starts with 0x{content[:4].hex()}, "
            "where images have 0x00000803 and labels 0x00000801"
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise UsageError(f"{path} is cut short within its header; delete it and fetch it again")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    expected = start + math.prod(shape)
    if len(content) != expected:
        header = " x ".join(map(str, shape))
        raise UsageError(
            f"{path} holds {len(content):,} bytes, but its header ({header}) asks for {expected:,}; "
            "delete it and fetch it again"
        )
    return shape


def tensor(content: bytes, path: Path) -> Tensor:
    """The bytes of an IDX file as a uint8 tensor of the shape that its header states; a copy of its own."""
    shape = sizes(content, path)
    if 0 in shape:
        raise UsageError(f"{path} holds nothing: its header says {' x '.join(map(str, shape))}")
    return torch.frombuffer(bytearray(memoryview(content)[4 + 4 * len(shape) :]), dtype=torch.uint8).view(shape)


def images(content: bytes, path: Path) -> Tensor:
    """Pictures as uint8 ``(N, C, H, W)``: ``N x H x W`` gains a channel, ``N x C x H x W`` is kept.

    Raises:
        UsageError: If the file is broken, or holds anything but pictures.
    """
    values = tensor(content, path)
    if values.dim() not in (3, 4):
        raise UsageError(f"{path} holds no pictures: it has {values.dim()} dimension(s), pictures have 3")
    return values[:, None] if values.dim() == 3 else values


def labels(content: bytes, path: Path) -> Tensor:
    """Labels as int64 ``(N,)``.

    Raises:
        UsageError: If the file is broken, or holds anything but one number for each picture.
    """
    values = tensor(content, path)
    if values.dim() != 1:
        raise UsageError(f"{path} holds no labels: it has {values.dim()} dimensions, labels have 1")
    return values.long()
