"""``derive``: run a model once under watch, and make of what was seen a derivation."""

from __future__ import annotations

import importlib
import linecache
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from shapeproof.capture.guard import Weights, same_randomness, untouched
from shapeproof.capture.recorder import Call, Recorder, Trace, hooked, source_line
from shapeproof.capture.spec import InputSpec, first_guess, from_given, given_sizes
from shapeproof.derivation.free import checked, meeting
from shapeproof.derivation.model import Cost, Derivation, Diagnosis, Step, Verdict
from shapeproof.derivation.steps import steps_of
from shapeproof.dims import Shape
from shapeproof.dims.conditions import collecting
from shapeproof.errors import SpecError
from shapeproof.rules.registry import Violation, show

# Sizes that are tried, in turn, for letters without one: those of the common data sets and of ImageNet networks.
COMMON_SIZES = (28, 32, 224, 64, 96, 128, 256, 299, 512, 16, 8)


def derive(model: nn.Module | Callable[..., Any], *inputs: Any, **keywords: Any) -> Derivation:
    """Derive the shape of every operation of ``model`` on these inputs, and compare each with PyTorch.

    Args:
        model: a module, run in the mode it is in, or any callable on tensors. It is left exactly as it was.
        inputs: specs (``"N,1,28,28"``, ``"int64[N,T]"``), shapes (``(8, 1, 28, 28)``) or tensors.
        keywords: keyword inputs, likewise.

    Returns:
        The derivation. Shapes with which the model cannot run are a result (``verdict == "failed"``), no exception.

    Raises:
        SpecError: if a spec makes no sense.
        Exception: one of the model's own that has nothing to do with shapes passes through.
    """
    if not inputs and not keywords:
        raise SpecError("derive needs an input: a spec such as 'N,1,28,28', a shape, or tensors")
    specs = [from_given(value) for value in inputs]
    named = {key: from_given(value) if isinstance(value, str) else None for key, value in keywords.items()}
    given = [spec for spec in (*specs, *named.values()) if spec]
    free = {name for spec in given for name in spec.letters} - given_sizes(given).keys()

    def pairs_at(sizes: dict[str, int], keep: frozenset[str] = frozenset()) -> tuple[list[Any], dict[str, Any]]:
        def made(spec: InputSpec | None, value: Any) -> Any:
            return (value, None) if spec is None else _tensor(spec, sizes, keep, model)

        args = [made(spec, value) for spec, value in zip(specs, inputs, strict=True)]
        return args, {key: made(named[key], value) for key, value in keywords.items()}

    def at(sizes: dict[str, int], keep: frozenset[str]) -> Derivation:
        letters = {name: size for name, size in sizes.items() if name in keep}
        told = [_told(value) for value in (*inputs, *keywords.values())]
        return _derived(model, *pairs_at(sizes, keep), letters, told)

    def again(pinned: dict[str, int]) -> Derivation:
        return _with_again(at({**base, **pinned}, frozenset(base) - pinned.keys()), again)

    def trace_at(sizes: dict[str, int]) -> Trace:
        return run(model, *pairs_at(sizes))[0]

    base, found = _first_that_runs(given, at, bool(free))
    if base and found.verdict not in ("failed", "mismatch"):
        found = checked(found, trace_at)
    if found.verdict == "failed":
        found = _explained(model, found, *pairs_at(base))
    return _with_again(found, again)


def _explained(model: Any, found: Derivation, args: list[Any], kwargs: dict[str, Any]) -> Derivation:
    """The failed derivation with the cause of its failure and the edits that mend it."""
    # the diagnosis stands above this package; loaded here, and only for what failed
    edits = importlib.import_module("shapeproof.diagnosis.edits")
    diagnose = importlib.import_module("shapeproof.diagnosis.diagnose").diagnose

    def plain(setup: Any) -> Derivation:
        pairs = {key: (value, None) for key, value in setup.kwargs.items()}
        return _derived(setup.model, [(value, None) for value in setup.args], pairs, {}, [])

    setup = edits.Setup(model, [value for value, _ in args], {key: value for key, (value, _) in kwargs.items()})
    return replace(found, diagnosis=diagnose(setup, found, plain))


def _first_that_runs(
    given: list[InputSpec], at: Callable[[dict[str, int], frozenset[str]], Derivation], free: bool
) -> tuple[dict[str, int], Derivation]:
    """Try common sizes for the letters without one; after that, sizes that meet the condition which failed."""
    tried: list[tuple[dict[str, int], Derivation]] = []
    for size in COMMON_SIZES:
        base = first_guess(given, size)
        tried.append((base, at(base, frozenset(base))))
        if tried[-1][1].verdict != "failed" or not free:
            return tried[-1]
    base, found = tried[0]
    for _ in range(8):
        better = meeting(found, base)
        if better is None:
            break
        base, found = better, at(better, frozenset(better))
        if found.verdict != "failed":
            return base, found
    return tried[0]


def _with_again(derivation: Derivation, again: Callable[[dict[str, int]], Derivation]) -> Derivation:
    object.__setattr__(derivation, "_again", again)  # not part of the data: how to ask for other sizes
    return derivation


def _told(value: Any) -> str:
    if isinstance(value, str):
        return value
    shapes = tree_map(lambda leaf: show(tuple(leaf.shape)) if isinstance(leaf, Tensor) else leaf, value)
    return str(shapes)


def _tensor(spec: InputSpec, sizes: dict[str, int], keep: frozenset[str], model: Any) -> tuple[Tensor, Shape]:
    """A tensor for a spec, on the model's device, and its shape with the letters that stay free."""
    entries = spec.shape(sizes)
    shape = tuple(size if entry.name in keep else int(size) for entry, size in zip(spec.entries, entries, strict=True))
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    dtype: torch.dtype = getattr(torch, spec.dtype)
    numbers = tuple(map(int, shape))
    if dtype.is_floating_point or dtype.is_complex:
        # values in general position, the same every time: a matrix of ones, say, could not be inverted
        value = torch.rand(numbers, generator=torch.Generator().manual_seed(0), dtype=dtype, device="cpu")
    else:
        value = torch.zeros(numbers, dtype=dtype, device="cpu")
    return value if first is None else value.to(first.device), shape


def _derived(model: Any, args: list[Any], kwargs: dict[str, Any], sizes: dict[str, int], told: list[str]) -> Derivation:
    with collecting() as conditions:
        trace, called = run(model, args, kwargs)
    failing = _python_failure(trace)
    calls = [*trace.calls, failing] if failing else trace.calls
    steps = steps_of(calls, _parameter_sizes(model))
    verdict = _verdict(steps)
    diagnosis = _diagnosis(steps[-1], calls[-1], trace.error) if verdict == "failed" else None
    return Derivation(
        steps=steps,
        verdict=verdict,
        output=trace.output,
        cost=_total(steps, model),
        model=type(model).__name__ if isinstance(model, nn.Module) else getattr(model, "__name__", "function"),
        inputs=tuple(told),
        sizes=tuple(sizes.items()),
        conditions=tuple(dict.fromkeys((*conditions, *(steps[-1].requires if verdict == "failed" else ())))),
        diagnosis=diagnosis,
        unused=_unused(model, called),
    )


def run(model: Any, args: list[Any], kwargs: dict[str, Any]) -> tuple[Trace, set[int]]:
    """Run the model once under watch, and leave it as it was.

    Args:
        model: the module or callable.
        args: pairs of value and shape with letters; the shape is ``None`` for what the user gave as it is.
        kwargs: likewise, by name.

    Returns:
        What was seen, and the ids of the modules that were called.

    Raises:
        BaseException: what the model raised, where it has nothing to do with shapes.
    """
    weights = Weights(model)
    recorder = Recorder(model, weights)
    called: set[int] = set()

    def noting(module: nn.Module, inputs: Any) -> None:
        called.add(id(module))

    noted = nn.modules.module.register_module_forward_pre_hook(noting)
    try:
        with untouched(model), same_randomness(), torch.no_grad(), hooked(recorder):
            positional = [_given(recorder, *pair) for pair in args]
            named = {key: _given(recorder, *pair) for key, pair in kwargs.items()}
            with recorder:
                result = model(*positional, **named)
            recorder.trace.output = _output_shapes(recorder, result)
    except Exception as error:
        recorder.trace.error = error
        if not _about_shapes(recorder.trace, error):
            raise
    finally:
        noted.remove()
        weights.put_back()
    return recorder.trace, called


def _given(recorder: Recorder, value: Any, shape: Shape | None) -> Any:
    """An input for the run: a made tensor with its letters, or a copy of the user's, so that theirs stays as it is."""
    if shape is not None:
        recorder.know(value, shape)
        return value
    return tree_map(lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else leaf, value)


def _output_shapes(recorder: Recorder, result: Any) -> Any:
    return tree_map(lambda leaf: recorder.shape_of(leaf) if isinstance(leaf, Tensor) else None, result)


def _about_shapes(trace: Trace, error: Exception) -> bool:
    """Whether an exception is a shape error, judged from the call and the place, never from the message."""
    last = trace.calls[-1] if trace.calls else None
    if last is not None and last.error is error:
        if last.violation is not None:
            return True
        refusals = (RuntimeError, ValueError, IndexError, AssertionError)  # attention asserts its sizes
        return last.derived is None and isinstance(error, refusals)
    return isinstance(error, (ValueError, RuntimeError, AssertionError)) and _reads_sizes(error)


def _reads_sizes(error: Exception) -> bool:
    """Whether the line that raised, or the test just above a ``raise``, speaks of a tensor's sizes."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return False
    last = frames[-1]
    number = last.lineno or 1
    lines = [linecache.getline(last.filename, n) for n in range(max(1, number - 3), number + 1)]
    text = lines[-1] if "raise" not in lines[-1] else "".join(lines)
    return any(word in text for word in (".shape", ".size(", ".dim()", ".ndim", ".numel("))


def _python_failure(trace: Trace) -> Call | None:
    """A shape error raised by Python code, PyTorch's or the user's, outside any operation, as a call that failed."""
    if trace.error is None or (trace.calls and trace.calls[-1].error is trace.error):
        return None
    tb = trace.error.__traceback__
    frames = []
    while tb is not None:
        frames.append(tb.tb_frame)
        tb = tb.tb_next
    before = trace.calls[-1] if trace.calls else None
    call = Call(frames[-1].f_code.co_name.strip("_"), before.module if before else "", source_line(frames[-1]), ())
    call.error = trace.error if isinstance(trace.error, Exception) else None
    owner = frames[-1].f_locals.get("self")
    call.violation = Violation("rank", "sizes that the model's own check accepts", str(trace.error))
    call.op = type(owner).__name__ if isinstance(owner, nn.Module) else call.op
    checked_input = frames[-1].f_locals.get("input")  # the name that PyTorch's own checks give it
    if isinstance(checked_input, Tensor):
        call.inputs = (tuple(checked_input.shape),)
    else:
        call.inputs = before.inputs[:1] if before else ()
    return call


def _verdict(steps: tuple[Step, ...]) -> Verdict:
    kinds = {step.verdict for step in steps}
    if "mismatch" in kinds:
        return "mismatch"
    if "failed" in kinds:
        return "failed"
    return "incomplete" if "unsupported" in kinds else "proved"


def _diagnosis(step: Step, call: Call, error: BaseException | None) -> Diagnosis:
    violation = call.violation or Violation("unsupported", "a call that PyTorch accepts", str(error).split("\n")[0])
    where = f"{step.module or 'the model'} ({step.op})" + (f" at {step.source}" if step.source else "")
    message = f"{where}: expected {violation.expected}, got {violation.got}"
    return Diagnosis(violation.code, message, step, violation.expected, violation.got)


def _parameter_sizes(model: Any) -> dict[int, tuple[int, int]]:
    found = model.parameters() if isinstance(model, nn.Module) else ()
    return {id(p): (p.numel(), p.numel() * p.element_size()) for p in found}


def _total(steps: tuple[Step, ...], model: Any) -> Cost:
    """Totals; MACs are unknown where one step's are."""
    macs = [step.cost.macs for step in steps]
    sizes = _parameter_sizes(model).values()
    known = [m for m in macs if m is not None]
    return Cost(
        parameters=sum(n for n, _ in sizes),
        macs=sum(known) if len(known) == len(macs) else None,
        activation_bytes=sum(step.cost.activation_bytes for step in steps),
        parameter_bytes=sum(size for _, size in sizes),
    )


def _unused(model: Any, called: set[int]) -> tuple[str, ...]:
    """Paths of modules without children that the run never called."""
    if not isinstance(model, nn.Module):
        return ()
    leaves = [(path, m) for path, m in model.named_modules() if not list(m.children())]
    return tuple(path for path, m in leaves if path and id(m) not in called)
