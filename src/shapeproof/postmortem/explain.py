"""From an exception to its explanation: the call derived again, quietly and on copies, and put into words."""

from __future__ import annotations

import contextlib
import io
import linecache
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from shapeproof.derivation.derive import derive_call
from shapeproof.derivation.model import Derivation, ShapeWarning
from shapeproof.postmortem.calls import Candidate, candidates, makers
from shapeproof.postmortem.elsewhere import in_backward, in_loading
from shapeproof.postmortem.frames import Moment, moments, statement_names, user_moment
from shapeproof.postmortem.made import made_at
from shapeproof.postmortem.workers import fetched_again
from shapeproof.rules.registry import show

# what PyTorch, and checks of sizes in Python, raise; no other exception is looked into
REFUSALS = (RuntimeError, ValueError, IndexError, AssertionError)
# no call is made again on a device that is full, or where it has no end
NO_ROOM = (torch.OutOfMemoryError, RecursionError)


@dataclass(frozen=True)
class Line:
    """A line of the user's code that the error passed through.

    Attributes:
        place: ``file:line``.
        function: the function that it stands in; ``"<module>"`` at the top of a file.
        text: the line itself.
        shapes: what the names in it stood for at that moment, as ``name (sizes)``.
    """

    place: str
    function: str
    text: str
    shapes: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """What can be told of a shape error after the fact.

    Attributes:
        lines: the user's failing line first, then the lines that led to it, up to the call that was derived again.
        derivation: that call derived; ``None`` where a word is all there is to say.
        word: that word: for an error in the backward pass, say.
        lost: what the frames no longer held.
        before: warnings of the models that made what the failed line was given.
        made: path, place and text of the failed layer's constructor, where no edit names the place.
    """

    lines: tuple[Line, ...]
    derivation: Derivation | None
    word: str = ""
    lost: tuple[str, ...] = ()
    before: tuple[ShapeWarning, ...] = ()
    made: tuple[str, str, str] | None = None


def explained(error: BaseException) -> Explanation | None:
    """Explain a shape error; ``None`` for any other, judged by deriving its call again, never by its message."""
    refusals = (link for link in _links(error) if isinstance(link, REFUSALS) and not isinstance(link, NO_ROOM))
    for link in refusals:
        found = _explained(moments(link.__traceback__))
        if found is not None:
            return found
    return None


def _links(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that led to it; of a group, each."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen or not isinstance(link, Exception):
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, ExceptionGroup):
            waiting += link.exceptions
        before = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        waiting += [before] if before else []


def _explained(stack: list[Moment]) -> Explanation | None:
    with quiet():
        again = fetched_again(stack)
    if again is not None:
        inner = [moment for moment in moments(again) if moment.torchs or moment.users]
        return _explained([moment for moment in stack if moment.users] + inner)
    word = in_backward(stack) or in_loading(stack)
    if word:
        return Explanation(_lines(stack, 0), None, word)
    lost: list[str] = []
    for candidate in candidates(stack, lost):
        derivation, raised = _again(candidate)
        if raised is not None and _same_end(raised, stack):
            return None  # the error itself, judged to be about something else
        if derivation is not None and _at_the_same_place(derivation, stack):
            lines = _lines(stack, candidate.depth, derivation)
            made = _made(stack, candidate, derivation)
            return Explanation(lines, derivation, "", tuple(lost), tuple(_warnings_before(stack)), made)
    return None


def _again(candidate: Candidate) -> tuple[Derivation | None, Exception | None]:
    """The call derived again, where it fails on its shapes; or what it raised, where that is something else."""
    try:
        with quiet():
            found = derive_call(candidate.callee, candidate.args, candidate.kwargs)
    except Exception as error:  # noqa: BLE001  # what has nothing to do with shapes, or cannot be run again
        return None, error
    return (found if found.verdict == "failed" else None), None


def _same_end(error: Exception, stack: list[Moment]) -> bool:
    """Whether an error ends on the line on which the first one did."""
    last = moments(error.__traceback__)[-1:]
    return [(m.file, m.line) for m in last] == [(m.file, m.line) for m in stack[-1:]]


def _made(stack: list[Moment], candidate: Candidate, derivation: Derivation) -> tuple[str, str, str] | None:
    """Where the failed layer is made, if an edit of it does not say so."""
    path, found = derivation.steps[-1].module, derivation.diagnosis
    if found is None or not any(fix.kind == "argument" and not fix.source for fix in found.fixes[:1]):
        return None
    place = made_at(stack, candidate, path)
    return (path or derivation.model, *place) if place else None


def _warnings_before(stack: list[Moment]) -> Iterator[ShapeWarning]:
    """What runs and is wrong in the models that made the tensors of the failed line."""
    for candidate in islice(makers(user_moment(stack)), 2):
        with contextlib.suppress(Exception), quiet():
            yield from derive_call(candidate.callee, candidate.args, candidate.kwargs).warnings


def _at_the_same_place(derivation: Derivation, stack: list[Moment]) -> bool:
    """Whether it fails where it failed: what was changed since may make it fail, rightly, elsewhere."""
    source = derivation.steps[-1].source
    return not source or _compiled(stack) or any(f"{m.file}:{m.line}" == source for m in stack)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let the user's code run again without a word: nothing printed, logged or warned a second time."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _lines(stack: list[Moment], depth: int, derivation: Derivation | None = None) -> tuple[Line, ...]:
    """The failing line, and the user's line that made the call at ``depth``, if that is another."""
    failing = _line(user_moment(stack))
    around = [moment for moment in stack[: depth + 1] if moment.users]
    inner = derivation.steps[-1].source if derivation is not None and derivation.steps else ""
    if inner and _compiled(stack):
        failing = _traced(inner, failing)
    before = _line(around[-1]) if around else failing
    return (failing,) if before.place == failing.place else (failing, before)


def _compiled(stack: list[Moment]) -> bool:
    """Whether the call went through ``torch.compile``, whose traceback has no frames of the user's forward."""
    return any(moment.torchs and "_dynamo" in moment.file for moment in stack)


def _traced(source: str, known: Line) -> Line:
    """A line that only the derivation has seen."""
    file, _, number = source.rpartition(":")
    return known if source == known.place else Line(source, "", linecache.getline(file, int(number)).strip(), ())


def _line(moment: Moment) -> Line:
    place = f"{moment.file}:{moment.line}"
    return Line(place, moment.code.co_qualname, moment.text, tuple(_shapes(moment)))


def _shapes(moment: Moment) -> Iterator[str]:
    """The names that the statement reads and that stand for tensors, or for a few of them, with their sizes."""
    names = moment.names
    for text in statement_names(moment):
        value = _value(text, names)
        if isinstance(value, Tensor):
            yield f"{text} {show(tuple(value.shape))}"
        elif isinstance(value, (list, tuple)) and 0 < len(value) <= 8 and all(isinstance(v, Tensor) for v in value):
            yield f"{text} [{', '.join(show(tuple(v.shape)) for v in value)}]"


def _value(text: str, names: Mapping[str, object]) -> object:
    """What a dotted name stands for, read without running anything of the user's."""
    first, *rest = text.split(".")
    value = names.get(first)
    for part in rest:
        held = getattr(value, "__dict__", {}) if not isinstance(value, type(sys)) else {}
        inner = [held.get(kind, {}) for kind in ("_parameters", "_buffers")]
        value = held.get(part, next((group[part] for group in inner if part in group), None))
    return value
