"""Which input sizes make a layer's ``in_features`` right, and what a number of features is made of at that layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from shapeproof.derivation.derive import derive
from shapeproof.derivation.domain import Domain
from shapeproof.derivation.edges import edges
from shapeproof.derivation.model import Derivation, Step
from shapeproof.derivation.parts import by_likeness, parts_of, simplified
from shapeproof.dims import Shape
from shapeproof.dims.conditions import Condition, relation
from shapeproof.errors import UsageError
from shapeproof.records import dataclass
from shapeproof.rules.registry import show


@dataclass(frozen=True)
class Wanted:
    """The answer for one layer.

    Attributes:
        layer: its path.
        features: the wanted ``in_features``.
        arriving: the features that arrive, with letters.
        before: the shape they are made of, channels and places, ``()`` where that is not known.
        domain: the input sizes for which just that many arrive; ``exact`` where runs inside and outside bore it out.
        factorings: each way to write the features as channels x places, as ``(16, 5, 5)``; the channels stay.
    """

    layer: str
    features: int
    arriving: int
    before: Shape
    domain: Domain
    factorings: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "layer": self.layer,
            "features": self.features,
            "arriving": str(self.arriving),
            "before": [str(size) for size in self.before],
            "sizes": str(self.domain),
            "intervals": self.domain.intervals,
            "exact": self.domain.exact,
            "factorings": [list(one) for one in self.factorings],
        }


def wanted(model: Any, layer: str, features: int, *inputs: Any) -> Wanted:
    """Find the input sizes for which ``features`` features arrive at a layer.

    Args:
        model: the model.
        layer: path of a layer that takes features, such as ``fc`` or ``classifier.0``.
        features: how many are wanted, at least 1.
        inputs: specs with letters.

    Raises:
        UsageError: if the layer is never reached, or the specs leave no letter free.
    """
    derivation = derive(model, *inputs)
    step = _step_of(derivation, layer)
    arriving = step.inputs[0][-1]
    before = _before(derivation.steps, step)
    conditions = [*_until(derivation, step), Condition(relation("==", arriving, features), "in-features")]
    letters = tuple(name for name, _ in derivation.sizes)
    if not letters:
        raise UsageError("every size of the input is fixed; give letters, such as --input N,1,H,W")
    parts = simplified(parts_of(letters, [c.relation for c in conditions]))
    domain = Domain(letters, tuple(sorted(parts, key=by_likeness)))
    known = dict(derivation.sizes)

    def fits(sizes: dict[str, int]) -> bool:
        return arrives(model, layer, inputs, sizes) == features

    exact = bool(parts) and not domain.open and _borne_out(domain, known, fits)
    factorings = _factorings(features, before)
    return Wanted(layer, features, arriving, before, Domain(letters, domain.parts, exact), factorings)


def arrives(model: Any, layer: str, inputs: Sequence[Any], sizes: dict[str, int]) -> int | None:
    """How many features arrive at a layer with these sizes; ``None`` where it is not reached."""
    from shapeproof.capture.spec import from_given

    specs = [from_given(value) for value in inputs]
    shapes = [tuple(map(int, spec.shape(sizes))) if spec else value for spec, value in zip(specs, inputs, strict=True)]
    texts = [f"{s.dtype}[{','.join(map(str, sh))}]" if s else sh for s, sh in zip(specs, shapes, strict=True)]
    steps = derive(model, *texts).steps
    found = [step for step in steps if step.module == layer and step.inputs]
    return found[0].inputs[0][-1] if found else None


def _borne_out(domain: Domain, known: dict[str, int], fits: Callable[[dict[str, int]], bool]) -> bool:
    inside, outside = edges(domain, known)
    return all(fits(p) for p in inside[:6]) and not any(fits(p) for p in outside[:6])


def _step_of(derivation: Derivation, layer: str) -> Step:
    found = [step for step in derivation.steps if step.module == layer and step.inputs and step.inputs[0]]
    if found and found[0].op == "linear":
        return found[0]
    if found:
        linear = ", ".join(dict.fromkeys(s.module for s in derivation.steps if s.op == "linear")) or "no layer here"
        raise UsageError(f"{layer} ({found[0].op}) takes no in_features; what does: {linear}")
    if derivation.diagnosis and derivation.steps:
        raise UsageError(f"{layer} is not reached: {derivation.diagnosis.message}")
    known = ", ".join(dict.fromkeys(s.module for s in derivation.steps if s.op == "linear")) or "no linear layer"
    raise UsageError(f"no layer called {layer!r} is called; the model calls {known}")


def _until(derivation: Derivation, step: Step) -> list[Condition]:
    """What must hold for the model to come as far as a step, on the way that was taken."""
    needed = [condition for one in derivation.steps[: step.index] for condition in one.requires]
    return [condition for condition in derivation.conditions if condition.is_way or condition in needed]


def _before(steps: Sequence[Step], step: Step) -> Shape:
    """Channels and places of what is flattened before a step: the last shape with places on the way to it."""
    at = step
    while at.parents:
        at = steps[at.parents[0]]
        if isinstance(at.output, tuple) and len(at.output) > 2 and all(isinstance(s, int) for s in at.output):
            return tuple(at.output[1:])
    return ()


def _factorings(features: int, before: Shape) -> tuple[tuple[int, ...], ...]:
    """Channels x places that give the features, nearly square ones first; the channels are those of the network."""
    channels, *places = before or (1,)
    if not places or features % int(channels):
        return ()
    found = _split(features // int(channels), len(places))
    return tuple((int(channels), *one) for one in sorted(found, key=lambda one: max(one) / min(one)))


def _split(number: int, count: int) -> list[tuple[int, ...]]:
    if count == 1:
        return [(number,)]
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    return [(d, *rest) for d in divisors for rest in _split(number // d, count - 1)]


def told(found: Wanted) -> str:
    """The answer in words, a line each."""
    made = f", made of {show(found.before)}" if found.before else ""
    lines = [f"{found.layer} gets {found.arriving} features{made}"]
    if found.factorings:
        each = "; ".join(" x ".join(map(str, one)) for one in found.factorings)
        lines.append(f"{found.features} = channels x height x width: {each}")
    elif found.before and len(found.before) > 1:
        share = math.gcd(found.features, int(found.before[0]))
        lines.append(f"{found.features} is no multiple of the {found.before[0]} channels there (they share {share})")
    if not found.domain.parts:
        lines.append(f"no input size gives {found.features} features there")
    else:
        sure = "exactly" if found.domain.exact else "by the rules"
        lines.append(f"it gets {found.features} {sure} for {found.domain}")
    return "\n".join(lines)
