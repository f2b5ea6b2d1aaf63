"""Which line of the user's code asked for an operation."""

from __future__ import annotations

import os
from pathlib import Path
from types import FrameType

import torch

_TORCH = str(Path(torch.__file__).parent) + os.sep  # torchvision beside it is a user of torch
_HERE = str(Path(__file__).parent.parent) + os.sep


def source_line(frame: FrameType | None) -> str:
    """``file:line`` of the innermost frame that is neither torch's nor ours; ``""`` if there is none."""
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_TORCH) and not _is_ours(name) and not name.startswith("<frozen"):
            return f"{name}:{frame.f_lineno}"
        if _is_ours(name) and "capture" in name and frame.f_code.co_name == "run":
            return ""
        frame = frame.f_back
    return ""


def _is_ours(name: str) -> bool:
    return name.startswith(_HERE) and not name.startswith(_HERE + "models")
