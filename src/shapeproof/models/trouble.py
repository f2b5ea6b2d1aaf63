"""What went wrong in a user's own code, told in their lines alone."""

from __future__ import annotations

import linecache
import os
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from shapeproof.errors import OwnError, ShapeproofError
from shapeproof.files import near

MOST_LINES = 6
_THEIRS_NOT = (
    str(Path(torch.__file__).parent) + os.sep,
    str(Path(__file__).parent.parent) + os.sep,
    sysconfig.get_path("stdlib") + os.sep,
    "<frozen",
)


def users_lines(error: BaseException) -> list[str]:
    """The lines of the user's code that the exception came through, outermost first; packages count as theirs."""
    found = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(frame.filename)]
    lines = [f"{near(f.filename)}:{f.lineno} in {f.name}: {f.line}" for f in found]
    if isinstance(error, SyntaxError) and error.filename:
        text = (error.text or linecache.getline(error.filename, error.lineno or 1)).strip()
        lines.append(f"{near(error.filename)}:{error.lineno}: {text}")
    if len(lines) > MOST_LINES:
        lines = [lines[0], f"... {len(lines) - MOST_LINES} lines between", *lines[-MOST_LINES + 1 :]]
    return lines


def _is_theirs(name: str) -> bool:
    packages = f"{os.sep}site-packages{os.sep}"
    return not name.startswith(_THEIRS_NOT) or (packages in name and not name.startswith(_THEIRS_NOT[:2]))


def told(error: BaseException) -> str:
    """An exception, the user's lines that it came through, and its notes."""
    text = " ".join(str(error).split())
    head = f"{type(error).__name__}: {text}" if text else type(error).__name__
    notes = getattr(error, "__notes__", ())
    return "\n".join([head, *(f"  {line}" for line in users_lines(error)), *map(near, notes)])


@contextmanager
def told_in_users_lines(doing: str, kind: type[ShapeproofError] = OwnError) -> Iterator[None]:
    """Turn whatever the user's code raises in the block into an error of ours that tells it in their lines."""
    try:
        yield
    except ShapeproofError:
        raise
    except MemoryError as error:
        raise kind(f"{doing}: out of memory; a smaller batch or input may fit\n{told(error)}") from error
    except Exception as error:
        raise kind(f"{doing}: {told(error)}") from error
    except SystemExit as error:
        raise kind(f"{doing}: it called sys.exit({error.code})\n{told(error)}") from error
