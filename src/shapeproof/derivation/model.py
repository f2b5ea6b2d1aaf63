"""The result of a derivation, as frozen plain data. Nothing here knows torch."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from shapeproof.capture.trace import Manner, Trace
from shapeproof.dims import Dim, Shape
from shapeproof.dims.conditions import Condition
from shapeproof.errors import DomainError, ShapeproofError
from shapeproof.records import dataclass, usual
from shapeproof.rules.window import Window, arguments

if TYPE_CHECKING:
    from fractions import Fraction

    from shapeproof.derivation.domain import Domain
    from shapeproof.derivation.keeping import Kept
    from shapeproof.derivation.places import Places

StepVerdict = Literal["proved", "mismatch", "unsupported", "failed"]
Verdict = Literal["proved", "incomplete", "mismatch", "failed"]


@usual
@dataclass(frozen=True)
class Cost:
    """What a step or a model costs; ``None`` where it is not known.

    Attributes:
        parameters: parameters that take part, each counted once however often it is used.
        macs: multiply-adds of convolutions, linear layers and matrix products; bias, normalisation and activation
            are none.
        activation_bytes: bytes of the results that the forward pass makes; a view makes none. What backward keeps of
            them, and makes for itself, is ``Derivation.kept``.
        parameter_bytes: bytes of the parameters.
    """

    parameters: int
    macs: int | None
    activation_bytes: int
    parameter_bytes: int

    @property
    def flops(self) -> int | None:
        """Floating point operations of the multiply-adds, each counted as two; ``None`` where those are not known."""
        return None if self.macs is None else 2 * self.macs


@dataclass(frozen=True)
class ReceptiveField:
    """What part of the input one output element sees, one entry per spatial axis, in input elements.

    The statistics of batch normalisation are left out.

    Attributes:
        size: how many elements wide, at the widest, padding beyond the edges included. Where all is mixed, as by a
            linear layer over a flattened map, by attention or by a mean, the input's own elements alone.
        stride: how far apart two neighbours' fields are: a fraction where an axis has become longer than the input's,
            0 where all elements see the same.
        start: where the first output element's field begins (negative: in the padding).
        places: for each axis, what each single position sees.
    """

    size: tuple[int, ...]
    stride: tuple[int | Fraction, ...]
    start: tuple[int, ...]
    places: tuple[Places, ...] = field(default=(), repr=False)

    def at(self, *position: int) -> tuple[tuple[int, int] | None, ...]:
        """The first and the last element that the output element at this position sees, along each axis.

        Args:
            position: one number per spatial axis, from 0.
        """
        return tuple(place.at(where) for place, where in zip(self.places, position, strict=True))

    def to_dict(self) -> dict[str, list[int | str]]:
        """Plain data; a fraction is its text, as ``"1/2"``."""
        plain = [size if isinstance(size, int) else str(size) for size in self.stride]
        return {"size": list(self.size), "stride": plain, "start": list(self.start)}


@dataclass(frozen=True)
class Fix:
    """One edit that mends a shape error.

    Attributes:
        kind: ``"argument"`` ``"input"`` ``"insert"`` or ``"call"``.
        module: path of the module to edit.
        attribute: what of it to change.
        old: its value now.
        new: its value then.
        text: one sentence that a person can follow.
        proved: whether the model was run again with exactly this edit (and those of ``also``) and came through.
        source: ``file:line`` of the place to edit; ``""`` where it is not known.
        also: further edits that are needed together with this one, in order.
        patch: the edits as a unified diff of the user's files; ``""`` where a place is not plain.
    """

    kind: str
    module: str
    attribute: str
    old: Any
    new: Any
    text: str
    proved: bool
    source: str = ""
    also: tuple[Fix, ...] = ()
    patch: str = ""


@dataclass(frozen=True)
class Named:
    """A tensor under the name that it has in the user's line, and the column at which that name begins."""

    name: str
    shape: Shape
    column: int


@dataclass(frozen=True)
class Diagnosis:
    """Why a model cannot run on an input.

    Attributes:
        code: the kind of failure, stable; ``docs/codes`` has a page for each.
        message: where it failed, what was expected and what came.
        step: the step that failed.
        expected: what the layer needs, in its own terms.
        got: what it was given.
        fixes: edits that mend it, best first.
        line: the user's line that failed; ``""`` where its source is not to be had.
        operands: the tensors of that line under their names.
        born: which step made the number that does not fit, and where the number that it should fit is written.
    """

    code: str
    message: str
    step: Step
    expected: str
    got: str
    fixes: tuple[Fix, ...] = ()
    line: str = ""
    operands: tuple[Named, ...] = ()
    born: str = ""


@dataclass(frozen=True)
class ShapeWarning:
    """Shapes that run and are still almost surely wrong."""

    code: str
    message: str
    step: Step
    fixes: tuple[Fix, ...] = ()


@usual
@dataclass(frozen=True)
class Step:
    """One operation that the model's Python called.

    Attributes:
        index: its place, from 0.
        module: dotted path of the module that called it, ``""`` at the top.
        op: PyTorch's public name.
        source: ``file:line`` of the user's code.
        inputs: shapes of the tensors that went in.
        output: shape PyTorch gave; a tuple of shapes where several tensors came out.
        derived: shape the rule gave; ``None`` without one.
        formula: the textbook form.
        arithmetic: the formula with its values and result.
        verdict: ``"proved"`` ``"mismatch"`` ``"unsupported"`` or ``"failed"``.
        cost: what it costs.
        parents: indices of the steps whose results went in.
        windows: for sliding windows, one per spatial axis.
        notes: what should not be overlooked, such as a row that the floor drops.
        requires: what this step requires of the letters.
    """

    index: int
    module: str
    op: str
    source: str
    inputs: tuple[Shape, ...]
    output: Any
    derived: Any
    formula: str
    arithmetic: str
    verdict: StepVerdict
    cost: Cost
    parents: tuple[int, ...] = ()
    windows: tuple[Window, ...] = ()
    notes: tuple[str, ...] = ()
    requires: tuple[Condition, ...] = ()
    _fields: Callable[[int], ReceptiveField | None] | None = field(default=None, repr=False, compare=False)

    @property
    def receptive_field(self) -> ReceptiveField | None:
        """What one element of its output sees of the model's first input; ``None`` where that is not known exactly."""
        return self._fields(self.index) if self._fields else None


@usual
@dataclass(frozen=True)
class Derivation:
    """Every step of a model on an input, each derived by its rule beside what PyTorch does.

    Attributes:
        steps: in the order in which they ran.
        verdict: ``"proved"`` ``"incomplete"`` ``"mismatch"`` or ``"failed"``.
        output: the shapes that come out, nested as the model nests them.
        cost: totals.
        model: the model's name.
        inputs: the specs or shapes that went in, as text.
        sizes: the size at which each letter was tried.
        conditions: what the steps require of the letters.
        diagnosis: set when the verdict is ``"failed"``.
        warnings: shapes that run and are still almost surely wrong.
        unused: paths of modules that were never called.
        domain: for which sizes of the letters the model runs; ``None`` without letters, or where it failed.
        manner: whether the model was run on real tensors or on shapes alone, and why.
    """

    steps: tuple[Step, ...]
    verdict: Verdict
    output: Any
    cost: Cost
    model: str = ""
    inputs: tuple[str, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    conditions: tuple[Condition, ...] = ()
    diagnosis: Diagnosis | None = None
    warnings: tuple[ShapeWarning, ...] = ()
    unused: tuple[str, ...] = ()
    domain: Domain | None = None
    manner: Manner = field(default_factory=Manner)
    _trace: Trace | None = field(default=None, repr=False, compare=False)
    _again: Callable[[Derivation, dict[str, int]], Derivation] | None = field(default=None, repr=False, compare=False)
    _keeping: Callable[[Derivation], Kept] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def kept(self) -> Kept:
        """What backward keeps of the forward pass, by rule and by PyTorch's autograd.

        The model is run once more for it, with gradients, when it is first asked for; no gradient is computed.
        """
        from shapeproof.derivation.keeping import Kept  # here, for the few derivations that are asked for it

        return self._keeping(self) if self._keeping else Kept(trouble="this derivation cannot be run again")

    def at(self, **sizes: int) -> Derivation:
        """Replace letters by numbers, all of them or some.

        Where the domain is exact and the model goes the same way at these sizes, they are put into the letters and
        every rule is asked with them; else the model is run again. ``manner.put`` and ``manner.again`` say which.

        Raises:
            DomainError: for a letter that there is not, or a size with which the model does not run.
        """
        if not sizes:
            return self
        unknown = sizes.keys() - dict(self.sizes).keys()
        if unknown or self._again is None:
            raise DomainError(f"no free dimension is called {', '.join(sorted(unknown)) or '...'}")
        from shapeproof.derivation.domain import whole  # here, since numbers alone do without it

        sizes = whole(sizes)
        low = [f"{name}={size}" for name, size in sizes.items() if size < 1]
        if low:
            raise DomainError(f"a size is at least 1, got {', '.join(low)}")
        words = ", ".join(f"{name}={size}" for name, size in sizes.items())
        try:
            derivation = self._again(self, sizes)
        except ShapeproofError:
            raise
        except Exception as error:
            raise DomainError(f"the model does not run at {words}: {type(error).__name__}: {error}") from error
        if derivation.verdict == "failed":
            why = derivation.diagnosis.message if derivation.diagnosis else "a shape error"
            raise DomainError(f"the model does not run at {words}: {why}")
        return derivation

    def to_dict(self) -> dict[str, Any]:
        """Plain data: lists, dictionaries, strings and numbers; a size with letters is its expression's text."""
        return {
            "model": self.model,
            "inputs": list(self.inputs),
            "verdict": self.verdict,
            "output": plain_shape(self.output),
            "sizes": dict(self.sizes),
            "domain": None if self.domain is None else str(self.domain),
            "cost": vars(self.cost).copy(),
            "steps": [_step_dict(step) for step in self.steps],
            "diagnosis": None if self.diagnosis is None else _found_dict(self.diagnosis),
            "warnings": [_found_dict(warning) for warning in self.warnings],
            "unused": list(self.unused),
            "manner": vars(self.manner).copy(),
            "kept": self.kept.to_dict() if "kept" in vars(self) else None,  # only where it was asked for
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON, indented."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_text(self, width: int = 110, view: Any = None) -> str:
        """A table in plain text, at most ``width`` columns wide; ``view`` is a ``shapeproof.render.view.View``."""
        return self._text("text", width=width, view=view)

    def to_markdown(self, view: Any = None) -> str:
        """A table in GitHub's Markdown, the steps worked out below it; ``view`` as for :meth:`to_text`."""
        return self._text("markdown", view=view)

    def to_latex(self) -> str:
        """A LaTeX document with every step worked out: formula, substitution, result."""
        return self._text("latex")

    def to_html(self) -> str:
        """One page, whole in itself: drawn to scale, with sliders for the letters."""
        return self._text("html")

    def __rich_console__(self, console: Any, options: Any) -> Any:
        yield from importlib.import_module("shapeproof.render.text").renderables(self)

    def _repr_html_(self) -> str:
        framed: str = importlib.import_module("shapeproof.render.html").notebook(self)
        return framed

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def render(self, form: str, **options: Any) -> Any:
        """The derivation in one of the forms that the command line knows: text, ``bytes`` for ``"png"``."""
        # renderers stand above this package; looked up by name, so that data does not import its display
        return importlib.import_module(f"shapeproof.render.{form}").render(self, **options)

    def _text(self, form: str, **options: Any) -> str:
        text: str = self.render(form, **options)
        return text


def plain_shape(shape: Any) -> Any:
    """A shape as lists of numbers, or texts where a size has letters; nested as it is."""
    if isinstance(shape, Dim):
        return str(shape)
    if isinstance(shape, (tuple, list)):
        return [plain_shape(part) for part in shape]
    if isinstance(shape, dict):
        return {str(key): plain_shape(part) for key, part in shape.items()}
    return shape


def _step_dict(step: Step) -> dict[str, Any]:
    row = {k: v for k, v in vars(step).items() if k not in ("windows", "cost", "_fields")}
    row |= {key: plain_shape(row[key]) for key in ("inputs", "output", "derived", "parents", "notes")}
    row["requires"] = [str(condition.relation) for condition in step.requires]
    row["cost"] = {k: plain_shape(v) for k, v in vars(step.cost).items()}
    seen = step.receptive_field
    row["receptive_field"] = None if seen is None else seen.to_dict()
    row["windows"] = [{k: plain_shape(v) for k, v in arguments(w).items()} for w in step.windows]
    return row


def _found_dict(found: Diagnosis | ShapeWarning) -> dict[str, Any]:
    row = {k: v for k, v in vars(found).items() if k not in ("step", "fixes")}
    if isinstance(found, Diagnosis):
        row["operands"] = [vars(named) | {"shape": plain_shape(named.shape)} for named in found.operands]
    return row | {"step": found.step.index, "fixes": [_fix_dict(fix) for fix in found.fixes]}


def _fix_dict(fix: Fix) -> dict[str, Any]:
    return vars(fix) | {"also": [_fix_dict(part) for part in fix.also]}
