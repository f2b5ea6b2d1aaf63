"""What the commands that derive a target share: making it, choosing inputs, telling what went wrong on the way."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from shapeproof.errors import OwnError, UsageError

if TYPE_CHECKING:
    from shapeproof.capture.trace import Trace
    from shapeproof.derivation.model import Derivation

MOST_TRIED = 6  # specs that are tried where none is given
MOST_COMBINED = 16  # sets of specs that are tried for a model with several inputs
MOST_SHOWN = 12  # steps of a run that was stopped


def derive_target(target: str, inputs: Sequence[str], settings: tuple[str, ...], train: bool) -> Derivation:
    """Derive what a target names, on specs, or on specs that its layers suggest.

    Raises:
        UsageError: if the target, its arguments or its inputs cannot be used.
        OwnError: if the model raises something that has nothing to do with shapes.
    """
    from torch import nn  # here, so that --help loads no torch

    from shapeproof.capture.spec import parse
    from shapeproof.models.target import load, settings_of

    placed, named = _apart(inputs)
    for text in (*placed, *named.values()):
        parse(text)
    with contextlib.redirect_stdout(sys.stderr):  # what the user's code prints is no part of what is asked for
        model = load(target, settings_of(settings), inputs=len(inputs))
        if isinstance(model, nn.Module):
            model.train(train)
        needed = _check_number(model, target, placed, named)
        if inputs:
            return _derived(model, target, placed, named)
        return _guessed_several(model, target, needed) if len(needed) > 1 else _guessed(model, target)


def _apart(inputs: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Inputs by place, and those that are given by name, as in ``mask:2,5``.

    Raises:
        UsageError: if one name is given twice.
    """
    placed: list[str] = []
    named: dict[str, str] = {}
    for text in inputs:
        match = _NAMED.match(text)
        if not match:
            placed.append(text)
        elif match[1] in named:
            raise UsageError(f"--input {text}: {match[1]} is given twice")
        else:
            named[match[1]] = match[2]
    return placed, named


_NAMED = re.compile(r"^\s*([A-Za-z_]\w*):(.*)$", re.DOTALL)


def _derived(
    model: Any, target: str, inputs: Sequence[str], named: Mapping[str, str] = MappingProxyType({})
) -> Derivation:
    from shapeproof.capture.run import Interrupted
    from shapeproof.derivation.derive import derive
    from shapeproof.models.trouble import told_in_users_lines

    try:
        said = ", ".join([*inputs, *(f"{name}:{text}" for name, text in named.items())])
        with told_in_users_lines(f"{target} on {said}"):
            return derive(model, *inputs, **named)
    except Interrupted as stop:
        for line in _so_far(stop.trace):
            click.echo(line, err=True)
        raise click.Abort from stop
    except OwnError as error:
        noted = getattr(error.__cause__, "__notes__", ())
        raise OwnError(f"{error}{'' if noted else _hint(model, inputs)}") from error


def _guessed(model: Any, target: str) -> Derivation:
    """Derive on the first input that runs, of those that the layers suggest; where none does, on the first."""
    from shapeproof.derivation.inputs import candidates

    specs = list(candidates(model))[:MOST_TRIED]
    if not specs:
        raise UsageError("give the input's shape, such as --input N,1,28,28")
    first: Derivation | OwnError | None = None
    for spec in specs:
        try:
            found = _derived(model, target, [spec])
        except OwnError as error:
            first = first or error
            continue
        if found.verdict != "failed":
            _say(specs[: specs.index(spec)], spec)
            return found
        first = first or found
    if isinstance(first, OwnError):
        raise first
    assert first is not None
    _say(specs[1:], specs[0])
    return first


def _guessed_several(model: Any, target: str, names: Sequence[str]) -> Derivation:
    """Derive on inputs that the layers suggest, where the model runs on some.

    Raises:
        UsageError: where it does not; the inputs are named then.
    """
    from shapeproof.derivation.inputs import candidates_of_several, runs_somewhere

    found = list(dict.fromkeys(candidates_of_several(model, len(names))))
    specs = next((each for each in found[:MOST_COMBINED] if runs_somewhere(model, each)), None)
    if specs is None and found:  # perhaps all alike, of a size that is not among the usual
        with contextlib.suppress(OwnError):
            specs = found[0] if _derived(model, target, found[0]).verdict != "failed" else None
    if specs is None:
        told = ", ".join(names)
        raise UsageError(f"{target} takes {len(names)} inputs ({told}); give --input once for each, in this order")
    click.echo(f"no --input given: trying {' '.join(f'--input {spec!r}' for spec in specs)}", err=True)
    return _derived(model, target, specs)


def _say(tried: list[str], spec: str) -> None:
    others = f" (not {', '.join(tried)}: the model does not run on that)" if tried else ""
    click.echo(f"no --input given: trying {spec}{others}", err=True)


def _check_number(model: Any, target: str, given: Sequence[str], named: Mapping[str, str]) -> list[str]:
    """The inputs that the model's forward needs, by name.

    Raises:
        UsageError: if some were given, and not so many; the signature is named then.
    """
    forward = getattr(model, "forward", model)
    try:
        signature = inspect.signature(forward)
    except (TypeError, ValueError):
        return []
    needed = [p.name for p in signature.parameters.values() if p.default is p.empty and p.kind in _PLACED]
    if given or named:
        try:
            signature.bind(*given, **named)
        except TypeError as error:
            names = ", ".join(map(_without_annotation, signature.parameters.values()))
            raise UsageError(
                f"{target} is called as forward({names}): {error}; give --input once for each, in this order, "
                "or by its name, as in --input mask:N,5"
            ) from None
        _say_what_letters_are(given, set(signature.parameters))
    return needed


def _say_what_letters_are(given: Sequence[str], names: set[str]) -> None:
    """``x=2,4`` has a letter x to try at 2; whoever has an input called x may have meant that."""
    from shapeproof.capture.spec import parse

    for text in given:
        first = next(iter(parse(text).entries), None)
        if first and first.name in names and first.size:
            told = f"{first.name}={first.size} is a letter and the size to try first"
            rest = text.partition("=")[2]
            click.echo(f"note: {told}; for the input called {first.name} write {first.name}:{rest}", err=True)


def _without_annotation(parameter: inspect.Parameter) -> str:
    return str(parameter.replace(annotation=inspect.Parameter.empty))


_PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _hint(model: Any, inputs: Sequence[str]) -> str:
    """What the first layer wants, where that is something else than was given."""
    from torch import nn

    from shapeproof.capture.naming import dtype_name
    from shapeproof.capture.spec import parse
    from shapeproof.derivation.inputs import candidates

    first = next(candidates(model), "")
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    dtype = dtype_name(weight.dtype) if weight is not None else "float32"
    if not inputs:
        return ""
    given = parse(inputs[0])
    wanted = parse(first) if first else given
    if wanted.dtype != given.dtype and "int" in wanted.dtype:
        like = replace(given, dtype=wanted.dtype).text({})
        return f"\nthe first layer looks rows up in a table by whole numbers: try --input '{like}'"
    if "int" not in wanted.dtype and dtype != given.dtype:
        return f"\nthe model's weights are {dtype}: try --input '{replace(given, dtype=dtype).text({})}'"
    return ""


def _so_far(trace: Trace) -> list[str]:
    """The last steps of a run that was stopped."""
    from shapeproof.render.words import shape_text

    calls = trace.calls
    lines = [f"stopped after {len(calls):,} steps; the last were:"]
    for call in calls[-MOST_SHOWN:]:
        given = ", ".join(map(shape_text, call.inputs))
        lines.append(f"  {call.module or '(model)'}  {call.op}  {given} -> {shape_text(call.output)}  {call.source}")
    return lines
