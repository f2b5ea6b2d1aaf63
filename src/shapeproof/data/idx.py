"""IDX, the format of MNIST: a four-byte magic number, the sizes as big-endian 32-bit integers, then the bytes.

The format is described at the foot of http://yann.lecun.com/exdb/mnist/ ; only its type 0x08, unsigned bytes, is read
here, which is what every set of the MNIST family uses. Pictures beyond the memory limit are mapped instead of read.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from shapeproof.data.places import cache_folder
from shapeproof.errors import UsageError

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"


LONGEST_HEADER = 4 + 4 * 255  # bytes: a magic number, and as many sizes as one byte can say


def packed(path: Path) -> bool:
    """Whether a file is gzip, told by its first bytes and not by its name."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file's content, decompressed where it is gzip; what goes wrong is said in the user's words."""
    try:
        with gzip.open(path) if packed(path) else path.open("rb") as file:
            yield file  # type: ignore[misc]  # GzipFile reads as a BinaryIO does
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; put it there or run `shapeproof data fetch`") from None
    except EOFError:
        raise UsageError(f"{path} is cut short (its gzip stream does not end); delete it and fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as broken:
        raise UsageError(f"{path} is not sound gzip ({broken}); delete it and fetch it again") from None
    except OSError as trouble:
        raise UsageError(f"{path} cannot be read: {trouble.strerror or trouble}") from None


def unpacked(path: Path) -> bytes:
    """The content of a file, decompressed where it is gzip (told by its first bytes, not by its name).

    Raises:
        UsageError: If the file is missing, cannot be read, or is a broken gzip file.
    """
    with _opened(path) as file:
        return file.read()


def feed(path: Path, digest: hashlib._Hash) -> None:
    """Put the unpacked content of a file into a digest, a piece at a time."""
    with _opened(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)


def payload(path: Path) -> int:
    """How many bytes a file's header announces; raises as :func:`sizes` does where there is no header."""
    with _opened(path) as file:
        head = file.read(LONGEST_HEADER)
    return math.prod(header(head, path))


def header(content: bytes, path: Path) -> tuple[int, ...]:
    """The sizes that an IDX file's first bytes state, outermost first.

    Raises:
        UsageError: If it is no IDX file of unsigned bytes, or ends within its header.
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
    return struct.unpack(f">{content[3]}I", content[4:start])


def sizes(content: bytes, path: Path, length: int | None = None) -> tuple[int, ...]:
    """Read and check the header of an IDX file: its sizes, outermost first.

    Args:
        content: The file's bytes, or its first ones.
        path: For the message.
        length: How many bytes the file has; those of ``content`` unless given.

    Raises:
        UsageError: As :func:`header`, or if the file is not as long as its header says, or holds nothing.
    """
    shape = header(content, path)
    length = len(content) if length is None else length
    expected = 4 + 4 * len(shape) + math.prod(shape)
    if length != expected:
        told = " x ".join(map(str, shape))
        raise UsageError(
            f"{path} holds {length:,} bytes, but its header ({told}) asks for {expected:,}; "
            "delete it and fetch it again"
        )
    if 0 in shape:
        raise UsageError(f"{path} holds nothing: its header says {' x '.join(map(str, shape))}")
    return shape


def tensor(content: bytes, path: Path) -> Tensor:
    """The bytes of an IDX file as a uint8 tensor of the shape that its header states; a copy of its own."""
    shape = sizes(content, path)
    return torch.frombuffer(bytearray(memoryview(content)[4 + 4 * len(shape) :]), dtype=torch.uint8).view(shape)


def mapped(path: Path) -> Tensor:
    """The values of an IDX file as a tensor over a memory map: read from the disk where and when they are used.

    A gzipped file is unpacked once, into the user's cache folder.

    Raises:
        UsageError: As :func:`sizes`, or if the cache folder has no room.
    """
    with _opened(path) as file:
        head = file.read(LONGEST_HEADER)
    plain = _plain(path)
    shape = sizes(head, path, plain.stat().st_size)
    whole = torch.from_file(str(plain), shared=False, size=plain.stat().st_size, dtype=torch.uint8)
    return whole[4 + 4 * len(shape) :].view(shape)


def _plain(path: Path) -> Path:
    """The file itself, or, where it is gzip, its unpacked copy, made if it is not there yet."""
    if not packed(path):
        return path
    state = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:16]
    copy = cache_folder() / "unpacked" / f"{path.stem}-{key}"
    if copy.is_file():
        return copy
    part = copy.with_suffix(".part")
    with _opened(path) as source:
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            part.replace(copy)
        except OSError as trouble:
            if isinstance(trouble, gzip.BadGzipFile):
                raise
            part.unlink(missing_ok=True)
            raise UsageError(
                f"{path} cannot be unpacked to {copy.parent} ({trouble.strerror}); unpack it yourself"
            ) from trouble
    return copy


def images(values: Tensor, path: Path) -> Tensor:
    """Pictures as uint8 ``(N, C, H, W)``: ``N x H x W`` gains a channel, ``N x C x H x W`` is kept.

    Raises:
        UsageError: If these are anything but pictures.
    """
    if values.dim() not in (3, 4):
        raise UsageError(f"{path} holds no pictures: it has {values.dim()} dimension(s), pictures have 3")
    return values[:, None] if values.dim() == 3 else values


def labels(values: Tensor, path: Path) -> Tensor:
    """Labels as int64 ``(N,)``.

    Raises:
        UsageError: If these are anything but one number for each picture.
    """
    if values.dim() != 1:
        raise UsageError(f"{path} holds no labels: it has {values.dim()} dimensions, labels have 1")
    return values.long()
