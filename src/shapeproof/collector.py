"""Python's collector of cycles, kept out of what should be short."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Put Python's search for unreachable cycles off until the block ends.

    It goes through all that torch has loaded, which takes longer than to derive a network; of what one run makes, most
    is still needed when the run is over. At the end only what is new is gone through; what is older has its turn in
    the program's own time.
    """
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            if gc.get_count()[0] > gc.get_threshold()[0]:
                gc.collect(0)
            gc.enable()
