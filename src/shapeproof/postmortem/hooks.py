"""Explaining what ends a program, a thread or a block: ``install()``, ``uninstall()`` and ``explain()``.

Nothing is watched before an error comes: it costs nothing until then. torch is not even loaded here.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

ExceptHook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]
TOLD = "__shapeproof_explained__"  # on an exception that was explained once: it passes further hooks without


def explanation_of(error: BaseException) -> str:
    """The explanation of a shape error as text; ``""`` for any other error, and for one explained before."""
    if not isinstance(error, Exception) or "torch" not in sys.modules or getattr(error, TOLD, False):
        return ""
    try:
        found = importlib.import_module("shapeproof.postmortem.explain").explained(error)
        told: str = importlib.import_module("shapeproof.postmortem.words").text(found) if found else ""
    except (Exception, KeyboardInterrupt):  # noqa: BLE001  # ours must never stand in the way of the user's own error
        return ""
    if told:
        with suppress(Exception):  # an exception that takes no attributes
            setattr(error, TOLD, True)
    return told


def tell_of(error: BaseException | None) -> None:
    """Write the explanation of a shape error to standard error; nothing for any other."""
    told = explanation_of(error) if error is not None else ""
    if told:
        importlib.import_module("shapeproof.postmortem.words").tell(told)


@contextmanager
def explain() -> Iterator[None]:
    """Explain a shape error that leaves the block, on standard error; the same exception goes on.

    Example:
        >>> with sp.explain():
        ...     out = model(images)
    """
    try:
        yield
    except Exception as error:
        tell_of(error)
        raise


def install() -> None:
    """From now on an uncaught shape error of this process, in any thread or notebook cell, ends with its explanation.

    The hooks that were there before still run, first. Calling it twice is the same as calling it once.
    """
    if not isinstance(sys.excepthook, _Uncaught):
        sys.excepthook = _Uncaught(sys.excepthook)
    if not isinstance(threading.excepthook, _InThread):
        threading.excepthook = _InThread(threading.excepthook)
    shell = _shell()
    if shell is not None:
        importlib.import_module("shapeproof.postmortem.notebook").load_ipython_extension(shell)


def uninstall() -> None:
    """Undo :func:`install`. A hook that another library has set since stays; it is not ours to remove."""
    if isinstance(sys.excepthook, _Uncaught):
        sys.excepthook = sys.excepthook.before
    if isinstance(threading.excepthook, _InThread):
        threading.excepthook = threading.excepthook.before
    shell = _shell()
    if shell is not None:
        importlib.import_module("shapeproof.postmortem.notebook").unload_ipython_extension(shell)


class _Uncaught:
    """The hook of an uncaught exception: the one that was there, then the explanation."""

    def __init__(self, before: ExceptHook) -> None:
        self.before = before

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.before(kind, error, trace)
        tell_of(error)


class _InThread:
    """The same for a thread."""

    def __init__(self, before: Callable[[Any], Any]) -> None:
        self.before = before

    def __call__(self, args: Any) -> None:
        self.before(args)
        tell_of(args.exc_value)


def _shell() -> Any:
    """The running IPython shell; ``None`` where there is none."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
