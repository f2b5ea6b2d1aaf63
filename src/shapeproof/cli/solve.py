"""``shapeproof solve``: the windows that map one size to another, or the input sizes that make a layer fit."""

from __future__ import annotations

import json
from typing import Any

import click

from shapeproof.errors import UsageError


class Range(click.ParamType[tuple[int, ...]]):
    """A number such as ``3`` or a range such as ``1-7``."""

    name = "N or A-B"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read the text; says what a range looks like where it is none."""
        low, _, high = str(value).partition("-")
        try:
            numbers = tuple(range(int(low), int(high or low) + 1))
        except ValueError:
            numbers = ()
        if not numbers:
            self.fail(f"{value!r} is no number or range; write 3 or 1-7", param, ctx)
        return numbers


@click.command("solve")
@click.option("--in", "size_in", type=click.IntRange(1), help="The size before.")
@click.option("--out", "size_out", type=click.IntRange(1), help="The size after.")
@click.option("--kernel", type=Range(), default="1-7", show_default=True)
@click.option("--stride", type=Range(), default="1-4", show_default=True)
@click.option("--padding", type=Range(), default="0-3", show_default=True)
@click.option("--dilation", type=Range(), default="1", show_default=True)
@click.option("--output-padding", type=Range(), default="0", show_default=True, help="With --transposed.")
@click.option("--pool", is_flag=True, help="Only what pooling allows: padding of at most half the kernel.")
@click.option("--transposed", is_flag=True, help="Windows of a transposed convolution.")
@click.option("--target", metavar="TARGET", help="A model, as for derive, instead of --in and --out.")
@click.option("--want", metavar="LAYER=N", help="With --target: which input sizes bring N features to LAYER.")
@click.option("--input", "inputs", multiple=True, metavar="SPEC", help="With --target: the inputs, as for derive.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="With --target: a constructor argument.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(size_in: int | None, size_out: int | None, target: str | None, want: str | None, form: str,
            inputs: tuple[str, ...], settings: tuple[str, ...], **windows: Any) -> int:  # fmt: skip
    """List every window that maps one size to another, the conventional ones first.

    With --target and --want: which input sizes make a layer's in_features right.
    """
    if target is not None or want is not None:
        if size_in is not None or size_out is not None:
            raise UsageError("give --in and --out, or --target and --want, not both")
        return _wanted(target, want, inputs, settings, form)
    if size_in is None or size_out is None:
        raise UsageError("give --in and --out, or --target and --want")
    return _windows(size_in, size_out, windows, form)


def _windows(size_in: int, size_out: int, choices: dict[str, Any], form: str) -> int:
    from shapeproof.derivation.windows import solve
    from shapeproof.rules.window import arguments

    try:
        found = solve(size_in, size_out, kernel_size=choices.pop("kernel"), **choices)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if form == "json":
        click.echo(json.dumps([arguments(w) | {"size_out": w.size_out, "arithmetic": w.arithmetic} for w in found]))
        return 0 if found else 1
    for window in found:
        click.echo(_line(window, arguments(window)))
    if not found:
        click.echo(f"no window of these kernels, strides and paddings maps {size_in} to {size_out}")
    return 0 if found else 1


def _line(window: Any, given: dict[str, Any]) -> str:
    """The arguments as they stand in code, and the arithmetic."""
    told = {name: value for name, value in given.items() if name not in ("size_in", "ceil_mode")}
    usual = {"dilation": 1, "output_padding": 0}
    words = " ".join(f"{name}={value}" for name, value in told.items() if usual.get(name) != value)
    dropped = getattr(window, "dropped", 0)
    return f"{words}   {window.arithmetic}" + (f"   drops {dropped} at the end" if dropped else "")


def _wanted(target: str | None, want: str | None, inputs: tuple[str, ...], settings: tuple[str, ...], form: str) -> int:
    layer, equals, number = (want or "").partition("=")
    if target is None or not layer or not equals or not number.isdecimal() or int(number) < 1:
        raise UsageError("write --target FILE.py:NAME --want LAYER=N, such as --want fc=400")
    from torch import nn  # here, so that --help loads no torch

    from shapeproof.derivation.inputs import likely
    from shapeproof.derivation.wanted import told, wanted
    from shapeproof.models.target import load, settings_of

    model = load(target, settings_of(settings))
    if isinstance(model, nn.Module):
        model.eval()
    if not inputs:
        inputs = (likely(model),)
        click.echo(f"no --input given: trying {inputs[0]}", err=True)
    found = wanted(model, layer, int(number), *inputs)
    click.echo(json.dumps(found.to_dict()) if form == "json" else told(found))
    return 0 if found.domain.parts else 1
