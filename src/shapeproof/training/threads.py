"""How many threads: no more than the processors that are ours, and fewer where fewer are quicker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Choice:
    """How many threads a run uses, and why.

    Attributes:
        threads: At least 1.
        reason: One sentence for the user and the record.
    """

    threads: int
    reason: str


def cgroup_limit(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Processors that the control group grants (may be a fraction), ``None`` where it sets no limit.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (``cpu.max``) and version 1's ``cpu.cfs_quota_us``.
    """
    try:
        quota, period = (root / "cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota = (root / "cpu" / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
        period = (root / "cpu" / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        return None if int(quota) < 0 else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def available(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors that this process may use: its affinity, cut to the control group's limit; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroup_limit(root)
    return max(1, allowed if limit is None else min(allowed, int(limit)))


def choose(step: Callable[[], object], asked: int | None = None, repeats: int = 2) -> Choice:
    """Choose the number of threads, and set it.

    Args:
        step: One training step on a copy of the network, to be timed.
        asked: A number that the user or a record gives; nothing is timed then.
        repeats: Steps to time at each number; the quickest counts.
    """
    most = available()
    if asked is not None:
        choice = Choice(asked, "as asked")
    elif given := os.environ.get("OMP_NUM_THREADS"):
        choice = Choice(torch.get_num_threads(), f"OMP_NUM_THREADS={given}")
    elif most == 1:
        choice = Choice(1, "one processor is available")
    else:
        choice = _timed(step, most, repeats)
    torch.set_num_threads(choice.threads)
    return choice


def _timed(step: Callable[[], object], most: int, repeats: int) -> Choice:
    seconds = {}
    for threads in (most, 1):
        torch.set_num_threads(threads)
        step()  # the first one prepares kernels
        seconds[threads] = min(_seconds(step) for _ in range(repeats))
    best = min(seconds, key=lambda threads: seconds[threads])
    timings = ", ".join(f"{1000 * seconds[n]:.1f} ms at {n}" for n in sorted(seconds))
    return Choice(best, f"a step takes {timings}")


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
