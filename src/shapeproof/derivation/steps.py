"""From recorded calls to steps: the rule's shape beside PyTorch's, a verdict, costs and receptive fields."""

from __future__ import annotations

from typing import Any

from shapeproof.capture.trace import Call
from shapeproof.derivation.model import Cost, ReceptiveField, Step, StepVerdict
from shapeproof.dims.conditions import Condition

# Getters that are told by the names that the documentation gives their methods; their rules take other ranks.
SHOWN = {"T": "t", "H": "adjoint"}


def steps_of(calls: list[Call], parameters: dict[int, tuple[int, int]]) -> tuple[Step, ...]:
    """Every call as a step; ``parameters`` gives the number and bytes of each parameter, counted where first used."""
    counted: set[int] = set()
    fields = FieldsOf(calls)
    steps = []
    for index, call in enumerate(calls):
        new = [parameters[p] for p in dict.fromkeys(call.parameters) if p not in counted]
        counted.update(call.parameters)
        cost = Cost(sum(n for n, _ in new), _macs(call), call.bytes_out, sum(size for _, size in new))
        steps.append(_step(index, call, cost, fields))
    return tuple(steps)


def _step(index: int, call: Call, cost: Cost, fields: FieldsOf) -> Step:
    derived = call.derived
    verdict = _verdict(call)
    agreed = derived is not None and verdict == "proved"
    return Step(
        index, call.module, SHOWN.get(call.op, call.op), call.source, call.inputs,
        output=with_letters(derived.shape, call.output) if derived and agreed else call.output,
        derived=derived.shape if derived else None,
        formula=derived.formula if derived else "",
        arithmetic=derived.arithmetic if derived else "",
        verdict=verdict, cost=cost, parents=call.parents, _fields=fields,
        windows=derived.windows if derived else (),
        notes=_notes(call),
        requires=call.requires + _broken(call),
    )  # fmt: skip


def _notes(call: Call) -> tuple[str, ...]:
    if call.caught:
        return ("PyTorch refuses this call; the model catches that and goes on",)
    return call.derived.notes if call.derived else (call.trouble,) if call.trouble else ()


def _broken(call: Call) -> tuple[Condition, ...]:
    condition = call.violation.condition if call.violation else None
    return (condition,) if condition and condition.relation.letters else ()


def with_letters(derived: Any, output: Any) -> Any:
    """The rule's sizes in PyTorch's nesting."""
    return tuple(derived) if isinstance(output, tuple) else output


def numbers(shape: Any) -> Any:
    """A nested shape with every size as its number, lists as tuples."""
    if isinstance(shape, (tuple, list)):
        return tuple(numbers(part) for part in shape)
    return int(shape) if isinstance(shape, int) else shape


def _verdict(call: Call) -> StepVerdict:
    if call.caught:  # the rule knew that PyTorch would refuse it, or has no say
        return "proved" if call.violation else "unsupported"
    if call.error is not None:
        return "failed"
    if call.violation is not None:
        return "mismatch"
    if call.derived is None:
        return "unsupported"
    said, came = call.derived.shape, call.output
    return "proved" if said == came or numbers(said) == numbers(came) else "mismatch"


def _macs(call: Call) -> int | None:
    known = call.derived is not None and call.derived.macs is not None
    return call.derived.macs * call.times if known else None  # type: ignore[union-attr,operator]


class FieldsOf:
    """The receptive fields of a run's steps by their index, all worked out when the first is asked for."""

    def __init__(self, calls: list[Call]) -> None:
        """Of a call that raised, nothing is kept: it holds its arguments."""
        self._calls = [None if call.error else call for call in calls]
        self._known: list[ReceptiveField | None] = []

    def __call__(self, index: int) -> ReceptiveField | None:
        """The field of one step; ``None`` where none is known or defined."""
        if not self._known:
            from shapeproof.derivation.field import Fields  # here: most derivations are not asked for any field

            fields = Fields()
            self._known = [fields.after(call) for call in self._calls]
        return self._known[index]
