"""Networks repeat themselves: runs of steps that are alike, block after block, are told once."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence

from shapeproof.derivation.model import Step
from shapeproof.records import dataclass

LONGEST = 80  # steps in one block, at most
LEAST = 6  # steps that a fold must save


@dataclass(frozen=True)
class Group:
    """A block of steps and how often it runs.

    Attributes:
        start: index of its first step.
        length: steps in one block.
        times: how often it runs, one right after the other; 1 for a stretch that does not repeat.
    """

    start: int
    length: int
    times: int = 1


def folded(steps: Sequence[Step]) -> tuple[Group, ...]:
    """Every step in order, in groups; blocks that follow one another are alike in all but name and place."""
    keys = [likeness(step) for step in steps]
    groups: list[Group] = []
    place = begin = 0
    while place < len(keys):
        found = _repeat(steps, keys, place)
        if found is None:
            place += 1
            continue
        if begin < found.start:
            groups.append(Group(begin, found.start - begin))
        groups.append(found)
        place = begin = found.start + found.length * found.times
    if begin < len(keys):
        groups.append(Group(begin, len(keys) - begin))
    return tuple(groups)


def owner(steps: Sequence[Step]) -> str:
    """The module in which all these steps run, ``""`` where that is the model itself."""
    paths = [step.module.split(".") for step in steps]
    alike = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    return ".".join(parts[0] for parts in alike)


def likeness(step: Step) -> Hashable:
    """What makes two steps alike: all but their names, and where their inputs come from, counted backwards."""
    # what comes from far back comes from before the repetition, from ever further back
    distances = tuple(min(step.index - parent, LONGEST) for parent in step.parents)
    return (step.op, str(step.inputs), str(step.output), step.formula, step.arithmetic, step.verdict, distances,
            step.cost.parameters, str(step.cost.macs))  # fmt: skip


def _repeat(steps: Sequence[Step], keys: list[Hashable], place: int) -> Group | None:
    """The block that begins here and saves the most lines by being told once, if it saves enough."""
    best = Group(place, 1)
    for length in range(1, min(LONGEST, (len(keys) - place) // 2) + 1):
        times = _times(keys, place, length)
        if (times - 1) * length > (best.times - 1) * best.length:
            best = Group(place, length, times)
    best = _aligned(steps, keys, best)
    return best if (best.times - 1) * best.length >= LEAST else None


def _times(keys: list[Hashable], place: int, length: int) -> int:
    times = 1
    block = keys[place : place + length]
    while keys[place + times * length : place + (times + 1) * length] == block:
        times += 1
    return times


def _aligned(steps: Sequence[Step], keys: list[Hashable], found: Group) -> Group:
    """The same repetition, begun where a module begins rather than in the middle of one."""
    for start in range(found.start, found.start + found.length):
        times = _times(keys, start, found.length)
        blocks = [steps[at : at + found.length] for at in range(start, start + times * found.length, found.length)]
        names = {owner(block) for block in blocks}
        if times > 1 and len(names) == times and "" not in names:
            return Group(start, found.length, times)
    return found
