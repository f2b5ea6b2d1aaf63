"""``derive``: run a model once under watch, and make of what was seen a derivation."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from typing import Any

from torch import nn

from shapeproof.capture.effort import repeated
from shapeproof.capture.run import run
from shapeproof.capture.spec import InputSpec, first_guess, from_given, given_sizes
from shapeproof.capture.trace import Manner, Trace
from shapeproof.derivation.assemble import derived
from shapeproof.derivation.inputs import taken_as_text, tensor_for, told
from shapeproof.derivation.model import Derivation
from shapeproof.errors import SpecError
from shapeproof.records import dataclass, usual

# Sizes that are tried, in turn, for letters without one: those of the common data sets and of ImageNet networks.
COMMON_SIZES = (28, 32, 224, 64, 96, 128, 256, 299, 512, 16, 8)
_OF_SIZES = (IndexError, RuntimeError, ValueError, AssertionError)  # what a model raises where a size does not suit it

Again = Callable[[Derivation, dict[str, int]], Derivation]
At = Callable[[dict[str, int], frozenset[str]], Derivation]


def derive(model: nn.Module | Callable[..., Any], *inputs: Any, **keywords: Any) -> Derivation:
    """Derive the shape of every operation of ``model`` on these inputs, and compare each with PyTorch.

    Args:
        model: a module, run in the mode it is in, or any callable on tensors. It is left exactly as it was.
        inputs: specs (``"N,1,28,28"``, ``"int64[N,T]"``), shapes (``(8, 1, 28, 28)``) or tensors.
        keywords: keyword inputs, likewise. A text is passed on as it is where the model's signature takes a text.

    Returns:
        The derivation. Shapes with which the model cannot run are a result (``verdict == "failed"``), no exception.

    Raises:
        SpecError: if a spec makes no sense.
        Exception: one of the model's own passes through, with a note on what mends it where it is about a dtype.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile was given
    if not inputs and not keywords:
        raise SpecError("derive needs an input: a spec such as 'N,1,28,28', a shape, or tensors")
    specs, named = _specs(model, inputs, keywords)
    return _found(_Asked(model, inputs, keywords, specs, named))


@usual
@dataclass()
class _Asked:
    """A model and its inputs, to be run at any sizes of the letters in them.

    Attributes:
        model: the module or callable.
        inputs: as they were given.
        keywords: likewise.
        specs: for each input, what its text or shape says; ``None`` for one that is passed on as it is.
        named: likewise for the keywords.
        manner: how the model was run first.
        base: the size of each letter in that run.
    """

    model: Any
    inputs: tuple[Any, ...]
    keywords: dict[str, Any]
    specs: list[InputSpec | None]
    named: dict[str, InputSpec | None]
    manner: Manner | None = None
    base: dict[str, int] = field(default_factory=dict)

    def pairs_at(self, sizes: dict[str, int], keep: frozenset[str] = frozenset()) -> tuple[list[Any], dict[str, Any]]:
        """The inputs at these sizes, each with its shape, in which the letters of ``keep`` stay."""

        def made(spec: InputSpec | None, value: Any) -> Any:
            return (value, None) if spec is None else tensor_for(spec, sizes, keep, self.model)

        args = [made(spec, value) for spec, value in zip(self.specs, self.inputs, strict=True)]
        return args, {key: made(self.named[key], value) for key, value in self.keywords.items()}

    def at(self, sizes: dict[str, int], keep: frozenset[str]) -> Derivation:
        """The derivation of one run."""
        letters = {name: size for name, size in sizes.items() if name in keep}
        return derived(self.model, *self.pairs_at(sizes, keep), letters, self.told(), self.manner)

    def told(self, numbers: dict[str, int] | None = None) -> list[str]:
        """The inputs as text."""
        placed = zip(self.specs, self.inputs, strict=True)
        named = ((name, self.named[name], value) for name, value in self.keywords.items())
        said = [told(value, numbers if spec else None) for spec, value in placed]
        return [*said, *(f"{name}:{told(value, numbers if spec else None)}" for name, spec, value in named)]


def _found(asked: _Asked) -> Derivation:
    """What comes of running the model: at one size, and with letters at the edges of their domain."""
    specs = [*asked.specs, *asked.named.values()]
    given = [spec for spec in specs if spec]
    free = {name for spec in given for name in spec.letters} - given_sizes(given).keys()
    with _dtypes_noted(asked.model, specs, lambda: asked.pairs_at(first_guess(given, COMMON_SIZES[0]))):
        base, found = _first_that_runs(given, asked.at, bool(free))
    asked.base, asked.manner = base, repeated(found.manner, found.cost.macs)
    if base and found.verdict not in ("failed", "mismatch"):
        trace_at = lambda sizes, bare: run(asked.model, *asked.pairs_at(sizes), asked.manner, bare=bare)  # noqa: E731
        found = _borne_out(found, asked.at, trace_at)
    found = _with_edits(asked.model, found, lambda: asked.pairs_at(base))
    return _ready(asked, found, lambda whole, numbers: _with_numbers(asked, whole, numbers), base, frozenset(base))


def _with_numbers(asked: _Asked, whole: Derivation, given: dict[str, int]) -> Derivation:
    """A derivation with numbers for some letters of a whole one."""
    from shapeproof.derivation.putting import NotPut, numbers_for, run_again, unmended, with_numbers  # only now

    numbers, left = numbers_for(whole, given), frozenset(asked.base) - given.keys()
    said = asked.told(given)
    try:
        made = with_numbers(asked.model, whole, numbers, said)
    except NotPut as reason:
        made = asked.at(dict(numbers.tried), left)
        made = run_again(made, whole, numbers, said, str(reason))
    if unmended(made, whole):
        made = _mended(asked.model, made, *asked.pairs_at(dict(numbers.tried)))
    return _ready(asked, made, lambda _, more: _with_numbers(asked, whole, {**given, **more}), numbers.tried, left)


def _ready(asked: _Asked, made: Derivation, again: Again, sizes: dict[str, int], keep: frozenset[str]) -> Derivation:
    """Not part of the data: how to ask for other sizes, and for what backward keeps.

    Neither holds the derivation itself, which is thus freed as soon as nobody needs it.
    """
    object.__setattr__(made, "_again", again)
    object.__setattr__(
        made, "_keeping", lambda at: _kept_by(asked.model, *asked.pairs_at(sizes, keep), at, asked.manner)
    )
    return made


def _specs(
    model: Any, inputs: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[list[InputSpec | None], dict[str, InputSpec | None]]:
    """Of each input its spec; ``None`` for what is passed to the model as it is."""
    texts = taken_as_text(model, inputs, keywords)
    spelled = {key for key, value in keywords.items() if isinstance(value, str)} - texts
    placed = [None if place in texts else from_given(value) for place, value in enumerate(inputs)]
    return placed, {key: from_given(value) if key in spelled else None for key, value in keywords.items()}


def derive_call(model: nn.Module | Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Derivation:
    """Derive one call exactly as it was made: every argument is passed on as it is, texts and numbers too.

    Args:
        model: as for :func:`derive`.
        args: its positional arguments; tensors in them are copied.
        kwargs: its keyword arguments, likewise.

    Raises:
        Exception: one of the model's own that has nothing to do with shapes passes through.
    """
    positional = [(value, None) for value in args]
    named = {key: (value, None) for key, value in kwargs.items()}
    said = [*map(told, args), *(f"{key}={told(value)}" for key, value in kwargs.items())]
    return _with_edits(model, derived(model, positional, named, {}, said), lambda: (positional, named))


def _with_edits(model: Any, found: Derivation, pairs: Callable[[], tuple[list[Any], dict[str, Any]]]) -> Derivation:
    """The derivation with edits for what failed or is doubtful; inputs are made only where there is such."""
    if found.verdict == "failed":
        return _explained(model, found, *pairs())
    return _mended(model, found, *pairs()) if found.warnings else found


def _explained(model: Any, found: Derivation, args: list[Any], kwargs: dict[str, Any]) -> Derivation:
    """The failed derivation with the cause of its failure and the edits that mend it."""
    # the diagnosis stands above this package; loaded here, and only for what failed
    diagnose = importlib.import_module("shapeproof.diagnosis.diagnose").diagnose
    return replace(found, diagnosis=diagnose(_setup(model, found, args, kwargs), found))


def _mended(model: Any, found: Derivation, args: list[Any], kwargs: dict[str, Any]) -> Derivation:
    """The derivation with edits for what it warns of."""
    mended = importlib.import_module("shapeproof.doubts.mend").mended  # as above
    return replace(found, warnings=mended(_setup(model, found, args, kwargs), found))


@contextmanager
def _dtypes_noted(model: Any, specs: list[InputSpec | None], pairs: Callable[[], tuple[Any, Any]]) -> Iterator[None]:
    """Say with an exception of the model's own which dtype does not fit, where one does not."""
    try:
        yield
    except (*_OF_SIZES, TypeError) as error:
        edits = importlib.import_module("shapeproof.diagnosis.edits")  # as above
        dtypes = importlib.import_module("shapeproof.diagnosis.dtypes")
        args, kwargs = pairs()
        named = {key: value for key, (value, _) in kwargs.items()}
        with suppress(Exception):  # the model's own exception is what counts
            found = dtypes.note(error, edits.Setup(model, [value for value, _ in args], named), specs)
            if found and found not in getattr(error, "__notes__", ()):
                error.add_note(found)
        raise


def _setup(model: Any, found: Derivation, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """The model and its inputs, as the edits copy them."""
    edits = importlib.import_module("shapeproof.diagnosis.edits")
    named = {key: value for key, (value, _) in kwargs.items()}
    return edits.Setup(model, [value for value, _ in args], named, repeated(found.manner, found.cost.macs))


def _first_that_runs(given: list[InputSpec], at: At, free: bool) -> tuple[dict[str, int], Derivation]:
    """Try common sizes for the letters without one; after that, sizes that meet the condition which failed."""
    tried: list[tuple[dict[str, int], Derivation]] = []
    own: Exception | None = None
    for base in _different(first_guess(given, size) for size in COMMON_SIZES):
        if any(_fails_alike(found, seen, base) for seen, found in tried):
            continue
        try:
            tried.append((base, at(base, frozenset(base))))
        except _OF_SIZES as error:
            if not free:
                raise
            own = own or error  # such as an index that a size makes too large: another size may do
            continue
        if tried[-1][1].verdict != "failed" or not free:
            return tried[-1]
    if own and not tried:
        raise own
    return _sought(*tried[0], at)


def _different(bases: Iterator[dict[str, int]]) -> list[dict[str, int]]:
    return [dict(items) for items in dict.fromkeys(tuple(base.items()) for base in bases)]


def _fails_alike(failed: Derivation, seen: dict[str, int], base: dict[str, int]) -> bool:
    """Whether a run at other sizes would go the way of one that failed, and fail on the same condition."""
    from shapeproof.derivation.free import fails_too  # as below

    return fails_too(failed, seen, base)


def _borne_out(found: Derivation, at: At, trace_at: Callable[[dict[str, int], bool], Trace]) -> Derivation:
    from shapeproof.derivation.free import checked  # here, since numbers alone do without it

    return checked(found, lambda sizes: at(sizes, frozenset(sizes)), trace_at)


def _sought(base: dict[str, int], found: Derivation, at: At) -> tuple[dict[str, int], Derivation]:
    """Sizes that meet the condition which failed, or take the model another way; what failed where there are none."""
    from shapeproof.derivation.free import meeting, other_way  # as above

    tried = base, found
    for _ in range(8):
        better = meeting(found, base)
        if better is None:
            break
        base, found = better, at(better, frozenset(better))
        if found.verdict != "failed":
            return base, found
    base, found = tried
    elsewhere = other_way(found, base, lambda sizes: at(sizes, frozenset(sizes)))
    return (elsewhere, at(elsewhere, frozenset(elsewhere))) if elsewhere else tried


def _kept_by(*run: Any) -> Any:
    from shapeproof.derivation.keeping import kept_by  # here, for the few derivations that are asked for it

    return kept_by(*run)
