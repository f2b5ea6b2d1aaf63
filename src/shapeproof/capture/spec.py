"""Input specs: ``"N,1,H,W"``, ``"int64[N,T]"``, ``"N,1,H=28,W=28"``. Letters are free, numbers are fixed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shapeproof.dims import Shape, letter
from shapeproof.errors import SpecError
from shapeproof.records import dataclass

DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
    "complex128",
)  # fmt: skip
_ALSO = {"float": "float32", "double": "float64", "half": "float16", "short": "int16", "int": "int32", "long": "int64"}
LARGEST = 2**63 - 1  # the largest whole number that PyTorch takes
_WHOLE = re.compile(r"^\s*(?:(?:torch\.)?(?P<dtype>[A-Za-z]\w*)\s*\[(?P<inner>.*)\]|(?P<bare>.*))\s*$", re.DOTALL)
_LETTER = re.compile(r"^([A-Za-z_]\w*)(?:\s*=\s*(\d+))?$")
BATCH = 2  # a free first dimension is tried at 2: 1 would hide what a batch of one hides


@dataclass(frozen=True)
class Entry:
    """One dimension of a spec: a number, or a letter with the size to try first."""

    name: str | None
    size: int | None


@dataclass(frozen=True)
class InputSpec:
    """One input: its dtype by PyTorch's name, and its dimensions."""

    dtype: str
    entries: tuple[Entry, ...]

    @property
    def letters(self) -> tuple[str, ...]:
        """The free dimensions, in order."""
        return tuple(entry.name for entry in self.entries if entry.name)

    def shape(self, sizes: dict[str, int]) -> Shape:
        """The shape with letters, tried at ``sizes``."""
        return tuple(letter(e.name, sizes[e.name]) if e.name else int(e.size or 0) for e in self.entries)

    def text(self, numbers: Mapping[str, int]) -> str:
        """As one writes it, with numbers for some letters."""
        names = [str(e.size) if e.name is None else str(numbers.get(e.name, e.name)) for e in self.entries]
        return ",".join(names) if self.dtype == "float32" else f"{self.dtype}[{','.join(names)}]"


def parse(text: str) -> InputSpec:
    """Read a spec. Raises :class:`SpecError`, naming the part that makes no sense and showing one that does."""
    match = _WHOLE.match(text)
    assert match is not None
    dtype = _ALSO.get(match["dtype"], match["dtype"]) or "float32"
    if dtype not in DTYPES:
        raise SpecError(f"input spec {text!r}: {dtype!r} is no dtype; known are {', '.join(DTYPES)}")
    inner = match["inner"] if match["dtype"] else match["bare"]
    if not inner.strip():
        return InputSpec(dtype, ())
    return InputSpec(dtype, tuple(_entry(part.strip(), text) for part in inner.split(",")))


def _entry(part: str, text: str) -> Entry:
    if re.fullmatch(r"-?\d+", part):
        if int(part) < 0:
            raise SpecError(f"input spec {text!r}: a size cannot be negative ({part}); use a letter for a free size")
        if int(part) > LARGEST:
            raise SpecError(f"input spec {text!r}: {part} is more than PyTorch can count to")
        return Entry(None, int(part))
    match = _LETTER.match(part)
    if not match:
        what = repr(part) if part else "an empty place"
        raise SpecError(f"input spec {text!r}: {what} is neither a number nor a letter; write it as '{_meant(text)}'")
    size = int(match[2]) if match[2] else None
    if size == 0:
        raise SpecError(f"input spec {text!r}: {part!r} would try a size of 0; a letter stands for 1 or more")
    return Entry(match[1], size)


def _meant(text: str) -> str:
    """The spec that someone meant who wrote its sizes in another way, such as ``(1, 3, 8, 8)`` or ``1x3x8x8``."""
    parts = [part for part in re.split(r"[\s,;x*()\[\]]+", text) if part]
    known = len(parts) > 1 and all(re.fullmatch(r"\d+", part) or _LETTER.match(part) for part in parts)
    return ",".join(parts) if known else "N,1,28,28"


def given_sizes(specs: list[InputSpec]) -> dict[str, int]:
    """The sizes that the specs say to try. Raises :class:`SpecError` where two disagree about a letter."""
    sizes: dict[str, int] = {}
    for entry in (entry for spec in specs for entry in spec.entries):
        if entry.name and entry.size is not None and sizes.setdefault(entry.name, entry.size) != entry.size:
            raise SpecError(f"the letter {entry.name} is tried at {sizes[entry.name]} and at {entry.size}; choose one")
    return sizes


def first_guess(specs: list[InputSpec], size: int) -> dict[str, int]:
    """A size for every letter: what the specs say, else a small batch for a first dimension, else ``size``."""
    sizes = dict(given_sizes(specs))
    for spec in specs:
        for place, entry in enumerate(spec.entries):
            if entry.name:
                sizes.setdefault(entry.name, BATCH if place == 0 else size)
    return sizes


def from_given(value: Any) -> InputSpec | None:
    """A spec from text or from a shape; ``None`` for anything else, which is passed to the model as it is."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, (tuple, list)) and value and all(isinstance(size, int) for size in value):
        if any(size < 0 for size in value):
            raise SpecError(f"shape {tuple(value)}: a size cannot be negative")
        return InputSpec("float32", tuple(Entry(None, int(size)) for size in value))
    return None
