"""Numbers put for the letters of a run: every rule asked again with them, without running the model again.

A run at numbers gave letters too, and its domain was borne out by runs at the edges. So at other numbers that take the
same way, the same operations are called, with the sizes that their letters give. The rule of each is asked with these
sizes, and must say what its letters say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from shapeproof.capture.trace import Call, Trace
from shapeproof.derivation.assemble import assembled
from shapeproof.derivation.domain import Domain
from shapeproof.derivation.explore import hold, sample
from shapeproof.derivation.model import Derivation, Fix
from shapeproof.derivation.parts import pinned
from shapeproof.dims import Dim, DimFloat, Shape, product, put
from shapeproof.dims.conditions import Condition, collecting
from shapeproof.dims.expr import Poly, constant
from shapeproof.dims.replay import played
from shapeproof.records import dataclass
from shapeproof.rules.registry import Derived, Operand, Unsupported, Violation, find, sizes_in


class NotPut(Exception):  # noqa: N818  # no error: the model is run again instead
    """Numbers cannot be put into what a run showed; the text says why."""


@dataclass(frozen=True)
class Numbers:
    """What to put: numbers for some letters, and the sizes of all letters at which what stays is then tried."""

    given: Mapping[str, int]
    tried: dict[str, int]

    @cached_property
    def expressions(self) -> dict[str, Poly]:
        """The numbers as expressions."""
        return {name: constant(size) for name, size in self.given.items()}

    def into(self, value: Any) -> Any:
        """The same value, however nested, with the numbers in the place of letters."""
        if isinstance(value, Dim):
            return put(value, self.expressions, self.tried)
        if isinstance(value, DimFloat):
            return self._into_float(value)
        if isinstance(value, (tuple, list)):
            parts = [self.into(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        if isinstance(value, dict):
            return {key: self.into(part) for key, part in value.items()}
        if isinstance(value, slice):
            return slice(*map(self.into, (value.start, value.stop, value.step)))
        if isinstance(value, Operand):
            # how the elements lie was settled with the domain
            return replace(value, shape=self.into(value.shape), below=self.into(value.below), stride=None)
        return value

    def _into_float(self, value: DimFloat) -> float:
        if not value.expr.letters <= self.given.keys():
            raise NotPut("an operation takes a number that is computed from a letter which stays")
        return played(value.steps, self.given)

    def conditions(self, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """What then holds of the letters that stay."""
        made = [replace(c, relation=c.relation.put(self.expressions)) for c in conditions]
        return tuple(dict.fromkeys(c for c in made if c.relation.letters and not c.relation.always))


def numbers_for(derivation: Derivation, given: Mapping[str, int]) -> Numbers:
    """Numbers for some letters, with sizes for the others that go with them, those that were tried where possible."""
    base = dict(derivation.sizes)
    rest = {name: size for name, size in base.items() if name not in given}
    put_in = Numbers(given, {**base, **given})
    wanted = [c.relation for c in put_in.conditions(derivation.conditions)]
    point = sample(wanted, rest) if rest else {}
    if rest and not point and derivation.domain is not None:
        left = pinned(derivation.domain, given)
        point = left.parts[0].point(rest) if left and left.parts else {}
    return Numbers(given, {**base, **(point or {}), **given})


def with_numbers(model: Any, derivation: Derivation, numbers: Numbers, told: Sequence[str]) -> Derivation:
    """The derivation at these numbers, told from the letters of another.

    Args:
        model: what was derived; it is not run.
        derivation: the other, with letters.
        numbers: what to put.
        told: the inputs as text.

    Raises:
        NotPut: where the letters do not tell it.
    """
    reason = _reason_to_run(derivation, numbers)
    if reason or derivation._trace is None:
        raise NotPut(reason or "nothing was kept of its run")
    trace = _trace_at(derivation._trace, numbers, dict(derivation.sizes))
    left = _letters_left(derivation, numbers)
    made = assembled(model, trace, numbers.conditions(derivation.conditions), left, told)
    fixes = _fixes(derivation)
    warnings = tuple(replace(w, fixes=fixes.get((w.code, w.step.index), ())) for w in made.warnings)
    return replace(made, warnings=warnings, domain=_domain_left(derivation, numbers))


def run_again(
    made: Derivation, derivation: Derivation, numbers: Numbers, told: Sequence[str], reason: str
) -> Derivation:
    """A derivation from a second run, with why the letters of the first did not do."""
    manner = replace(made.manner, again=reason)
    return replace(made, inputs=tuple(told), manner=manner, domain=_domain_left(derivation, numbers))


def unmended(made: Derivation, derivation: Derivation) -> bool:
    """Whether there is a warning at these numbers for which the letters know no edits, since it is none of theirs."""
    return any(not w.fixes and (w.code, w.step.index) not in _fixes(derivation) for w in made.warnings)


def _fixes(derivation: Derivation) -> dict[tuple[str, int], tuple[Fix, ...]]:
    return {(w.code, w.step.index): w.fixes for w in derivation.warnings}


def _letters_left(derivation: Derivation, numbers: Numbers) -> dict[str, int]:
    return {name: numbers.tried[name] for name, _ in derivation.sizes if name not in numbers.given}


def _domain_left(derivation: Derivation, numbers: Numbers) -> Domain | None:
    if derivation.domain is None or not _letters_left(derivation, numbers):
        return None
    return pinned(derivation.domain, numbers.given)


def _reason_to_run(derivation: Derivation, numbers: Numbers) -> str:
    """Why numbers cannot be put into a derivation's letters; ``""`` where they can."""
    if derivation.domain is None or not derivation.domain.exact:
        return "the domain is not exact"
    if derivation.verdict != "proved":
        return "not every step is proved"
    if not hold((condition.relation for condition in derivation.conditions), numbers.tried):
        return "the model goes another way at these sizes"
    return ""


def _trace_at(trace: Trace, numbers: Numbers, ran_at: Mapping[str, int]) -> Trace:
    """What a run with these numbers shows, as far as the letters of another run tell it.

    Args:
        trace: the other run.
        numbers: what to put.
        ran_at: the sizes of the other run.

    Raises:
        NotPut: where the letters do not tell it.
    """
    calls = [_call_at(call, numbers) for call in trace.calls]
    manner = replace(trace.manner, put=", ".join(f"{name} = {size}" for name, size in ran_at.items()))
    output, entering = numbers.into(trace.output), numbers.into(trace.entering)
    return replace(trace, calls=calls, output=output, entering=entering, manner=manner)


def _call_at(call: Call, numbers: Numbers) -> Call:
    if call.derived is None or call.asked is None or call.caught:
        raise NotPut(f"the letters do not tell what {call.op} does")
    asked = numbers.into(call.asked)
    with collecting(apart=True):
        derived = _answer(call, asked)
    shapes = sizes_in(derived.shape)
    if derived.shape != numbers.into(call.derived.shape) or len(shapes) != len(sizes_in(call.output)):
        raise NotPut(f"the letters do not tell which shape {call.op} gives")
    return replace(
        call,
        inputs=numbers.into(call.inputs),
        output=_nested(call.output, iter(shapes)),
        derived=derived,
        requires=numbers.conditions(call.requires),
        asked=asked,
        given=numbers.into(call.given),
        times=numbers.into(call.times),
        bytes_out=sum(product(shapes[place]) * numbers.into(call.times) * size for place, size in call.made),
    )


def _answer(call: Call, asked: Any) -> Derived:
    """What the rule says of the call with these numbers."""
    rule = find(call.op)
    args, kwargs = asked
    try:
        if rule is None:
            raise Unsupported
        return rule(args, kwargs)
    except (Unsupported, Violation) as problem:
        raise NotPut(f"the rule of {call.op} does not bear its letters out: {problem}") from problem


def _nested(output: Any, shapes: Iterator[Shape]) -> Any:
    """Shapes in PyTorch's nesting, as plain numbers."""
    if isinstance(output, tuple) and all(isinstance(size, int) for size in output):
        return tuple(map(int, next(shapes)))
    if isinstance(output, (tuple, list)):
        return type(output)([_nested(part, shapes) for part in output])
    return output
