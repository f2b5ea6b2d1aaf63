"""Calls that PyTorch refuses for a dtype: which tensor it is, what it should be, and edits that were tried.

Such an exception is no shape error and passes through ``derive``; what is found here goes with it as a note. Which
tensor it is, and what it should be, is found by asking PyTorch again with one converted, not read from a message.
"""

from __future__ import annotations

import ast
import linecache
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shapeproof.capture.copies import deep_copy
from shapeproof.capture.guard import same_randomness
from shapeproof.capture.naming import dtype_name, place_name
from shapeproof.capture.nesting import mapped, tensors
from shapeproof.capture.refusal import decided_by, python_failure
from shapeproof.capture.run import run
from shapeproof.capture.spec import InputSpec
from shapeproof.capture.trace import Fed, Trace
from shapeproof.diagnosis.case import Case, feds, sizes
from shapeproof.diagnosis.edits import Edit, Setup, input_changed
from shapeproof.diagnosis.propose import expression, wrap
from shapeproof.diagnosis.source import written
from shapeproof.records import dataclass
from shapeproof.rules.registry import show

LARGEST = 2**26  # elements of the failed call's tensors, beyond which PyTorch is not asked again
MOST_OFFERED = 3
DEEPEST = 3  # conversions that may be needed together
LOOKED_UP = frozenset("embedding embedding_bag getitem index_select gather scatter take one_hot".split())
INDEXED = frozenset("getitem setitem index_put".split())
OF_CLASSES = ("cross_entropy", "nll_loss")
CALLS = {torch.float32: ".float()", torch.int64: ".long()", torch.bool: ".bool()", torch.float64: ".double()",
         torch.float16: ".half()", torch.bfloat16: ".bfloat16()"}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """One tensor of a call that was refused, and the dtype with which PyTorch takes the call."""

    index: int
    dtype: torch.dtype


@dataclass(frozen=True)
class _Tried:
    """An edit, and where the model then stops: ``""`` where it comes through to its output."""

    text: str
    stops: str


def note(error: Exception, setup: Setup, specs: list[InputSpec | None]) -> str:
    """What is wrong with the dtypes of the call that raised, and the edits that mend it; ``""`` for any other error.

    Args:
        error: what the model raised.
        setup: the user's model and inputs; copied before anything is changed.
        specs: the specs that the inputs were made of, ``None`` for one that was given as it is.
    """
    with same_randomness(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case = _failed(setup)
        if case is None or type(case.error) is not type(error):
            return ""
        wanted = _wanted(case)
        if wanted is None:
            return _of_a_check(setup, case, specs)
        tried = _tried(setup, case, wanted, specs)
    through = [edit for edit in tried if not edit.stops]
    return "\n".join([_cause(case, wanted), *_told((through or tried)[:MOST_OFFERED])])


def _told(tried: list[_Tried]) -> list[str]:
    how = {True: "tried: the model then runs", False: "tried: the model then gets further, to {}"}
    return [f"fix {n}: {edit.text} ({how[not edit.stops].format(edit.stops)})" for n, edit in enumerate(tried, 1)]


def _of_a_check(setup: Setup, case: Case, specs: list[InputSpec | None]) -> str:
    """Of a check in PyTorch's own Python, as of a mask: the input that comes through in another dtype."""
    if case.call.refused is not None or not _asks_for_dtypes(case):
        return ""
    for place, value in case.inputs():
        for dtype in (torch.bool, torch.get_default_dtype(), torch.int64):
            edit = _of_input(case, place, dtype, specs)
            if dtype is not value.dtype and (tried := _followed(setup, edit, specs, DEEPEST - 1)) and not tried.stops:
                got = f"{dtype_name(value.dtype)} ({show(tuple(value.shape))})"
                return "\n".join([f"dtype: {_where(case)}: expected {dtype_name(dtype)}, got {got}", *_told([tried])])
    return ""


def _asks_for_dtypes(case: Case) -> bool:
    """Whether PyTorch's own code raised, on a test that speaks of dtypes."""
    last = traceback.extract_tb(case.error.__traceback__)[-1:] if case.error else []
    if not last or not last[0].filename.startswith(str(Path(torch.__file__).parent)):
        return False
    return "dtype" in decided_by("".join(linecache.getlines(last[0].filename)), last[0].lineno or 1)


def _where(case: Case) -> str:
    return place_name(case.path or case.call.module, case.call.op, case.call.source)


def _failed(setup: Setup) -> Case | None:
    """The case in which a setup ends, whatever the error is about; ``None`` where it comes through."""
    with setup.sources.running():
        named = {key: (value, None) for key, value in setup.kwargs.items()}
        trace = run(setup.model, [(value, None) for value in setup.args], named, detailed=True, bare=True)
    return _case(setup, trace) if trace.error is not None else None


def _case(setup: Setup, trace: Trace) -> Case:
    failing = python_failure(trace)
    return Case(setup, [*trace.calls, failing] if failing else trace.calls, trace.error)


def _wanted(case: Case) -> Wanted | None:
    """The tensor with whose conversion PyTorch takes the call; ``None`` where no dtype is the reason."""
    if case.call.refused is None:
        return _wanted_by_layer(case)
    op = case.call.op
    func, args, kwargs = case.call.refused
    given = list(tensors((args, kwargs)))
    if not given or sum(tensor.numel() for tensor in given) > LARGEST:
        return None
    weights = {id(p) for p in case.setup.model.parameters()} if isinstance(case.setup.model, nn.Module) else set()
    loose = [index for index, tensor in enumerate(given) if id(tensor) not in weights]
    found = [Wanted(index, dtype) for index in loose for dtype in _others(op, given, index)]
    for wanted in sorted(found, key=lambda w: w.dtype is not torch.get_default_dtype()):
        if _accepts(func, args, kwargs, [given[wanted.index]], wanted.dtype):
            return wanted
    together = ((index, dtype) for index in loose[:1] for dtype in _others(op, given, index))
    for index, dtype in together:
        if _accepts(func, args, kwargs, [given[index] for index in loose], dtype):
            return Wanted(index, dtype)
    return None


def _others(op: str, given: list[Tensor], index: int) -> list[torch.dtype]:
    """The dtypes in which one tensor of a call might be meant, the likeliest first."""
    here = given[index].dtype
    among = [tensor.dtype for tensor in given if tensor.dtype.is_floating_point]
    found = dict.fromkeys([*among, torch.get_default_dtype(), torch.int64, torch.bool])
    # whole numbers out of range are not meant as a mask
    as_mask = op not in INDEXED or all(tensor.dtype.is_floating_point for tensor in given)
    return [dtype for dtype in found if dtype is not here and (as_mask or dtype is not torch.bool)]


def _accepts(func: Any, args: Any, kwargs: Any, chosen: list[Tensor], dtype: torch.dtype) -> bool:
    def copied(tensor: Tensor) -> Tensor:
        changes = any(tensor is other for other in chosen)
        return (tensor.to(dtype) if changes else tensor).detach().clone()

    try:
        with torch.no_grad():
            func(*mapped(copied, args), **mapped(copied, kwargs))
    except Exception:  # noqa: BLE001  # whatever it is, the call is still refused
        return False
    return True


def _wanted_by_layer(case: Case) -> Wanted | None:
    """A recurrent layer compares the dtypes itself, before any operation: its weights' dtype is what it wants."""
    entering = case.layer_local("input")
    weight = next(case.owner.parameters(), None) if isinstance(case.owner, nn.Module) else None
    if not isinstance(entering, Tensor) or weight is None or entering.dtype is weight.dtype:
        return None
    return Wanted(0, weight.dtype)


def _cause(case: Case, wanted: Wanted) -> str:
    fed = case.fed[wanted.index]
    node = case.operand(wanted.index)
    name = f"{written(node, case.text)} " if isinstance(node, (ast.Name, ast.Attribute)) else ""
    expected = f"{dtype_name(wanted.dtype)}{_why(case, wanted)}"
    return f"dtype: {_where(case)}: expected {expected}, got {fed.dtype} ({name}{show(sizes(fed))})"


def _why(case: Case, wanted: Wanted) -> str:
    weights = [fed for fed in case.fed if case.parameter(fed) and fed.dtype == dtype_name(wanted.dtype)]
    if case.call.op in OF_CLASSES:
        return ", classes as whole numbers"
    if not wanted.dtype.is_floating_point:
        looked_up = case.call.op in LOOKED_UP and wanted.dtype is torch.int64
        return ", whole numbers that rows are looked up by" if looked_up else ""
    return " as its weights are" if weights or isinstance(case.owner, nn.RNNBase) else ""


def _tried(
    setup: Setup, case: Case, wanted: Wanted, specs: list[InputSpec | None], depth: int = 0,
    kinds: tuple[str, ...] = ("input", "insert", "argument"),
) -> list[_Tried]:  # fmt: skip
    """Edits that mend the dtype, those that bring the model through first."""
    edits = [edit for edit in _edits(case, wanted, specs) if edit.kind in kinds]
    found = [_followed(setup, edit, specs, depth) for edit in edits]
    return sorted((tried for tried in found if tried), key=lambda tried: bool(tried.stops))


def _followed(setup: Setup, edit: Edit, specs: list[InputSpec | None], depth: int) -> _Tried | None:
    """One edit tried, with those for the next dtype that does not fit; ``None`` where it changes nothing."""
    try:
        copied = setup.copied()
        edit.apply(copied)
        after = _failed(copied)
        further = _wanted(after) if after else None
    except Exception:  # noqa: BLE001  # what cannot be tried is not offered
        return None
    if after is None:
        return _Tried(edit.text, "")
    if further is None or depth + 1 == DEEPEST:
        stops = f"{after.call.op} at {after.call.source}" if after.call.source else after.call.op
        return _Tried(edit.text, stops)
    more = _tried(copied, after, further, specs, depth + 1, (edit.kind,))
    if not more:
        return None
    return _Tried(f"{edit.text} Then {more[0].text[0].lower()}{more[0].text[1:]}", more[0].stops)


def _edits(case: Case, wanted: Wanted, specs: list[InputSpec | None]) -> Iterator[Edit]:
    place = _input_behind(case, case.fed[wanted.index])
    if place is not None:
        yield _of_input(case, place, wanted.dtype, specs)
    yield from _in_the_line(case, wanted)
    got = getattr(torch, case.fed[wanted.index].dtype)
    default = torch.get_default_dtype()
    if isinstance(case.setup.model, nn.Module) and got is default and wanted.dtype.is_floating_point:
        yield _of_weights(got)


def _input_behind(case: Case, fed: Fed) -> int | str | None:
    """The input from which a tensor comes, through calls that leave its dtype alone."""
    while fed.maker is not None:
        before = next((f for f in feds(case.calls[fed.maker]) if f.dtype == fed.dtype), None)
        if before is None:
            return None
        fed = before
    places = list(case.inputs())
    if fed.origin is not None and -len(places) <= fed.origin < 0:
        return places[-fed.origin - 1][0]
    return case.input_of(fed)


def _of_input(case: Case, place: int | str, dtype: torch.dtype, specs: list[InputSpec | None]) -> Edit:
    """The input in another dtype."""
    order = [*range(len(case.setup.args)), *case.setup.kwargs]
    held: Any = case.setup.args if isinstance(place, int) else case.setup.kwargs
    spec = specs[order.index(place)]
    which = "the input" if len(order) == 1 else f"input {order.index(place) + 1}"
    if spec is not None:
        said = f"as {_spec(spec, dtype)!r} instead of {spec.text({})!r}"
    else:
        said = f"in {dtype_name(dtype)}: x{_call(dtype)}"
    return Edit(
        "input", "", "dtype", dtype_name(held[place].dtype), dtype_name(dtype), f"Give {which} {said}.",
        input_changed(place, lambda x: x.to(dtype)),
    )  # fmt: skip


def _spec(spec: InputSpec, dtype: torch.dtype) -> str:
    written_out = InputSpec(dtype_name(dtype), spec.entries).text({})
    return written_out if "[" in written_out else f"{dtype_name(dtype)}[{written_out}]"


def _call(dtype: torch.dtype) -> str:
    return CALLS.get(dtype, f".to({dtype})")


def _in_the_line(case: Case, wanted: Wanted) -> Iterator[Edit]:
    """The conversion in ``forward``, where the tensor goes into the call."""
    call, words = _call(wanted.dtype), f"convert to {dtype_name(wanted.dtype)}"
    fed = case.fed[wanted.index]
    change: Callable[[Tensor], Tensor] = lambda x: x.to(wanted.dtype)  # noqa: E731  # it has a type
    if fed.dtype == "uint8" and case.call.op.startswith("conv") and wanted.dtype.is_floating_point:
        call, words = f"{call} / 255", "convert the bytes of a picture to numbers from 0 to 1"
        change = lambda x: x.to(wanted.dtype) / 255  # noqa: E731
    if isinstance(case.node, ast.Subscript) and wanted.index == 1 and not isinstance(case.node.slice, ast.Tuple):
        new = written(case.node.slice, case.text) + call
        yield expression(case, case.spot, case.node.slice, new, words, "insert", f"x{call}", attribute="dtype")
        return
    yield from wrap(case, wanted.index, "{}" + call, words, change, new=f"x{call}", attribute="dtype")


def _of_weights(dtype: torch.dtype) -> Edit:
    def apply(setup: Setup) -> None:
        setup.model = deep_copy(setup.model).to(dtype)

    text = f"Make the model's weights {dtype_name(dtype)}: model{_call(dtype)}."
    return Edit("argument", "", "dtype", None, dtype_name(dtype), text, apply)
