"""Running a user's script as Python itself would, and explaining a shape error that ends it."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import threading
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import TracebackType
from typing import Any

from shapeproof.errors import UsageError
from shapeproof.postmortem.hooks import _InThread, tell_of


def script_run(script: str, args: tuple[str, ...]) -> Callable[[], None]:
    """Make ready to run a file as ``python script args`` does: as ``__main__``, its folder first on the path.

    Returns:
        What runs it. It raises whatever the script raises, to the interpreter, which shows it and sets the status.

    Raises:
        UsageError: if there is no such file.
    """
    path = Path(script)
    path = path / "__main__.py" if path.is_dir() else path
    if not path.is_file():
        raise UsageError(f"{script}: there is no such file")
    with io.open_code(str(path)) as file:
        source = file.read()
    module = types.ModuleType("__main__")
    name = os.path.abspath(path)  # noqa: PTH100  # as Python does: absolute, links not followed
    module.__dict__.update(__file__=name, __loader__=SourceFileLoader("__main__", name), __cached__=None)
    _first_on_path(str(path.resolve().parent))
    sys.argv = [script, *args]
    return lambda: _run(module, lambda: compile(source, name, "exec", dont_inherit=True))


def module_run(name: str, args: tuple[str, ...]) -> Callable[[], None]:
    """Make ready to run a module as ``python -m name args`` does; as :func:`script_run`.

    Raises:
        UsageError: if there is no such module, or it has no code to run.
    """
    _first_on_path(str(Path.cwd()))
    sys.argv = ["-m", *args]
    spec = _spec(name)
    loader: Any = spec.loader
    code = loader.get_code(spec.name) if hasattr(loader, "get_code") else None
    if code is None:
        raise UsageError(f"{name}: this module has no Python code to run")
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __file__=spec.origin, __loader__=loader, __spec__=spec, __package__=spec.parent, __cached__=spec.cached
    )
    sys.argv[0] = spec.origin or name
    return lambda: _run(module, lambda: code)


def _spec(name: str) -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError) as error:
        raise UsageError(f"{name}: there is no module of that name ({error})") from error
    if spec is None or spec.loader is None:
        raise UsageError(f"{name}: there is no module of that name that can be run")
    return spec


def _first_on_path(folder: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _run(module: types.ModuleType, compiled: Any) -> None:
    sys.modules["__main__"] = module
    threading.excepthook = _InThread(threading.excepthook)
    try:
        code = compiled()
        exec(code, module.__dict__)  # noqa: S102  # what the user asked for
    except SystemExit:
        raise
    except BaseException as error:
        _leave_to_python(error)
        raise


def _leave_to_python(error: BaseException) -> None:
    """Have the interpreter show the error without our frames, by whatever hook is set, and then explain it."""
    shown = _from_script(error.__traceback__)
    before = sys.excepthook

    def hook(kind: type[BaseException], found: BaseException, trace: TracebackType | None) -> None:
        if found is not error:
            before(kind, found, trace)
            return
        before(kind, found.with_traceback(shown), shown)
        tell_of(found)

    sys.excepthook = hook


def _from_script(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the script's own first frame on; all of it where the script did not begin."""
    while trace is not None and trace.tb_frame.f_code is not _run.__code__:
        trace = trace.tb_next
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace
