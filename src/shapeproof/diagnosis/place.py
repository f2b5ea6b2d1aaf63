"""Where in the user's source a module is constructed."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from torch import nn


def constructor_line(model: Any, path: str) -> str:
    """``file:line`` of the assignment ``self.name = ...`` that makes the module; ``""`` where it is not plain."""
    if not isinstance(model, nn.Module):
        return ""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):  # a layer of a Sequential is made where the Sequential is
        owner = model.get_submodule(".".join(parts[: cut - 1]))
        found = _assignment(type(owner), parts[cut - 1])
        if found:
            return found
    return ""


def _assignment(owner: type, name: str) -> str:
    if owner.__module__.startswith("torch."):
        return ""
    try:
        lines, first = inspect.getsourcelines(owner)
        file = inspect.getsourcefile(owner)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return ""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute) and target.attr == name and ast.unparse(target.value) == "self":
                return f"{file}:{first + node.lineno - 1}"
    return ""
