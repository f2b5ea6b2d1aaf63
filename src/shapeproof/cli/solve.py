"""``shapeproof solve``: the windows that map one size to another."""

from __future__ import annotations

import click


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
@click.option("--in", "size_in", type=click.IntRange(1), required=True, help="The size before.")
@click.option("--out", "size_out", type=click.IntRange(1), required=True, help="The size after.")
@click.option("--kernel", type=Range(), default="1-7", show_default=True)
@click.option("--stride", type=Range(), default="1-4", show_default=True)
@click.option("--padding", type=Range(), default="0-3", show_default=True)
@click.option("--dilation", type=Range(), default="1", show_default=True)
@click.option("--pool", is_flag=True, help="Only what pooling allows: padding of at most half the kernel.")
def command(
    size_in: int,
    size_out: int,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    pool: bool,
) -> int:
    """List every window that maps one size to another, the conventional ones first."""
    from shapeproof.derivation.windows import solve

    try:
        found = solve(size_in, size_out, kernel, stride, padding, dilation, pool)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for w in found:
        extra = f" dilation={w.dilation}" if w.dilation > 1 else ""
        note = f"   drops {w.dropped} at the end" if w.dropped else ""
        click.echo(f"kernel_size={w.kernel_size} stride={w.stride} padding={w.padding}{extra}   {w.arithmetic}{note}")
    if not found:
        click.echo(f"no window of these kernels, strides and paddings maps {size_in} to {size_out}")
    return 0 if found else 1
