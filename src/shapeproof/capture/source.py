"""Which line of the user's code asked for an operation."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from types import CodeType, FrameType

import torch

from shapeproof.dims.conditions import branch

_TORCH = str(Path(torch.__file__).parent) + os.sep  # torchvision beside it is a user of torch
_HERE = str(Path(__file__).parent.parent) + os.sep


def source_line(frame: FrameType | None) -> str:
    """``file:line`` of the innermost frame that is neither torch's nor ours; ``""`` if there is none."""
    found = user_frame(frame)
    return f"{found.f_code.co_filename}:{found.f_lineno}" if found else ""


def user_spot(frame: FrameType | None) -> tuple[CodeType, int] | None:
    """The code of that frame, and the instruction that it is at."""
    found = user_frame(frame)
    return (found.f_code, found.f_lasti) if found else None


@functools.lru_cache(maxsize=4096)
def is_users(name: str) -> bool:
    """Whether a file's code is the user's: neither torch's nor ours."""
    return not name.startswith(_TORCH) and not is_ours(name) and not name.startswith("<frozen")


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is neither torch's nor ours; ``None`` if there is none."""
    while frame is not None:
        name = frame.f_code.co_filename
        if is_users(name):
            return frame
        if frame.f_code.co_name == "run" and is_ours(name):
            return None
        frame = frame.f_back
    return None


def is_ours(name: str) -> bool:
    """Whether a file is part of this package, the built-in models apart."""
    return name.startswith(_HERE) and not name.startswith(_HERE + "models")


def compared(kind: str, left: int, right: int, outcome: bool) -> None:
    """A comparison of sizes in Python: a branch of the user's where their code asks, and not PyTorch's own."""
    asking: FrameType | None = sys._getframe(2)
    while asking is not None and is_ours(asking.f_code.co_filename):
        asking = asking.f_back
    users = asking is not None and is_users(asking.f_code.co_filename)
    branch(kind, left, right, outcome, "branch" if users else "case")
