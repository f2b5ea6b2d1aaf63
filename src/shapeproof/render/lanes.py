"""Where results go that are not used at once: skips and branches as lanes beside the column of steps."""

from __future__ import annotations

from collections.abc import Sequence

from shapeproof.records import dataclass

MOST = 8  # lanes that are drawn; the steps' own words name every source


@dataclass(frozen=True)
class Row:
    """What runs beside one row.

    Attributes:
        straight: whether the row above feeds this one.
        through: lanes that pass by.
        begins: the lane that leaves this row downwards, ``None`` without one.
        ends: lanes that reach this row from above and end here.
        taps: lanes from which this row takes and that go on.
    """

    straight: bool
    through: tuple[int, ...] = ()
    begins: int | None = None
    ends: tuple[int, ...] = ()
    taps: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """How many lanes this row needs."""
        used = (*self.through, *self.ends, *self.taps, *(() if self.begins is None else (self.begins,)))
        return max(used, default=-1) + 1


def rows(parents: Sequence[Sequence[int]]) -> list[Row]:
    """Lay out lanes for rows whose parents are rows above; a row fed only by the row above needs none."""
    last: dict[int, int] = {}
    for place, sources in enumerate(parents):
        last |= {source: place for source in sources if source < place - 1}
    lanes: dict[int, int] = {}  # source -> lane
    laid = []
    for place, sources in enumerate(parents):
        used = [source for source in sources if source in lanes and source < place - 1]
        done = {source for source in lanes if last[source] == place}
        ends = tuple(lanes[source] for source in used if source in done)
        taps = tuple(lanes[source] for source in used if source not in done)
        for source in done:
            del lanes[source]
        through = tuple(lane for source, lane in lanes.items() if lane not in taps)
        begins = _free(lanes) if place in last else None
        if begins is not None:
            lanes[place] = begins
        laid.append(Row(place - 1 in sources, through, begins, ends, taps))
    return laid


def _free(lanes: dict[int, int]) -> int | None:
    free = [lane for lane in range(MOST) if lane not in lanes.values()]
    return free[0] if free else None
