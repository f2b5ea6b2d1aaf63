"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from shapeproof.errors import UsageError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write to a temporary file beside ``path`` and rename it, so that no reader ever sees half a file.

    Raises:
        UsageError: if the folder cannot be written to, or the disk is full; an older file stays as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def near(text: str) -> str:
    """A text with every path below the working folder written from there, as one would."""
    try:
        folder = str(Path.cwd())
    except FileNotFoundError:  # removed in the meantime
        return text
    return text if folder == os.sep else text.replace(folder + os.sep, "")
