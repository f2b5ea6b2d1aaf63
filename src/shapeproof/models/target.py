"""From a target's name to a model: ``four-stage``, ``path/to/file.py:Name`` or ``package.module:Name``."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from shapeproof.errors import UsageError
from shapeproof.models.document import FourStage, TwoStage
from shapeproof.models.trouble import told_in_users_lines

BUILT_IN: dict[str, Callable[[], nn.Module]] = {"two-stage": TwoStage, "four-stage": FourStage}


def load(target: str, settings: Mapping[str, Any] | None = None, *, inputs: int = 0) -> Any:
    """Make the model that a target names.

    Args:
        target: a built-in name, or ``FILE.py:NAME`` or ``PACKAGE.MODULE:NAME`` of a class, a factory or an instance.
        settings: constructor arguments.
        inputs: how many inputs there are: a function that needs as many arguments, and cannot be called without
            them, is the model itself.

    Raises:
        UsageError: if there is no such target, it does not import, or its constructor needs other arguments.
    """
    settings = dict(settings or {})
    if target in BUILT_IN:
        if settings:
            raise UsageError(f"{target} takes no arguments; leave out --set {', '.join(settings)}")
        return BUILT_IN[target]()
    place, _, name = target.rpartition(":")
    if not place or not name:
        known = ", ".join(f"{target.removesuffix(':')}:{name}" for name in _classes(target)) or ", ".join(BUILT_IN)
        raise UsageError(f"no model is called {target!r}; give {known}, FILE.py:NAME or PACKAGE.MODULE:NAME")
    found = _attribute(_module(place, name), name, place)
    return _made(found, target, settings, inputs)


def _classes(target: str) -> list[str]:
    """The classes in a file of Python, without running it."""
    target = target.removesuffix(":")
    try:
        tree = ast.parse(Path(target).read_text()) if target.endswith(".py") else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def settings_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Read ``key=value`` pairs; a value that reads as a Python literal is one, any other is text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--set {pair!r}: write it as key=value")
        try:
            found[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[key] = value
    return found


def _module(place: str, name: str) -> ModuleType:
    path = Path(place)
    if place.endswith(".py"):
        if not path.is_file():
            raise UsageError(f"{place}: there is no such file")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.resolve().parent))
        sys.modules.setdefault(path.stem, module)
        try:
            _imported(lambda: spec.loader.exec_module(module), place)  # type: ignore[union-attr]
        except UsageError as error:
            if not hasattr(module, name):
                raise
            # a training script without `if __name__ == "__main__"` runs, and may fail, when it is imported
            print(f"note: {error}\n{name} was defined before that, and is derived as it stands there", file=sys.stderr)
        return module
    if path.exists() and (path.is_dir() or path.suffix):
        what = "a folder" if path.is_dir() else "no file of Python"
        if not (path / "__init__.py").is_file():
            raise UsageError(f"{place} is {what}; a target is FILE.py:NAME or PACKAGE.MODULE:NAME")
    sys.path.insert(0, "")
    result = _imported(lambda: importlib.import_module(place), place)
    assert isinstance(result, ModuleType)
    return result


def _imported(load_it: Callable[[], Any], place: str) -> Any:
    with told_in_users_lines(f"{place} does not import", UsageError):
        try:
            return load_it()
        except ImportError as error:
            if "relative import" not in str(error) or not place.endswith(".py"):
                raise
            package = Path(place).resolve().parent
            hint = f"in {package.parent}, derive it as {package.name}.{Path(place).stem}:NAME"
            raise UsageError(f"{place} does not import: it is part of a package ({error}); {hint}") from error


def _kind(value: Any) -> str:
    name = type(value).__name__
    return "None" if value is None else f"an {name}" if name[0] in "aeioAEIO" else f"a {name}"


def _attribute(module: ModuleType, name: str, place: str) -> Any:
    if not hasattr(module, name):
        models = [k for k, v in vars(module).items() if isinstance(v, type) and issubclass(v, nn.Module)]
        known = f"; it has {', '.join(models)}" if models else ""
        raise UsageError(f"{place} has nothing called {name!r}{known}")
    return getattr(module, name)


def _made(found: Any, target: str, settings: dict[str, Any], inputs: int) -> Any:
    if isinstance(found, nn.Module):
        if settings:
            raise UsageError(f"{target} is a model already made; --set applies to a class or a factory")
        return found
    if not callable(found):
        raise UsageError(f"{target} is {_kind(found)}; a model is an nn.Module or a function that makes one")
    missing, unknown = _arguments(found, settings)
    if missing and len(missing) == inputs and not settings and not isinstance(found, type) and _on_tensors(found):
        return found  # a function on tensors is a model itself
    if missing:
        hint = " ".join(f"--set {name}=..." for name in missing)
        raise UsageError(f"{target} needs {', '.join(missing)}; give {hint}")
    if unknown:
        raise UsageError(f"{target} takes no argument called {', '.join(unknown)}")
    said = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    doing = f"{target} cannot be made" + (f" with {said}" if said else "")
    try:
        with told_in_users_lines(doing, UsageError):
            made = found(**settings)
    except UsageError as error:
        if _refused_by_torch(error.__cause__):
            return _made_when_called(found, settings)
        raise UsageError(f"{error}{_hint(error.__cause__, found)}") from error.__cause__
    return _checked(made, found, target)


def _hint(error: BaseException | None, found: Any) -> str:
    """What mends a constructor that raised, where its kind is known."""
    if isinstance(error, AttributeError) and "before Module.__init__()" in str(error):
        return "\ncall super().__init__() first in __init__"
    if isinstance(error, KeyError) and error.args and str(error.args[0]).isidentifier():
        kinds = {p.kind for p in inspect.signature(found).parameters.values()}
        return f"\ngive --set {error.args[0]}=..." if inspect.Parameter.VAR_KEYWORD in kinds else ""
    return ""


def _refused_by_torch(error: BaseException | None) -> bool:
    """Whether a layer of PyTorch's own refused its arguments, for their values."""
    if not isinstance(error, (RuntimeError, ValueError, AssertionError)):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return Path(frames[-1].filename).parent == Path(nn.modules.__file__).parent


def _made_when_called(found: Any, settings: dict[str, Any]) -> Callable[..., Any]:
    """A function that makes the model and calls it: what refuses to be made can then be explained as any failure."""

    def made_and_called(*args: Any) -> Any:
        return found(**settings)(*args)

    made_and_called.__name__ = getattr(found, "__name__", "model")
    return made_and_called


def _checked(made: Any, found: Any, target: str) -> Any:
    """What a call gave, if that can be a model; a function on tensors is a model itself."""
    if isinstance(made, nn.Module) or (not isinstance(found, type) and callable(made)):
        return made
    raise UsageError(f"{target} gives {_kind(made)}; a model is an nn.Module or a function that makes one")


def _on_tensors(found: Any) -> bool:
    """Whether no argument is said to be a plain value, such as a factory takes."""
    said = [p.annotation for p in inspect.signature(found).parameters.values() if p.default is p.empty]
    return not any(getattr(a, "__name__", a) in ("bool", "float", "int", "str") for a in said)


def _arguments(found: Any, settings: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Arguments that are needed and not given, and those given that there are not."""
    try:
        parameters = inspect.signature(found).parameters
    except (TypeError, ValueError):
        return [], []
    free = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    named = {n: p for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    missing = [n for n, p in named.items() if p.default is p.empty and n not in settings]
    return missing, [] if free else [n for n in settings if n not in named]
