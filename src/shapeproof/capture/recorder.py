"""The function mode that sees each call as the user wrote it, asks the rule, lets PyTorch answer, and notes both."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from shapeproof.capture.guard import Weights
from shapeproof.capture.naming import is_query, public_name
from shapeproof.capture.source import source_line, user_spot
from shapeproof.capture.trace import Call, Fed, Trace
from shapeproof.dims import Dim, Shape
from shapeproof.dims.conditions import branch, collecting, note
from shapeproof.dims.dim import watcher
from shapeproof.rules.registry import Derived, Operand, Unsupported, Violation, rules, show


@dataclass
class _Known:
    """What is known of one live tensor: its shape with letters, and the call that made it."""

    alive: weakref.ref[Tensor]
    shape: Shape
    maker: int | None


class Recorder(TorchFunctionMode):
    """Answers questions about sizes with letters, and turns every other call into a :class:`Call`."""

    def __init__(self, model: Any, weights: Weights, detailed: bool = False) -> None:
        """Watch ``model``; ``weights`` is told before anything is written into.

        With ``detailed``, each call keeps its arguments and where in the user's code it stood.
        """
        super().__init__()
        self.trace = Trace()
        self._weights = weights
        self._known: dict[int, _Known] = {}
        self._paths = _paths(model)
        self._parameters = {id(p) for p in model.parameters()} if isinstance(model, nn.Module) else set()
        self._stack: list[str] = []
        self._thread = threading.get_ident()
        self._detailed = detailed

    def know(self, tensor: Tensor, shape: Shape, maker: int | None = None) -> None:
        """Note the shape with letters of a tensor."""
        self._known[id(tensor)] = _Known(weakref.ref(tensor), shape, maker)

    def shape_of(self, tensor: Tensor) -> Shape:
        """The shape of a tensor, with the letters that are known of it."""
        known = self._lookup(tensor)
        return known.shape if known and tuple(map(int, known.shape)) == tuple(tensor.shape) else tuple(tensor.shape)

    def _lookup(self, tensor: Tensor) -> _Known | None:
        known = self._known.get(id(tensor))
        return known if known and known.alive() is tensor else None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Handle one call of the user's."""
        kwargs = kwargs or {}
        if threading.get_ident() != self._thread:
            return func(*args, **kwargs)
        name, inplace = public_name(func)
        token = watcher.set(None)  # comparisons from here on are ours and PyTorch's, not the model's
        try:
            if is_query(func, name):
                return self._answer(func, name, args, kwargs)
            return self._step(func, name, inplace or kwargs.get("out") is not None or name == "setitem", args, kwargs)
        finally:
            watcher.reset(token)

    def _answer(self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        if name not in ("shape", "size", "numel", "nelement") or not isinstance(args[0], Tensor):
            return result
        known = self.shape_of(args[0])
        if not any(isinstance(size, Dim) for size in known):
            return result
        if isinstance(result, torch.Size):
            return torch.Size(known)
        if name in ("numel", "nelement"):
            total = 1
            for size in known:
                total = size * total if isinstance(size, Dim) else total * size
            return total
        return known[args[1] if len(args) > 1 else kwargs["dim"]]

    def _step(
        self, func: Callable[..., Any], name: str, writes: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call = self._call(name, args, kwargs)
        if self._detailed:
            call.given, call.spot = tree_map(self._fed, (args, kwargs)), user_spot(sys._getframe(2))
        with collecting() as stated:
            call.derived, call.violation = self._rule(name, writes, args, kwargs)
        for condition in stated:
            note(condition)
        call.requires = tuple(stated)
        if writes:
            self._weights.about_to_write(kwargs.get("out", args[0] if args else None))
        self.trace.calls.append(call)
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            call.error, call.refused = error, (func, args, kwargs)
            raise
        self._note_result(call, result, args, kwargs)
        return result

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
        parents = {known.maker for t in tensors if (known := self._lookup(t)) and known.maker is not None}
        return Call(
            op=name,
            module=self._stack[-1] if self._stack else "",
            source=source_line(sys._getframe(3)),
            inputs=tuple(self.shape_of(t) for t in tensors),
            parents=tuple(sorted(parents)),
            parameters=tuple(id(t) for t in tensors if id(t) in self._parameters),
        )

    def _rule(
        self, name: str, writes: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Derived | None, Violation | None]:
        known = rules().get(name)
        if known is None:
            return None, None
        named = {key: value for key, value in kwargs.items() if key != "out"}
        given, keywords = tree_map(self._operand, (args, named))
        if keywords.keys() & {"self"}:
            keywords["input"] = keywords.pop("self")
        try:
            derived = known.function(*given, **keywords)
            if writes and given and isinstance(given[0], Operand) and "out" not in kwargs:
                _check_written(given[0], derived)
        except Violation as violation:
            return None, violation
        except Unsupported:
            return None, None
        return derived, None

    def _operand(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        strides = tuple(leaf.stride()) if leaf.layout == torch.strided else None
        return Operand(self.shape_of(leaf), str(leaf.dtype).removeprefix("torch."), strides)

    def _fed(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        known, seen = self._lookup(leaf), self._operand(leaf)
        return Fed(seen.shape, seen.dtype, seen.stride, known.maker if known else None, id(leaf))

    def _note_result(self, call: Call, result: Any, args: Any = (), kwargs: Any = None) -> None:
        call.output = tree_map(lambda leaf: tuple(leaf.shape) if isinstance(leaf, Tensor) else None, result)
        leaves = [leaf for leaf in tree_flatten(result)[0] if isinstance(leaf, Tensor)]
        shapes = _flat_shapes(call.derived.shape) if call.derived else []
        agree = [tuple(map(int, s)) for s in shapes] == [tuple(leaf.shape) for leaf in leaves]
        index = len(self.trace.calls) - 1
        old = {_memory(leaf) for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)}
        for place, leaf in enumerate(leaves):
            self.know(leaf, shapes[place] if agree else tuple(leaf.shape), index)
            call.bytes_out += 0 if _memory(leaf) in old else leaf.numel() * leaf.element_size()

    def enter(self, module: nn.Module, args: Any) -> None:
        """A module begins: note where we are. What PyTorch's own code asks of sizes is then answered as usual."""
        if threading.get_ident() == self._thread:
            self._stack.append(self._paths.get(id(module), self._stack[-1] if self._stack else ""))

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        """A module ends; one that ran outside Python leaves a call without a rule."""
        if threading.get_ident() != self._thread:
            return
        if isinstance(module, torch.jit.ScriptModule) and output is not None:
            call = self._call(type(module).__name__, args, {})
            self.trace.calls.append(call)
            self._note_result(call, output, args)
        self._stack.pop()


def _memory(tensor: Tensor) -> int:
    """Which memory a tensor lies in; a view lies in that of the tensor it looks at."""
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else id(tensor)


def _check_written(target: Operand, derived: Derived) -> None:
    """A result written into its first argument must have that argument's shape."""
    if derived.shape is None or (derived.shape and isinstance(derived.shape[0], tuple)):
        return
    if tuple(map(int, derived.shape)) != tuple(map(int, target.shape)):
        raise Violation("broadcast", f"a result that fits into {show(target.shape)}", show(derived.shape))


def _flat_shapes(shape: Any) -> list[Shape]:
    """The shapes in a rule's answer, in order."""
    if isinstance(shape, tuple) and all(isinstance(size, int) for size in shape):
        return [shape]
    return [inner for part in shape or () if part is not None for inner in _flat_shapes(part)]


def _paths(model: Any) -> dict[int, str]:
    """The dotted path of every module; of a shared one, the first."""
    if not isinstance(model, nn.Module):
        return {}
    return {id(module): path for path, module in model.named_modules()}


@contextmanager
def hooked(recorder: Recorder) -> Iterator[None]:
    """Tell the recorder which module runs, through hooks that belong to no module and are gone afterwards."""
    token = watcher.set(branch)
    before = nn.modules.module.register_module_forward_pre_hook(recorder.enter)
    after = nn.modules.module.register_module_forward_hook(recorder.leave)
    try:
        yield
    finally:
        watcher.reset(token)
        before.remove()
        after.remove()
