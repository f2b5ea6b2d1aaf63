"""The user's source as text: the expression at which a call stood, edits of it, and running what was edited."""

from __future__ import annotations

import ast
import difflib
import gc
import linecache
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from functools import lru_cache
from itertools import islice
from types import CodeType, FunctionType
from typing import Any

from shapeproof.files import near
from shapeproof.records import dataclass

Spot = tuple[CodeType, int]


@dataclass(frozen=True)
class Change:
    """New text for one expression, or for a place of no width, in a file. Columns count bytes, as ``ast`` does."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    new: str


@dataclass()
class Sources:
    """The user's files as edited so far, and the functions whose code the edits touch."""

    texts: dict[str, str] = field(default_factory=dict)
    touched: dict[FunctionType, tuple[str, int]] = field(default_factory=dict)
    incomplete: bool = False  # an edit was made whose place in the source is not plain
    added: list[tuple[str, int, str]] = field(default_factory=list)  # whole lines, put in when the patch is made

    def copied(self) -> Sources:
        """A copy whose edits are its own."""
        return Sources(dict(self.texts), dict(self.touched), self.incomplete, list(self.added))

    def text(self, file: str) -> str:
        """A file as edited so far; ``""`` where its source is not to be had."""
        return self.texts.get(file) or "".join(linecache.getlines(file))

    def note(self, change: Change | None) -> None:
        """Make the change that an edit of the model stands for; without one, no patch can be made any more."""
        if change is None:
            self.incomplete = True
        else:
            self.change(change)

    def change(self, *changes: Change) -> None:
        """Edit files; several changes of one call must not overlap."""
        for change in sorted(changes, key=lambda c: (c.line, c.column), reverse=True):
            self.texts[change.file] = changed(self.text(change.file), change)

    def add_to_init(self, kind: type, statement: str) -> None:
        """Add a statement at the end of a class's ``__init__``."""
        code = getattr(kind.__dict__.get("__init__"), "__code__", None)
        tree = parsed(self.text(code.co_filename)) if code else None
        if code is None or tree is None:
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == "__init__" and node.lineno == code.co_firstlineno:
                last = node.body[-1]
                text = " " * last.col_offset + statement + "\n"
                self.added.append((code.co_filename, last.end_lineno or last.lineno, text))

    def touch(self, spot: Spot) -> bool:
        """Note that the function at a spot runs edited; whether that can be done."""
        code, file = spot[0], spot[0].co_filename
        place = _place_of(code, self.text(file))
        known = [function for function, at in self.touched.items() if at == (file, place)]
        found = known or [f for f in gc.get_referrers(code) if isinstance(f, FunctionType) and f.__code__ is code]
        if place is None or not found:
            return False
        self.touched.update(dict.fromkeys(found, (file, place)))
        return True

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the touched functions as edited, for as long as the block lasts."""
        before = {function: function.__code__ for function in self.touched}
        try:
            for function, (file, place) in self.touched.items():
                function.__code__ = _codes(self.text(file), file)[place]
            yield
        finally:
            for function, code in before.items():
                function.__code__ = code

    def patch(self) -> str:
        """The edits as a unified diff, with files named from the current folder where they lie in it.

        Empty where the place of an edit is not plain.
        """
        if self.incomplete:
            return ""
        parts = []
        for file in dict.fromkeys((*self.texts, *(file for file, *_ in self.added))):
            old, new, name = "".join(linecache.getlines(file)), self._whole(file), near(file)
            lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, name)
            parts += [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
        return "".join(parts)

    def _whole(self, file: str) -> str:
        lines = self.text(file).splitlines(keepends=True)
        for _, line, text in sorted((a for a in self.added if a[0] == file), key=lambda a: a[1], reverse=True):
            lines.insert(line, text)
        return "".join(lines)


def changed(text: str, change: Change) -> str:
    """A text with one change made."""
    lines = text.splitlines(keepends=True)
    first, last = lines[change.line - 1].encode(), lines[change.end_line - 1].encode()
    new = first[: change.column] + change.new.encode() + last[change.end_column :]
    return "".join([*lines[: change.line - 1], new.decode(), *lines[change.end_line :]])


@lru_cache(maxsize=64)
def parsed(text: str) -> ast.Module | None:
    """The tree of a file; ``None`` where it is no Python."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


@lru_cache(maxsize=256)
def _codes(text: str, file: str) -> tuple[CodeType, ...]:
    """Every function's code in a file, in the order of the source. Raises ``SyntaxError`` for what is no Python."""
    found: list[CodeType] = []

    def walk(code: CodeType) -> None:
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                found.append(inner)
                walk(inner)

    walk(compile(text, file, "exec", dont_inherit=True))
    return tuple(found)


def _place_of(code: CodeType, text: str) -> int | None:
    """Which of a file's functions a code is."""
    try:
        codes = _codes(text, code.co_filename)
    except (SyntaxError, ValueError):
        return None
    alike = [
        place
        for place, other in enumerate(codes)
        if (other.co_qualname, other.co_firstlineno) == (code.co_qualname, code.co_firstlineno)
        and other.co_freevars == code.co_freevars
    ]
    if len(alike) > 1:  # several lambdas on a line
        where = list(islice(code.co_positions(), 2, 6))
        alike = [place for place in alike if list(islice(codes[place].co_positions(), 2, 6)) == where]
    return alike[0] if len(alike) == 1 else None


def node_at(spot: Spot | None, sources: Sources) -> ast.expr | ast.AugAssign | None:
    """The expression that an instruction belongs to; ``None`` where the source is not to be had."""
    if spot is None:
        return None
    code, instruction = spot
    tree = parsed(sources.text(code.co_filename))
    where = next(islice(code.co_positions(), instruction // 2, None), None)
    if tree is None or where is None or None in where:
        return None
    line, end_line, column, end_column = where
    for node in ast.walk(tree):
        span = tuple(getattr(node, n, None) for n in ("lineno", "end_lineno", "col_offset", "end_col_offset"))
        if span == (line, end_line, column, end_column) and isinstance(node, (ast.expr, ast.AugAssign)):
            return node
    return None


def statement_of(node: ast.AST, tree: ast.AST) -> ast.stmt | None:
    """The innermost statement that holds a node."""
    found: ast.stmt | None = None
    line = getattr(node, "lineno", None)
    for outer in ast.walk(tree):
        if not isinstance(outer, ast.stmt) or (line and not outer.lineno <= line <= (outer.end_lineno or line)):
            continue
        if any(inner is node for inner in ast.walk(outer)):
            found = outer  # walked from the outside in
    return found


def written(node: ast.AST, text: str) -> str:
    """A node as the user wrote it."""
    return ast.get_source_segment(text, node) or ast.unparse(node)


def instead(file: str, node: Any, new: str) -> Change:
    """New text for a node."""
    return Change(file, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, new)


def resolved(node: ast.AST | None, names: dict[str, Any]) -> Any:
    """What a plain chain of names stands for (``self.fc``, ``F.relu``, ``layers[0]``); ``None`` for anything else."""
    try:
        if isinstance(node, ast.Name):
            return names.get(node.id)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Attribute):
            owner = resolved(node.value, names)
            return None if owner is None else getattr(owner, node.attr, None)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, (ast.Constant, ast.Name)):
            owner, key = resolved(node.value, names), resolved(node.slice, names)
            return None if owner is None or key is None else owner[key]
    except Exception:  # noqa: BLE001  # a property of the user's may raise anything; the name is then not plain
        return None
    return None
