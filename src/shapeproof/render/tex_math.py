"""Arithmetic as it stands in a derivation, such as ``floor((28 + 2*2 - 5)/1) + 1 = 28``, set as LaTeX.

What is no arithmetic (``needs 128, has 128``) is set as text, so that nothing is lost and everything compiles.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([A-Za-z_][A-Za-z_0-9]*)|(->|>=|<=|!=|[-+*/^(),=@;\[\]|:]))")
_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}  # fmt: skip
_ROUNDED = {"floor": ("\\lfloor", "\\rfloor"), "ceil": ("\\lceil", "\\rceil")}
_KNOWN = (*_ROUNDED, "sqrt")
_BETWEEN = {
    "=": "=",
    "->": r"\to",
    ">=": r"\ge",
    "<=": r"\le",
    "!=": r"\ne",
    ",": ",",
    "@": r"\mathbin{@}",
    ";": r";\;",
}
_UNICODE = {"✓": "agrees", "≠": "differs", "✗": "fails", "×": "x", "→": "->", "…": "...", "–": "--", "’": "'"}  # noqa: RUF001


class NotArithmeticError(ValueError):
    """A text that is words, not arithmetic."""


def text(words: str) -> str:
    """Words, with every sign that LaTeX reads otherwise written so that it stands as it is."""
    plain = "".join(_UNICODE.get(sign, sign) for sign in words)
    return "".join(_SPECIAL.get(sign, sign if sign.isascii() else "?") for sign in plain)


def arithmetic(line: str) -> str:
    """A formula or line of arithmetic for math mode; words as text."""
    try:
        return _Reader(line).read()
    except NotArithmeticError:
        return rf"\text{{{text(line)}}}"


class _Reader:
    """A reader of sums, products, fractions, powers, tuples and roundings, one function a level."""

    def __init__(self, line: str) -> None:
        self.pieces = _pieces(line)
        self.at = 0

    def read(self) -> str:
        parts = [self.sum()]
        while self.now():
            sign = self.take()
            if sign not in _BETWEEN:
                raise NotArithmeticError(sign)
            parts += [_BETWEEN[sign], self.sum()]
        return " ".join(parts)

    def now(self) -> str:
        return self.pieces[self.at] if self.at < len(self.pieces) else ""

    def take(self) -> str:
        self.at += 1
        return self.pieces[self.at - 1] if self.at <= len(self.pieces) else ""

    def expect(self, sign: str) -> None:
        if self.take() != sign:
            raise NotArithmeticError(sign)

    def sum(self) -> str:
        found = ("-" if self.now() == "-" and self.take() else "") + self.product()
        while self.now() in ("+", "-"):
            found += f" {self.take()} {self.product()}"
        return found

    def product(self) -> str:
        found = self.power()
        while self.now() in ("*", "/") or self.now() == "(" or self.now()[:1].isalnum():
            if self.now() == "/":
                self.take()
                found = rf"\frac{{{_bare(found)}}}{{{_bare(self.power())}}}"
            elif self.now() == "*":
                self.take()
                found += rf" \cdot {self.power()}"
            else:
                before, after = self.pieces[self.at - 1], self.now()
                words = any(len(piece) > 1 and piece[0].isalpha() and piece not in _KNOWN for piece in (before, after))
                if words or after[0].isdigit():
                    raise NotArithmeticError(after)  # words in a row; factors without a sign are letters
                found += self.power()
        return found

    def power(self) -> str:
        found = self.atom()
        if self.now() == "^":
            self.take()
            found += f"^{{{_bare(self.atom())}}}"
        return found

    def atom(self) -> str:
        piece = self.take()
        if piece in _ROUNDED and self.now() == "(":
            self.take()
            inner = self.sum()
            self.expect(")")
            left, right = _ROUNDED[piece]
            return rf"\left{left} {inner} \right{right}"
        if piece == "sqrt" and self.now() == "(":
            self.take()
            inner = self.sum()
            self.expect(")")
            return rf"\sqrt{{{inner}}}"
        if piece == "(":
            return self.tuple()
        if piece == "*":
            return "*"  # as in (*, H, W)
        if not piece or not (piece[0].isalnum() or piece[0] == "_"):
            raise NotArithmeticError(piece)
        return _name(piece)

    def tuple(self) -> str:
        parts = []
        while self.now() != ")":
            parts.append(self.sum())
            if self.now() == ",":
                self.take()
                parts.append(r",\ " if self.now() != ")" else ",")
            elif self.now() != ")":
                raise NotArithmeticError(self.now())
        self.take()
        return rf"\left({''.join(parts)}\right)"


def _pieces(line: str) -> list[str]:
    found, at = [], 0
    while line[at:].strip():
        match = _PIECE.match(line, at)
        if not match:
            raise NotArithmeticError(line[at:])
        found.append(match[match.lastindex or 0])
        at = match.end()
    return found


def _name(piece: str) -> str:
    if piece[0].isdigit() or len(piece) == 1:
        return piece
    base, _, index = piece.partition("_")
    if len(base) == 1 and index:
        return rf"{base}_{{\mathrm{{{text(index)}}}}}"
    return rf"\mathrm{{{text(piece)}}}"


def _bare(found: str) -> str:
    """A part of a fraction or a power without the brackets that the bar replaces."""
    if found.startswith(r"\left(") and found.endswith(r"\right)"):
        inner = found[len(r"\left(") : -len(r"\right)")]
        if r"\left(" not in inner and r",\ " not in inner:
            return inner
    return found
