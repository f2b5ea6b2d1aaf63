"""The function mode that sees each call as the user wrote it, asks the rule, lets PyTorch answer, and notes both."""

from __future__ import annotations

import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from torch.overrides import TorchFunctionMode

from shapeproof.capture.anatomy import Anatomy
from shapeproof.capture.answers import Answers
from shapeproof.capture.beyond import Batches, as_called, scripted, without_batch
from shapeproof.capture.effort import Effort
from shapeproof.capture.guard import Memory, memory
from shapeproof.capture.naming import dtype_name, named
from shapeproof.capture.nesting import mapped, tensors
from shapeproof.capture.shadow import READS, Shadows, check_indices, moved
from shapeproof.capture.source import compared, source_line, user_frame, user_spot
from shapeproof.capture.trace import Call, Fed, Manner, Trace
from shapeproof.dims import Dim, Shape, product
from shapeproof.dims.conditions import collecting
from shapeproof.dims.dim import turned_plain, watcher
from shapeproof.records import dataclass, usual
from shapeproof.rules.registry import (
    Derived,
    Operand,
    Unsupported,
    Violation,
    find,
    require,
    require_shape,
    settled,
    show,
)

_BATCHNORM = nn.modules.batchnorm.__file__
_WITHOUT_SIZE = {UninitializedBuffer, UninitializedParameter}

# operations whose arguments are kept in every run: without them what runs and is wrong could not be told
ASKED = frozenset("softmax log_softmax softmin squeeze getitem".split())

# losses of two tensors; PyTorch warns on the terminal where they broadcast, and a derivation says so in its own way
COMPARING = frozenset("mse_loss l1_loss smooth_l1_loss huber_loss".split())

# questions that only a tensor of one number has an answer to
ONE_NUMBER = frozenset("item bool int float index complex".split())

# in place, these give the tensor itself another shape
REARRANGED = frozenset("squeeze unsqueeze transpose t swapaxes swapdims resize resize_as as_strided".split())

_COMPILED = "compiled by TorchScript: its operations are not Python's to see; derive what it was compiled from"

# Operations after which a tensor holds no other values than before.
_SAME_VALUES = frozenset(
    """broadcast_to clone contiguous cpu cuda detach expand expand_as flatten flip getitem int long movedim permute
    repeat reshape squeeze swapaxes t T tile to transpose type_as unflatten unsqueeze view view_as""".split()
)


@usual
@dataclass()
class _Known:
    """What is known of one live tensor: its shape with letters and as plain numbers, and the call that made it."""

    alive: weakref.ref[Tensor]
    shape: Shape
    numbers: tuple[int, ...]
    maker: int | None  # negative for an input of the model
    below: int | None = None


class Recorder(TorchFunctionMode):
    """Answers questions about sizes with letters, and turns every other call into a :class:`Call`."""

    def __init__(
        self,
        parts: Anatomy,
        kept: Memory,
        effort: Effort | None = None,
        alone: str = "",
        detailed: bool = False,
        bare: bool = False,
    ) -> None:
        """Watch a model.

        Args:
            parts: the modules and parameters that the calls are told by.
            kept: is told before anything is written into.
            effort: is told before each call, and may stop the run; ``None`` for no limit.
            alone: why the run is made on shapes alone; ``""`` for a run on real tensors.
            detailed: whether each call keeps its arguments and where in the user's code it stood.
            bare: whether PyTorch's shapes are enough, so that no rule is asked.
        """
        super().__init__()
        self.trace = Trace(manner=Manner(alone, eager=_is_compiled(parts)))
        self._kept = kept
        self._effort = effort
        self._known: dict[int, _Known] = {}
        self._by_memory: dict[int, _Known] = {}
        self._parts = parts
        self._paths = {id(module): path.replace("_orig_mod.", "") for path, module in parts.modules}
        self._parameters = set(map(id, parts.parameters))
        self._shadows = Shadows(parts) if alone else None
        self._called: set[int] = set()
        self._answers = Answers()
        self._batches = Batches()
        self._looks_away = False
        self._stack: list[str] = []
        self._entered = 0
        self._thread = threading.get_ident()
        self._detailed = detailed
        self._bare = bare

    def know(self, tensor: Tensor, shape: Shape, maker: int | None = None, below: int | None = None) -> int:
        """Note a tensor's shape with letters and what its whole numbers count up to; say in which memory it lies."""
        known = _Known(weakref.ref(tensor), shape, size_of(tensor), maker, below)
        self._known[id(tensor)] = known
        place = memory(tensor)
        self._by_memory[place] = known
        return place

    def enters(self, tensor: Tensor, shape: Shape) -> None:
        """Note an input of the model."""
        self._entered += 1
        self.know(tensor, shape, -self._entered)

    def shape_of(self, tensor: Tensor) -> Shape:
        """The shape of a tensor, with the letters that are known of it."""
        return _shape_by(self._lookup(tensor), tensor)

    def _lookup(self, tensor: Tensor) -> _Known | None:
        known = self._known.get(id(tensor))
        if known and known.alive() is tensor:
            return known
        if id(tensor) in self._parameters:
            return None
        shape = without_batch(tensor, self.shape_of)
        if shape is not None:
            return _Known(weakref.ref(tensor), shape, tuple(map(int, shape)), None)
        # what PyTorch hands on unseen, as another class of tensor say, still lies in the same memory
        same = self._by_memory.get(memory(tensor))
        alive = same.alive() if same else None
        return same if alive is not None and size_of(alive) == size_of(tensor) else None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Handle one call of the user's."""
        kwargs = kwargs or {}
        if self._looks_away or threading.get_ident() != self._thread or not _WITHOUT_SIZE.isdisjoint(types):
            return func(*args, **kwargs)
        name, inplace, asks = named(func)
        token = watcher.set(None)  # comparisons from here on are ours and PyTorch's, not the model's
        try:
            if asks:
                return self._answer(func, name, args, kwargs)
            return self._step(func, name, inplace or kwargs.get("out") is not None or name == "setitem", args, kwargs)
        finally:
            watcher.reset(token)

    def _answer(self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._mind_values(name, args)
        if getattr(func, "__name__", "") == "__set__" and isinstance(args[0], Tensor):
            self._kept.about_to_replace(args[0])
        call = self._call(name, args[:1], {})[0] if name in ONE_NUMBER and isinstance(args[0], Tensor) else None
        try:
            if call:
                one_number(call)
            result = func(*args, **kwargs)
        except (RuntimeError, ValueError, TypeError) as error:
            if call and call.violation:
                self.goes_on()
                call.error, call.refused = error, (func, args, kwargs)
                self.trace.calls.append(call)
            raise
        if self._shadows and args and getattr(args[0], "is_meta", False):
            result = self._shadows.answer(name, result)
        if name == "len" and isinstance(self.shape_of(args[0])[0], Dim):
            turned_plain(user_frame(sys._getframe(2)))  # Python lets a length be a plain number only
        if name not in ("shape", "size", "numel", "nelement") or not isinstance(args[0], Tensor):
            return result
        known = self.shape_of(args[0])
        if not any(isinstance(size, Dim) for size in known):
            return result
        if isinstance(result, torch.Size):
            return torch.Size(known)
        if name in ("numel", "nelement"):
            return product(known)
        return known[args[1] if len(args) > 1 else kwargs["dim"]]

    def _mind_values(self, name: str, args: tuple[Any, ...]) -> None:
        """Note that a tensor without values is asked for them: PyTorch refuses, and the run is of no use."""
        if self._shadows and name in READS and args and getattr(args[0], "is_meta", False):
            self._needs_values(name, source_line(sys._getframe(3)))

    def _needs_values(self, name: str, source: str) -> None:
        if not self.trace.manner.values:
            self.trace.manner = replace(self.trace.manner, values=f"{name} at {source}" if source else name)

    def _step(
        self, func: Callable[..., Any], name: str, writes: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call, asked = self._call(*as_called(func, name, args, kwargs))
        if self._detailed or name in ASKED:
            call.given = mapped(self._fed, (args, kwargs))
        if self._detailed:
            call.spot = user_spot(sys._getframe(2))
        with collecting() as stated:
            if asked and not self._bare:
                self._ask_rule(call, writes, *asked)
        call.requires = tuple([condition for condition in stated if not condition.is_way])
        self.goes_on()
        if self._effort:
            self._effort.about_to_do(call)
        # the count of batches that PyTorch's own layer keeps is no operation of the model's
        seen = not writes or sys._getframe(2).f_code.co_filename != _BATCHNORM
        if seen:
            self.trace.calls.append(call)
        if self._shadows:
            args, kwargs = moved(name, args, kwargs) or self._shadows.instead(name, args, kwargs, call.derived)
        if written := _written(name, writes, args, kwargs):
            self._kept.about_to_write(*written)
        try:
            check_indices(call, (args, kwargs))
            result = (_unwarned()(func) if name in COMPARING else func)(*args, **kwargs)
        except Exception as error:
            call.error, call.refused = error, (func, args, kwargs)
            if self._shadows and call.violation is None:
                self._needs_values(name, call.source)
            raise
        if seen and name in ("eq", "ne") and not isinstance(result, Tensor):
            self.trace.calls.pop()  # `x == None`: Python's answer, of which no tensor knows
        elif seen:
            self._note_result(call, result, args, kwargs)
        return result

    def outside(self, made: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function of TorchScript, which runs outside Python: a call without a rule."""
        if self._looks_away or threading.get_ident() != self._thread:
            return made(*args, **kwargs)
        self.goes_on()
        try:
            result = made(*args, **kwargs)
        except Exception as error:
            self._note_outside("ScriptFunction", None, args, kwargs)
            failed = self.trace.calls[-1]
            failed.error, failed.refused = error, (made, args, kwargs)
            raise
        self._note_outside("ScriptFunction", result, args, kwargs)
        return result

    def _note_outside(self, name: str, result: Any, args: Any, kwargs: Any) -> None:
        """A call of what runs outside Python, where no function mode sees it."""
        token = watcher.set(None)
        try:
            call, _ = self._call(name, (args, kwargs), {})
            call.trouble = _COMPILED
            self.trace.calls.append(call)
            self._note_result(call, result, args, kwargs)
        finally:
            watcher.reset(token)

    def goes_on(self) -> None:
        """If the last call raised, the model has caught that."""
        if self.trace.calls and self.trace.calls[-1].error:
            self.trace.calls[-1].caught = True

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Call, Any]:
        """A call as it is made, and its arguments as a rule gets them; ``None`` where no rule could tell anything."""
        seen: list[Operand] = []
        own: list[int] = []

        def operand(leaf: Tensor) -> Operand:
            seen.append(self._operand(leaf))
            if id(leaf) in self._parameters:
                own.append(id(leaf))
            return seen[-1]

        asked: Any = mapped(operand, args), mapped(operand, kwargs)
        if any(one.stride is None and not one.shape for one in seen):
            asked = None  # of a nested tensor, whose parts differ, no rule tells
        parents = {one.origin for one in seen if one.origin is not None and one.origin >= 0}
        call = Call(
            op=name,
            module=self._stack[-1] if self._stack else "",
            source=source_line(sys._getframe(3)),
            inputs=tuple([one.shape for one in seen]),
            parents=tuple(sorted(parents)),
            parameters=tuple(own),
            times=self._batches.of((args, kwargs), self.shape_of),
        )
        return call, asked

    def _ask_rule(self, call: Call, writes: bool, given: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """What the rule says of a call: a shape, or what does not hold; nothing where there is no rule."""
        known = find(call.op)
        if known is None:
            return
        call.asked = given, keywords
        try:
            derived = self._answers.ask(known, given, keywords)
            if (
                writes
                and call.op not in REARRANGED
                and given
                and isinstance(given[0], Operand)
                and "out" not in keywords
            ):
                _check_written(given[0], derived)
            call.derived = derived
        except Violation as violation:
            call.violation = violation
        except Unsupported:
            return
        except Exception as error:  # noqa: BLE001  # a form of the call that the rule cannot read: it has no say
            call.trouble = f"the rule cannot read this call ({type(error).__name__}: {error})"

    def _operand(self, leaf: Tensor) -> Operand:
        strides = leaf.stride() if leaf.layout == torch.strided and not leaf.is_nested else None
        known = self._lookup(leaf)
        if known is None:
            return Operand(size_of(leaf), dtype_name(leaf.dtype), strides)
        return Operand(_shape_by(known, leaf), dtype_name(leaf.dtype), strides, known.below, known.maker)

    def _fed(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        seen = self._operand(leaf)
        maker = seen.origin if seen.origin is not None and seen.origin >= 0 else None
        return Fed(**vars(seen), maker=maker, identity=id(leaf))

    def _note_result(self, call: Call, result: Any, args: Any = (), kwargs: Any = None) -> None:
        call.output = mapped_sizes(result)
        call.derived = call.derived and settled(call.derived, call.output)
        leaves = [result] if isinstance(result, Tensor) else list(tensors(result))
        shapes = call.derived.shapes if call.derived else []
        real = list(map(size_of, leaves))
        agree = shapes == real
        index = len(self.trace.calls) - 1
        below = call.derived.below if call.derived else None
        if args and isinstance(args[0], Tensor):
            below = self._below(call.op, result, *args[:2]) or below
        old = set(map(memory, tensors((args, kwargs))))
        for place, leaf in enumerate(leaves):
            shape = shapes[place] if agree else real[place]
            where = self.know(leaf, shape, index, below)
            if where not in old:
                self._kept.made(where)
                call.bytes_out += (
                    (leaf.numel() if leaf.is_nested else product(shape)) * call.times * leaf.element_size()
                )
                call.made += ((place, leaf.element_size()),)

    def _below(self, op: str, result: Any, first: Tensor, other: Any = None) -> int | None:
        """Below which size whole numbers stay when all are rearranged, or when a number is added to them."""
        moved = op == "add" and isinstance(other, int) and other >= 0
        kept = op in _SAME_VALUES and isinstance(result, Tensor) and result.numel() >= first.numel()
        known = self._operand(first).below if moved or kept else None
        return known + other if known is not None and moved else known

    def enter(self, module: nn.Module, args: Any) -> None:
        """A module begins: note where we are. What PyTorch's own code asks of sizes is then answered as usual."""
        if threading.get_ident() == self._thread:
            self._called.add(id(module))
            self._stack.append(self._paths.get(id(module), self._stack[-1] if self._stack else ""))
            if isinstance(module, LazyModuleMixin):
                self._looks_away = True  # to make and fill the weights is no step of the model's
                module.initialize_parameters(*args)
                self._looks_away = False

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        """A module ends, by an exception too; one that ran outside Python leaves a call without a rule."""
        if threading.get_ident() != self._thread:
            return
        if isinstance(module, torch.jit.ScriptModule) and output is not None:
            self._note_outside(type(module).__name__, output, args, {})
        self._stack.pop()

    def finish(self) -> None:
        """The run is over: note what is to be said of the model itself, which lazy layers have made by now."""
        self.trace.inside = self._stack[-1] if self._stack else ""
        sized = [p for p in self._parts.parameters if not is_lazy(p)]
        self.trace.parameters = {id(p): (p.numel(), p.numel() * p.element_size()) for p in sized}
        called = [(path, m) for path, m in self._parts.modules if id(m) in self._called]
        unseen = tuple(f"{path}." if path else "" for path, m in called if isinstance(m, torch.jit.ScriptModule))
        never = [(p, m) for p, m in self._parts.modules if p and id(m) not in self._called and not p.startswith(unseen)]
        used = {identity for call in self.trace.calls for identity in call.parameters}
        leaves = [(path, m) for path, m in never if not any(True for _ in m.children())]
        self.trace.unused = tuple(path for path, m in leaves if not _all_used(m, used))


def _all_used(module: nn.Module, used: set[int]) -> bool:
    """Whether a call was given all of a layer's parameters, as attention is those of its last layer."""
    own = [id(parameter) for parameter in module.parameters()]
    return bool(own) and used.issuperset(own)


def _shape_by(known: _Known | None, tensor: Tensor) -> Shape:
    shape = size_of(tensor)
    return known.shape if known and known.numbers == shape else shape


@contextmanager
def _unwarned() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using a target size")
        yield


def one_number(call: Call) -> None:
    """Note that a call asks Python for the one number of a tensor, which must then hold one, and no more."""
    shape = call.inputs[0]
    try:
        require("==", product(shape), 1, "one-number", "a tensor of 1 element", show(shape))
    except Violation as violation:
        call.violation = violation


def size_of(tensor: Tensor) -> tuple[int, ...]:
    """The numbers of a tensor's shape; none for a nested one, whose parts differ."""
    return () if tensor.is_nested else tuple(tensor.shape)


def mapped_sizes(result: Any) -> Any:
    """The shapes of a call's results, nested as they came; ``None`` for what is no tensor."""
    if isinstance(result, Tensor):
        return size_of(result)
    if isinstance(result, (tuple, list)):
        parts = [mapped_sizes(part) for part in result]
        return parts if isinstance(result, list) else tuple(parts)
    return None


# Calls that write into arguments without saying so in their names: running statistics, and weights brought to a norm.
_ALSO_WRITTEN = {"batch_norm": (1, 2), "instance_norm": (1, 2), "embedding": (1,), "embedding_bag": (1,)}


def _written(name: str, writes: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """What a call writes into."""
    places: tuple[int, ...] = (0,) if writes or kwargs.get("inplace") else ()
    if name in _ALSO_WRITTEN and ("embedding" not in name or _brings_to_norm(args, kwargs)):
        places += _ALSO_WRITTEN[name]
    out = kwargs.get("out")
    return [*(() if out is None else (out,)), *(args[place] for place in places if place < len(args))]


def _brings_to_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an embedding scales the rows that it reads, in place, to a ``max_norm``."""
    norm = kwargs.get("max_norm", args[3] if len(args) > 3 else None)
    return isinstance(norm, (int, float)) and not isinstance(norm, bool)  # a place that torch.embedding gives to a flag


def _check_written(target: Operand, derived: Derived) -> None:
    """A result written into its first argument must have that argument's shape."""
    if derived.shape is None or (derived.shape and isinstance(derived.shape[0], tuple)):
        return
    require_shape(derived.shape, target.shape, "broadcast", f"a result that fits into {show(target.shape)}")


def _is_compiled(parts: Anatomy) -> bool:
    """Whether some part of a model is the work of ``torch.compile``."""
    return any("_orig_mod" in module._modules for _, module in parts.modules)


@contextmanager
def hooked(recorder: Recorder) -> Iterator[None]:
    """Tell the recorder which module runs, through hooks that belong to no module and are gone afterwards."""
    token = watcher.set(compared)
    before = nn.modules.module.register_module_forward_pre_hook(recorder.enter)
    after = nn.modules.module.register_module_forward_hook(recorder.leave, always_call=True)
    try:
        with scripted(recorder.outside):
            yield
    finally:
        watcher.reset(token)
        before.remove()
        after.remove()
