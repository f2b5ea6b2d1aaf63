"""Keeping letters where Python drops them: ``int``, ``float``, ``len`` and ``math`` give plain numbers in any case.

A first run notes which modules of the user's turn a size into a plain number. A second run of the same model gives
those modules stand-ins for the duration: called with a size, they keep its letters; with anything else they do what
the originals do. What the letters then say is held against plain runs at other sizes, which have no stand-ins.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch import Tensor

from shapeproof.capture.source import is_users
from shapeproof.capture.trace import Trace
from shapeproof.dims import Dim, DimFloat
from shapeproof.dims.conditions import Condition, collecting, note
from shapeproof.dims.dim import float_of, plain_watcher

_Globals = dict[str, Any]


class _StandIn(type):
    """A class that passes for the type it stands for, but for ``is``."""

    original: type

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.original)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.original)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.original

    def __hash__(cls) -> int:
        return hash(cls.original)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.original, name)


class _Int(metaclass=_StandIn):
    original = int

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], (Dim, DimFloat)):
            return math.trunc(args[0])
        return int(*args, **kwargs)


class _Float(metaclass=_StandIn):
    original = float

    def __new__(cls, *args: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], (Dim, DimFloat)):
            return float_of(args[0]) if isinstance(args[0], Dim) else args[0]
        return float(*args)


def _length(value: Any) -> Any:
    return value.shape[0] if isinstance(value, Tensor) and value.dim() else len(value)


def _root(value: Any) -> Any:
    return value**0.5 if isinstance(value, (Dim, DimFloat)) and value >= 0 else math.sqrt(value)


def _whole_root(value: Any) -> Any:
    return math.floor(value**0.5) if isinstance(value, Dim) and value >= 0 else math.isqrt(value)


class _Math:
    """The module ``math``, but for what has to keep letters."""

    sqrt = staticmethod(_root)
    isqrt = staticmethod(_whole_root)

    def __getattr__(self, name: str) -> Any:
        return getattr(math, name)


class _Numpy:
    """The module ``numpy``, but for what has to keep letters."""

    def ceil(self, value: Any) -> Any:
        return float_of(math.ceil(value)) if isinstance(value, (Dim, DimFloat)) else self.__getattr__("ceil")(value)

    def floor(self, value: Any) -> Any:
        return float_of(math.floor(value)) if isinstance(value, (Dim, DimFloat)) else self.__getattr__("floor")(value)

    def sqrt(self, value: Any) -> Any:
        return _root(value) if isinstance(value, (Dim, DimFloat)) else self.__getattr__("sqrt")(value)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["numpy"], name)


# by the object that a name of the user's module stands for
_STAND_INS: list[tuple[Any, Any]] = [
    (int, _Int), (float, _Float), (len, _length), (math, _Math()), (math.sqrt, _root), (math.isqrt, _whole_root),
]  # fmt: skip


def _replaced(names: _Globals) -> _Globals:
    """What is to stand in a module while it keeps letters."""
    pairs = [*_STAND_INS, *([(sys.modules["numpy"], _Numpy())] if "numpy" in sys.modules else [])]
    found = {name: new for name, value in names.items() for old, new in pairs if value is old and name[:2] != "__"}
    shown = {name: new for name, new in (("int", _Int), ("float", _Float), ("len", _length)) if name not in names}
    return shown | found


@contextmanager
def kept(modules: list[_Globals]) -> Iterator[None]:
    """Give these modules stand-ins while the block runs, and put back what they had."""
    absent = object()
    undo = [(names, name, names.get(name, absent)) for names in modules for name in _replaced(names)]
    try:
        for names in modules:
            names.update(_replaced(names))
        yield
    finally:
        for names, name, old in undo:
            if old is absent:
                names.pop(name, None)
            else:
                names[name] = old


@contextmanager
def noticed() -> Iterator[list[_Globals]]:
    """The modules of the user's in which a letter is turned into a plain number while the block runs."""
    found: list[_Globals] = []

    def tell(frame: FrameType) -> None:
        names = frame.f_globals
        if is_users(frame.f_code.co_filename) and not any(names is known for known in found):
            found.append(names)

    token = plain_watcher.set(tell)
    try:
        yield found
    finally:
        plain_watcher.reset(token)


def with_letters(once: Callable[[], Trace]) -> Trace:
    """Run a model, and once more with stand-ins if a letter was dropped on the way.

    The second run counts only if every operation in it gave what it gave in the first.

    Args:
        once: runs the model.
    """
    conditions: list[Condition] = []
    try:
        with noticed() as modules, collecting(apart=True) as conditions:
            trace = once()
        if modules:
            with kept(modules), collecting(apart=True) as others:
                again = _safely(once)
            if again is not None and _seen(again) == _seen(trace):
                trace, conditions = again, others
    finally:
        for condition in conditions:
            note(condition)
    return trace


def _safely(once: Callable[[], Trace]) -> Trace | None:
    try:
        return once()
    except Exception:  # noqa: BLE001  # whatever a stand-in broke: the first run counts
        return None


def _seen(trace: Trace) -> list[tuple[str, Any]]:
    return [(call.op, call.output) for call in trace.calls]
