"""How a user's own data set is to be read, and how much of it is kept in memory."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapeproof.errors import UsageError

COLOURS = ("grey", "rgb")
UNREADABLE = ("stop", "skip")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MEMORY_VARIABLE = "SHAPEPROOF_MEMORY"


@dataclass(frozen=True)
class Reading:
    """How a data set is read; all of it is in ``run.json``, so that another command reads it the same way.

    Attributes:
        image_size: Rows and columns to which every picture of a folder is brought, each at least 1; ``None`` where
            they all have one size already.
        colour: ``"grey"`` (1 channel) or ``"rgb"`` (3); ``None``: rgb where any picture of a folder is coloured.
        unreadable: What a picture that cannot be read does: ``"stop"`` or ``"skip"``.
        test_share: Share held out for testing where a folder has no part for it, in (0, 1); 1 for all.
        split_seed: Decides which; not the seed of the training, so that several runs have one test set.
    """

    image_size: tuple[int, int] | None = None
    colour: str | None = None
    unreadable: str = "stop"
    test_share: float = 0.2
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.image_size is not None and min(self.image_size) < 1:
            raise UsageError(f"--image-size {self.image_size[0]}x{self.image_size[1]}: give at least 1x1")
        for value, allowed, option in (
            (self.colour, (None, *COLOURS), "--colour"),
            (self.unreadable, UNREADABLE, "--unreadable"),
        ):
            if value not in allowed:
                raise UsageError(f"{option} {value}: give {' or '.join(str(word) for word in allowed if word)}")
        if not 0 < self.test_share <= 1:
            raise UsageError(f"--test-share {self.test_share:g}: give a share greater than 0, such as 0.2")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**dataclasses.asdict(self), "image_size": list(self.image_size) if self.image_size else None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Reading:
        """What :meth:`to_dict` wrote."""
        size = values.get("image_size")
        return cls(**{**values, "image_size": (int(size[0]), int(size[1])) if size else None})


def parse_size(text: str) -> tuple[int, int]:
    """``"28"`` is 28 rows and columns, ``"28x32"`` 28 rows and 32 columns.

    Raises:
        UsageError: If the text is neither.
    """
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdigit() for part in parts):
        raise UsageError(f"--image-size {text}: give one number, such as 28, or rows and columns, such as 28x32")
    return int(parts[0]), int(parts[-1])


def parse_bytes(text: str) -> int:
    """``"500M"`` is 500 times 2**20 bytes; K, M, G and T, or none.

    Raises:
        UsageError: If the text is no such size.
    """
    number, unit = text.strip().upper().removesuffix("B"), ""
    if number and number[-1] in UNITS:
        number, unit = number[:-1], number[-1]
    try:
        return int(float(number) * UNITS[unit])
    except (ValueError, OverflowError):
        raise UsageError(f"{MEMORY_VARIABLE}={text}: give bytes, such as 500M or 2G") from None


def memory_limit() -> int:
    """Up to how many bytes of pictures are kept in memory: ``SHAPEPROOF_MEMORY``, else half of what is free."""
    given = os.environ.get(MEMORY_VARIABLE)
    return parse_bytes(given) if given else free_memory() // 2


def free_memory(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process could still take: what the system says, cut to what the control group leaves.

    Source: ``MemAvailable`` in https://docs.kernel.org/filesystems/proc.html, ``memory.max`` and ``memory.current`` in
    https://docs.kernel.org/admin-guide/cgroup-v2.html. Where neither is told, half of the machine's memory.
    """
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        free = _half_of_machine()
    try:
        most = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        used = (cgroup / "memory.current").read_text(encoding="ascii").strip()
        return free if most == "max" else max(0, min(free, int(most) - int(used)))
    except (OSError, ValueError):
        return free


def _half_of_machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 2 << 30


def size_in_words(count: int) -> str:
    """``"47 MB"``: bytes as a person says them, in powers of ten."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= size:
            return f"{count / size:.{0 if count >= 10 * size else 1}f} {unit}"
    return f"{count} bytes"
