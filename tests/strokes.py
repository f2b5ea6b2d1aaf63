"""The strokes of a digit: its middle line, thinned after Zhang and Suen (1984) and traced."""

import numpy as np

AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def thinned(mask):
    mask = np.pad(mask, 1)
    while True:
        before = mask.sum()
        for first in (True, False):
            gone = [(y, x) for y, x in np.argwhere(mask) if _goes(mask, y, x, first)]
            for place in gone:
                mask[place] = False
        if mask.sum() == before:
            return mask[1:-1, 1:-1]


def _goes(mask, y, x, first):
    p = [bool(mask[y + dy, x + dx]) for dy, dx in AROUND]
    turns = sum(not a and b for a, b in zip(p, p[1:] + p[:1], strict=True))
    north, east, south, west = p[0], p[2], p[4], p[6]
    if not 2 <= sum(p) <= 6 or turns != 1:
        return False
    if first:
        return not (north and east and south) and not (east and south and west)
    return not (north and east and west) and not (north and south and west)


def strokes(digit):
    """Lines of points ``(x, y)`` as shares of the side, from a picture ``uint8 (28, 28)``."""
    left = {(int(y), int(x)) for y, x in np.argwhere(thinned(digit > 100))}
    lines = []
    while left:
        ends = [p for p in left if sum(_next_to(p, q) for q in left if q != p) == 1]
        line = [min(ends or left)]
        left.discard(line[0])
        near = [q for old in lines for q in old if _next_to(q, line[0])]
        line = near[:1] + line  # a branch begins where it leaves the other
        while nexts := [q for q in left if _next_to(line[-1], q)]:
            line.append(min(nexts, key=lambda q: abs(q[0] - line[-1][0]) + abs(q[1] - line[-1][1])))
            left.discard(line[-1])
        lines.append(line)
    return [[((x + 0.5) / 28, (y + 0.5) / 28) for y, x in line] for line in lines]


def _next_to(p, q):
    return max(abs(p[0] - q[0]), abs(p[1] - q[1])) == 1
