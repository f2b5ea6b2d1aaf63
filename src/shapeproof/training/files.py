"""Writing files so that a reader, or the next start, never meets half of one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from shapeproof.errors import UsageError
from shapeproof.files import write_whole


class CannotWriteError(UsageError):
    """A file of the run could not be written: the disk is full, or the folder is not ours."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        CannotWriteError: With the system's reason; an older file of that name stays as it was.
    """
    try:
        write_whole(path, content)
    except UsageError as error:
        raise CannotWriteError(str(error)) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole, as :func:`write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole, indented, with a line end."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def tensors_as_bytes(tensors: dict[str, Tensor]) -> bytes:
    """Tensors by name as a ``safetensors`` file: plain numbers, nothing in it can run."""
    from safetensors.torch import save

    # Sorted and contiguous, so that equal tensors make equal bytes.
    return save({name: tensors[name].detach().cpu().contiguous().clone() for name in sorted(tensors)})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read weights: ``safetensors``, or torch's own format, of which only plain tensors are taken.

    Raises:
        UsageError: If there is no such file, or it is broken, or holds more than tensors.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if path.suffix in (".pt", ".pth", ".bin"):
        return _torch_tensors(path)
    return parse_tensors(content, path)


def parse_tensors(content: bytes, path: Path) -> dict[str, Tensor]:
    """The tensors of a ``safetensors`` file's bytes; ``path`` is for the message only."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise UsageError(f"{path} is not a whole safetensors file: {error}") from error


def _torch_tensors(path: Path) -> dict[str, Tensor]:
    import pickle

    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)  # refuses whatever could run code
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise UsageError(f"{path} is not a file of plain tensors, and nothing else is loaded: {first}") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise UsageError(f"{path} must hold a dictionary of tensors (a state dictionary)")
    return found


def digest(content: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
