"""Free dimensions: sizes that run are found, the domain is solved, and both are borne out by running the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeproof.capture.naming import place_name
from shapeproof.capture.trace import Trace
from shapeproof.derivation.domain import FREE, Domain, Part
from shapeproof.derivation.edges import edges
from shapeproof.derivation.explore import Way, explore, hold, sample
from shapeproof.derivation.model import Derivation, ShapeWarning, Step
from shapeproof.derivation.parts import by_likeness, parts_of, simplified
from shapeproof.derivation.steps import SHOWN
from shapeproof.dims.conditions import collecting
from shapeproof.dims.dim import at

RunAt = Callable[[dict[str, int], bool], Trace]
DeriveAt = Callable[[dict[str, int]], Derivation]

LIGHT_MACS = 10**9
LIGHT_BYTES = 2**28
MANY_STEPS = 1500  # a run of so many takes a second or so
MOST_BRANCHES = 3  # the model's own branches that a domain tells apart; more are put together


def meeting(failed: Derivation, tried: dict[str, int]) -> dict[str, int] | None:
    """Sizes that meet every condition seen so far and the one that failed; ``None`` where there are none such."""
    sizes = sample([c.relation for c in failed.conditions], tried)
    return sizes if sizes and sizes != tried else None


def other_way(failed: Derivation, tried: dict[str, int], derive_at: DeriveAt) -> dict[str, int] | None:
    """Sizes with which the model takes another way and comes through; ``None`` where none are found."""
    ways, _ = explore(way_of(failed, tried), lambda sizes: look(derive_at, sizes), until_it_runs=True)
    return ways[-1].sizes if ways[-1].runs else None


def fails_too(failed: Derivation, tried: dict[str, int], sizes: dict[str, int]) -> bool:
    """Whether the model, which failed at the sizes tried, goes the same way at these, and fails for the same reason."""
    way = way_of(failed, tried)
    return way.failed is not None and hold(way.relations, sizes) and not hold([way.failed], sizes)


def light(derivation: Derivation, sizes: dict[str, int]) -> bool:
    """Whether a run at these sizes is cheap enough on real tensors to need no count on its way."""
    if derivation.cost.macs is None:
        return False
    share = math.prod(sizes.values()) / math.prod(size for _, size in derivation.sizes)
    return (
        at(derivation.cost.macs, sizes) <= LIGHT_MACS and int(derivation.cost.activation_bytes) * share <= LIGHT_BYTES
    )


def way_of(derivation: Derivation, sizes: dict[str, int]) -> Way:
    """What a derivation at these sizes showed of the way that it went."""
    conditions = derivation.conditions
    failed = None
    if conditions and not conditions[-1].relation.holds(sizes):
        *held, last = conditions
        conditions, failed = tuple(held), last.relation
    return Way(
        conditions=conditions,
        failed=failed,
        runs=derivation.verdict != "failed",
        proved=derivation.verdict == "proved",
        reads=str(derivation.output),
        sizes=sizes,
    )


def look(derive_at: DeriveAt, sizes: dict[str, int]) -> Way:
    """Derive at these sizes; an exception of the model's own is a way that does not come through."""
    with collecting() as conditions:
        try:
            return way_of(derive_at(sizes), sizes)
        except Exception:  # noqa: BLE001  # the model's own, raised for these sizes: it does not run there
            return Way(tuple(conditions), None, runs=False, proved=False, reads="", sizes=sizes)


def checked(derivation: Derivation, derive_at: DeriveAt, run_at: RunAt) -> Derivation:
    """Follow every way, solve the domain, and run the model just inside and just outside of every edge.

    Inside, the model must run and every step must have the size that its letters say; outside, it must fail.
    """
    first = way_of(derivation, dict(derivation.sizes))
    ways, doubt = explore(first, lambda sizes: look(derive_at, sizes))
    domain = solved(tuple(first.sizes), [way for way in ways if way.runs])
    if not all(way.proved for way in ways if way.runs):
        doubt = doubt or "an operation has no rule"
    lost, unlike, beyond = _borne_out(derivation, first, domain, run_at)
    wider, names = _opened(domain, beyond)
    if names:
        also_lost, contradicts, _ = _borne_out(derivation, first, wider, run_at)
        if not contradicts:
            domain, lost = wider, lost or also_lost
            unlike = f"the steps are those of {_words({n: first.sizes[n] for n in names})}, and other sizes ran too"
    doubt = doubt or unlike
    domain = replace(domain, exact=not doubt and lost is None and bool(domain.parts), why=doubt)
    warnings = derivation.warnings + ((_lost(lost),) if lost else ())
    return replace(derivation, domain=domain, warnings=warnings)


def solved(letters: Sequence[str], ways: Sequence[Way]) -> Domain:
    """The domain that the ways which come through make together, the first one's branch first."""
    together = len({way.branch for way in ways}) > MOST_BRANCHES
    parts: list[Part] = []
    for way in ways:
        branch = () if together else way.branch
        parts += [replace(part, branch=branch) for part in parts_of(letters, way.relations)]
    first = ways[0].branch if ways else ()
    return Domain(tuple(letters), tuple(sorted(simplified(parts), key=lambda p: (p.branch != first, by_likeness(p)))))


def _opened(domain: Domain, beyond: Sequence[Mapping[str, int]]) -> tuple[Domain, list[str]]:
    """The domain with any size of the letters that alone kept sizes out which ran, and these letters.

    So it is where a model unrolls over a size: its steps, and with them what they require, are those of one size.
    """
    opened: dict[str, None] = {}
    parts: list[Part] = []
    for part in domain.parts:
        for sizes in beyond:
            outside = [name for name in part.box if sizes[name] not in part.box[name]]
            free = replace(part, box={**part.box, **dict.fromkeys(outside, FREE)})
            if len(outside) == 1 and outside[0] not in part.ties and free.contains(sizes):
                part = free
                opened[outside[0]] = None
        parts.append(part)
    return replace(domain, parts=tuple(simplified(parts))), list(opened)


def _borne_out(
    derivation: Derivation, way: Way, domain: Domain, run_at: RunAt
) -> tuple[Step | None, str, list[dict[str, int]]]:
    """The first step that lost a letter, what a run near an edge contradicts, and sizes outside that ran."""
    inside, outside = edges(domain, way.sizes, few=len(derivation.steps) > MANY_STEPS)
    lost: Step | None = None
    unlike = ""
    beyond: list[dict[str, int]] = []
    for sizes in inside:
        trace = _safely(run_at, sizes, light(derivation, sizes))
        if trace is None or trace.error is not None:
            unlike = unlike or f"it does not run at {_words(sizes)}"
        elif all(relation.holds(sizes) for relation in way.relations):
            lost = lost or _first_unlike(derivation, trace, sizes)
    for sizes in outside:
        trace = _safely(run_at, sizes, light(derivation, sizes))
        if trace is not None and trace.error is None:
            unlike = unlike or f"it runs at {_words(sizes)} too"
            beyond.append(sizes)
    return lost, unlike, beyond


def _words(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())


def _safely(run_at: RunAt, sizes: dict[str, int], bare: bool) -> Trace | None:
    try:
        return run_at(sizes, bare)
    except Exception:  # noqa: BLE001  # the model's own error at another size: it does not run there
        return None


def _first_unlike(derivation: Derivation, trace: Trace, sizes: dict[str, int]) -> Step | None:
    """The first step whose letters do not give the size that PyTorch has at these numbers."""
    for step, call in zip(derivation.steps, trace.calls, strict=False):
        if step.op != SHOWN.get(call.op, call.op) or _numbers(step.output, sizes) != _numbers(call.output, sizes):
            return step
    if derivation.steps and _numbers(derivation.output, sizes) != _numbers(trace.output, {}):
        return derivation.steps[-1]
    return derivation.steps[-1] if derivation.steps and len(derivation.steps) != len(trace.calls) else None


def _numbers(shape: Any, sizes: dict[str, int]) -> Any:
    if isinstance(shape, (tuple, list)):
        return tuple(_numbers(part, sizes) for part in shape)
    if isinstance(shape, dict):
        return {key: _numbers(part, sizes) for key, part in shape.items()}
    return at(shape, sizes) if isinstance(shape, int) else shape


def _lost(step: Step) -> ShapeWarning:
    where = place_name(step.module, step.op, step.source)
    message = (
        f"{where} has another size than its letters say when other sizes go in: "
        "Python turned a size into a plain number before it, so the letters hold only for the sizes tried"
    )
    return ShapeWarning("lost-letter", message, step)
