"""Formulas as MathML, which browsers draw and read aloud by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape

from shapeproof.dims.trees import Tree

_LEVEL = {"+": 1, "-": 1, "*": 2, "^": 3}
_BRACKETS = {"floor": "⌊⌋", "ceil": "⌈⌉"}
_SIGNS = {"+": "+", "-": "−", "*": "·", "/": "/", "=": "=", "->": "→", "@": "@", ",": ",", ";": ";"}
_TOKEN = re.compile(r"(floor|ceil)\(|->|[-+*/=@,;()]|\d[\d,.]*(?<![,.])|[^\W\d][\w.]*(?: [^\W\d][\w.]*)*|\S")


def math(inside: str, label: str = "", block: bool = False) -> str:
    """A ``math`` element; ``label`` is what a screen reader without MathML says."""
    shown = ' display="block"' if block else ""
    said = f' aria-label="{escape(label)}"' if label else ""
    return f"<math{shown}{said}>{inside}</math>"


def number(text: str) -> str:
    """A number as MathML; a negative one in parentheses."""
    return f"<mrow><mo>(</mo><mn>{escape(text)}</mn><mo>)</mo></mrow>" if text.startswith("-") else f"<mn>{text}</mn>"


def of_tree(tree: Tree, values: Mapping[str, str] | None = None) -> str:
    """A tree as MathML; with ``values``, each name is replaced by what it maps to (MathML)."""
    if isinstance(tree, str):
        return values[tree] if values else f"<mi>{escape(tree)}</mi>"
    if not isinstance(tree, list):
        return number(str(tree))
    kind, *parts = tree
    if kind == "/":
        return f"<mfrac>{_row(of_tree(parts[0], values))}{_row(of_tree(parts[1], values))}</mfrac>"
    if kind in _BRACKETS:
        left, right = _BRACKETS[kind]
        return f"<mrow><mo>{left}</mo>{of_tree(parts[0], values)}<mo>{right}</mo></mrow>"
    if kind == "^":
        return f"<msup>{_wrapped(parts[0], 3, values)}<mn>{parts[1]}</mn></msup>"
    shown = [_wrapped(part, _LEVEL[kind] + (kind == "-" and place > 0), values) for place, part in enumerate(parts)]
    return f"<mo>{_between(kind, parts, values)}</mo>".join(shown)


def _between(kind: str, parts: list[Tree], values: Mapping[str, str] | None) -> str:
    """The sign of an operation; a number before a letter needs none (``2p``)."""
    plain = kind == "*" and not values and len(parts) == 2 and not isinstance(parts[0], list)
    return "&#8290;" if plain and not isinstance(parts[1], int) else _SIGNS[kind]


def _wrapped(part: Tree, level: int, values: Mapping[str, str] | None) -> str:
    inside = of_tree(part, values)
    if isinstance(part, list) and _LEVEL.get(part[0], 9) < level:
        return f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>"
    return inside


def _row(inside: str) -> str:
    return f"<mrow>{inside}</mrow>"


def of_text(text: str, word: Callable[[str], str] = escape, sizes: Mapping[str, str] | None = None) -> str:
    """A line of arithmetic as a rule writes it, token for token.

    Args:
        text: such as ``128 * 1 * 1 = 128`` or ``(N, 16) -> (N, 10)``.
        word: what stands for words that are no sizes.
        sizes: expressions, as they stand in the text, with the MathML to show instead.
    """
    sizes = sizes or {}
    whole = "|".join(rf"(?<![\w.]){re.escape(key)}(?![\w(])" for key in sorted(sizes, key=len, reverse=True))
    shown, closing = [], []
    for match in re.finditer(f"{whole}|{_TOKEN.pattern}" if whole else _TOKEN.pattern, text):
        token = match[0]
        if token in sizes:
            shown.append(sizes[token])
        elif token.endswith("(") and token != "(":
            left, right = _BRACKETS[token[:-1]]
            shown.append(f"<mo>{left}</mo>")
            closing.append(right)
        elif token in "()":
            if token == "(":
                closing.append(")")
            shown.append(f"<mo>{token if token == '(' else closing.pop() if closing else token}</mo>")
        else:
            shown.append(_token(token, text[: match.start()].rstrip()[-1:], word))
    return "".join(shown)


def _token(token: str, before: str, word: Callable[[str], str]) -> str:
    if token == "*" and before in ("(", ""):
        return "<mo>∗</mo>"
    if token in _SIGNS:
        return f"<mo>{_SIGNS[token]}</mo>"
    if token[0].isdigit():
        return f"<mn>{escape(token)}</mn>"
    if len(token) == 1:
        return f"<mi>{escape(token)}</mi>"
    return f"<mtext>&#160;{word(token)}&#160;</mtext>"
