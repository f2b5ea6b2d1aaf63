"""Formulas as MathML, which browsers draw and read aloud by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape

from shapeproof.dims.trees import Tree

_LEVEL = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
_BRACKETS = {"floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")}
_SIGNS = {
    ">=": "≥", "!=": "≠", "<=": "≤", "->": "→", "+": "+", "-": "\u2212", "*": "·", "/": "/", "=": "=", "@": "@",
    ",": ",", ";": ";",
}  # fmt: skip
_TOKEN = re.compile(r"(floor|ceil)\(|->|[><!]=|[-+*/=@,;()]|\d[\d,.]*(?<![,.])|[^\W\d][\w.]*(?: [^\W\d][\w.]*)*|\S")


def math(inside: str) -> str:
    """A ``math`` element."""
    return f"<math>{inside}</math>"


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
    if kind in _BRACKETS:
        left, right = _BRACKETS[kind]
        return f"<mrow><mo>{left}</mo>{of_tree(parts[0], values)}<mo>{right}</mo></mrow>"
    if kind == "^":
        return f"<msup>{_wrapped(parts[0], 3, values)}<mn>{parts[1]}</mn></msup>"
    # fractions stand on one line: brackets around a tall one do not grow without a mathematical font
    shown = [_wrapped(part, _LEVEL[kind] + (kind in "-/" and place > 0), values) for place, part in enumerate(parts)]
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


def plain_word(text: str) -> str:
    """A word within a formula."""
    return f"<mtext>{escape(text)}</mtext>"


def brackets(text: str) -> str:
    """A line of plain text with the signs that print has: ``floor((H + 3)/4) >= 1`` as ``⌊(H + 3)/4⌋ ≥ 1``."""
    shown, closing = [], []
    for piece in re.findall(r"floor\(|ceil\(|[><!]=|->|.", text, re.DOTALL):
        if piece.endswith("("):
            left, right = _BRACKETS.get(piece[:-1], ("(", ")"))
            closing.append(right)
            shown.append(left)
        elif piece == ")" and closing:
            shown.append(closing.pop())
        else:
            shown.append(_SIGNS[piece] if len(piece) == 2 else piece)
    return "".join(shown)


def of_text(text: str, word: Callable[[str], str] = plain_word, sizes: Mapping[str, str] | None = None) -> str:
    """A line of arithmetic as a rule writes it, piece for piece.

    Args:
        text: such as ``128 * 1 * 1 = 128`` or ``(N, 16) -> (N, 10)``.
        word: makes an ``mtext`` of a word that is no size.
        sizes: expressions, as they stand in the text, with the MathML to show instead.
    """
    sizes = sizes or {}
    whole = "|".join(rf"(?<![\w.]){re.escape(key)}(?![\w(])" for key in sorted(sizes, key=len, reverse=True))
    shown, closing = [], []
    for match in re.finditer(f"{whole}|{_TOKEN.pattern}" if whole else _TOKEN.pattern, text):
        piece = match[0]
        if piece in sizes:
            shown.append(sizes[piece])
        elif piece.endswith("(") and piece != "(":
            left, right = _BRACKETS[piece[:-1]]
            shown.append(f"<mo>{left}</mo>")
            closing.append(right)
        elif piece in "()":
            if piece == "(":
                closing.append(")")
            shown.append(f"<mo>{piece if piece == '(' else closing.pop() if closing else piece}</mo>")
        else:
            shown.append(_token(piece, text[: match.start()].rstrip()[-1:], word))
    return "".join(shown)


def _token(piece: str, before: str, word: Callable[[str], str]) -> str:
    if piece == "*" and before in ("(", ""):
        return "<mo>*</mo>"
    if piece in _SIGNS:
        return f"<mo>{_SIGNS[piece]}</mo>"
    if piece[0].isdigit():
        return f"<mn>{escape(piece)}</mn>"
    if len(piece) == 1:
        return f"<mi>{escape(piece)}</mi>"
    return f'<mspace width=".3em"></mspace>{word(piece)}<mspace width=".3em"></mspace>'
