"""The frames of a traceback: whose code they run, and which expression each was at."""

from __future__ import annotations

import ast
import linecache
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import torch

TORCH = str(Path(torch.__file__).parent)
_HERE = str(Path(__file__).parent.parent)
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


@dataclass(frozen=True)
class Moment:
    """One frame at the moment of the error.

    Attributes:
        frame: the frame.
        line: the line that it was at.
        instruction: the offset of the instruction that it was at.
    """

    frame: FrameType
    line: int
    instruction: int

    @property
    def code(self) -> CodeType:
        """The code that the frame runs."""
        return self.frame.f_code

    @property
    def file(self) -> str:
        """The file of that code."""
        return self.code.co_filename

    @property
    def text(self) -> str:
        """The line of source, stripped; ``""`` where there is none."""
        return linecache.getline(self.file, self.line, self.frame.f_globals).strip()

    @property
    def names(self) -> Mapping[str, Any]:
        """What each name in the frame stands for."""
        return {**self.frame.f_globals, **self.frame.f_locals}

    @property
    def torchs(self) -> bool:
        """Whether the code is PyTorch's."""
        return self.file.startswith(TORCH)

    @property
    def users(self) -> bool:
        """Whether the code is the user's own: in no library, and not made up."""
        installed = self.file.startswith((*_INSTALLED, TORCH, _HERE)) or self.file.startswith("<frozen")
        return not installed


def moments(trace: TracebackType | None) -> list[Moment]:
    """The frames of a traceback, the outermost first."""
    found = []
    while trace is not None:
        found.append(Moment(trace.tb_frame, trace.tb_lineno, trace.tb_lasti))
        trace = trace.tb_next
    return found


def user_moment(stack: list[Moment]) -> Moment:
    """The innermost line of the user's own; where all is a library's code, the innermost that is not PyTorch's."""
    own = [moment for moment in stack if moment.users] or [moment for moment in stack if not moment.torchs]
    return (own or stack)[-1]


@lru_cache(maxsize=32)
def _tree(file: str, source: str) -> ast.Module | None:
    try:
        return ast.parse(source, file)
    except SyntaxError:  # a notebook's magic lines, or a file that has since changed
        return None


def tree_of(moment: Moment) -> ast.Module | None:
    """The syntax tree of the frame's file; ``None`` where its source cannot be had."""
    lines = linecache.getlines(moment.file, moment.frame.f_globals)
    return _tree(moment.file, "".join(lines)) if lines else None


def node_of(moment: Moment) -> ast.AST | None:
    """The expression or statement that the frame was at, by the positions that the interpreter keeps."""
    tree = tree_of(moment)
    place = next(islice(moment.code.co_positions(), moment.instruction // 2, None), None)
    if tree is None or place is None or None in place:
        return None
    for node in ast.walk(tree):
        found = tuple(getattr(node, name, None) for name in ("lineno", "end_lineno", "col_offset", "end_col_offset"))
        if found == place and isinstance(node, (ast.expr, ast.stmt)) and not isinstance(node, ast.Expr):
            return node
    return None


def statement_names(moment: Moment) -> list[str]:
    """The names that the statement at hand reads, in the order in which they are written."""
    tree = tree_of(moment)
    if tree is None:
        return []
    around = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= moment.line <= (node.end_lineno or node.lineno)
    ]  # fmt: skip
    if not around:
        return []
    return list(dict.fromkeys(_read(around[-1], moment.line)))


def _read(statement: ast.stmt, line: int) -> Iterator[str]:
    """Names and dotted names that are read; of a statement with a body, those of its own lines only."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else None
    nodes = sorted(
        (node for node in ast.walk(statement) if isinstance(node, (ast.Name, ast.Attribute))),
        key=lambda node: (node.lineno, node.col_offset, -(node.end_col_offset or 0)),
    )
    for node in nodes:
        if isinstance(node.ctx, ast.Load) and (last is None or node.lineno <= max(last, line)):
            yield ast.unparse(node)
