"""How threads wait for one another, which must be said before torch is loaded."""

from __future__ import annotations

import os

# Turns that a thread of GNU OpenMP waits awake before it sleeps. Seconds of `fast` for 0.2 epoch, two threads on two
# shared cores: none 2.4, 1,000 turns 1.6, its own 300,000 1.5; with two other busy processes 3.2, 3.6 and 55.
TURNS = 1000


def wait_briefly() -> None:
    """Let threads wait awake for a moment only: long waits cost most where processors are shared.

    For a process of our own, before it loads torch, which reads this once. Whoever has set how threads wait keeps that.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", str(TURNS))
