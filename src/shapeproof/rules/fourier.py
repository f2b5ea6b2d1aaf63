"""Fourier transforms, and complex numbers as pairs of real ones."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape
from shapeproof.dims.conditions import decide
from shapeproof.rules.registry import (
    Derived,
    Operand,
    Unsupported,
    Violation,
    axes,
    axis,
    becomes,
    require,
    rule,
    show,
    unchanged,
)


def _signal(input: Operand) -> None:
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")


def _length(n: Any, size: int) -> int:
    count: int = size if n is None else n
    require(">=", count, 1, "argument", "a signal of at least 1 point", f"{count}")
    return count


def _put(shape: Shape, place: int, size: int) -> Shape:
    return (*shape[:place], size, *shape[place + 1 :])


@rule("fft_fft", "fft_ifft", page="torch.fft.fft")
def fft(input: Operand, n: Any = None, dim: int = -1, norm: Any = None) -> Derived:
    """As many frequencies as points; ``n`` cuts or pads first. MACs are not counted: the algorithm decides."""
    _signal(input)
    place = axis(dim, len(input.shape))
    return becomes(input, _put(input.shape, place, _length(n, input.shape[place])), "out = n", None)


@rule("fft_rfft", "fft_ihfft", page="torch.fft.rfft")
def rfft(input: Operand, n: Any = None, dim: int = -1, norm: Any = None) -> Derived:
    """Of real points half the frequencies are enough: ``floor(n/2) + 1``."""
    _signal(input)
    _real(input)
    place = axis(dim, len(input.shape))
    count = _length(n, input.shape[place])
    return becomes(input, _put(input.shape, place, count // 2 + 1), "floor(n/2) + 1", None)


def _real(input: Operand) -> None:
    if input.dtype.startswith("complex"):
        raise Violation("dtype", "real numbers", input.dtype)


@rule("fft_irfft", "fft_hfft", page="torch.fft.irfft")
def irfft(input: Operand, n: Any = None, dim: int = -1, norm: Any = None) -> Derived:
    """Back to real points: ``n``, or ``2(m - 1)`` for m frequencies."""
    _signal(input)
    place = axis(dim, len(input.shape))
    count = _length(n, 2 * (input.shape[place] - 1))
    return becomes(input, _put(input.shape, place, count), "2(m - 1)", None)


def _dims_and_sizes(input: Operand, s: Any, dim: Any) -> tuple[tuple[int, ...], list[Any]]:
    """The dims that are transformed, and a size for each: its own where none is asked for."""
    rank = len(input.shape)
    if dim is None and s is None:
        along = tuple(range(rank))
    elif dim is None:
        if len(s) > rank:
            raise Violation("rank", f"at most {rank} sizes", f"{len(s)}")
        along = tuple(range(rank - len(s), rank))
    else:
        along = axes(dim, rank) if not isinstance(dim, (tuple, list)) or dim else ()
    if s is not None and len(s) != len(along):
        raise Violation("argument", "a size for each dim", f"{len(s)} and {len(along)}")
    return along, [None if s is None or int(s[i]) == -1 else s[i] for i in range(len(along))]


def _transformed(input: Operand, s: Any, dim: Any, last: str = "") -> Derived:
    along, sizes = _dims_and_sizes(input, s, dim)
    if along and not input.shape:
        raise Violation("rank", "at least 1 dimension where dims are named", "0: ()")
    if last and not along:
        raise Violation("rank", "at least 1 dimension", show(input.shape))
    shape = input.shape
    for turn, (place, size) in enumerate(zip(along, sizes, strict=True), start=1):
        count = input.shape[place] if size is None else size
        if turn == len(along) and last == "half":
            count = _length(None, count) // 2 + 1
        elif turn == len(along) and last == "whole" and size is None:
            count = 2 * (input.shape[place] - 1)
        shape = _put(shape, place, _length(None, count))
    formula = {"half": "floor(n/2) + 1 along the last dim", "whole": "2(m - 1) along the last dim"}.get(last, "out = n")
    return becomes(input, shape, formula, None)


@rule("fft_fftn", "fft_ifftn", page="torch.fft.fftn")
def fftn(input: Operand, s: Any = None, dim: Any = None, norm: Any = None) -> Derived:
    """As many frequencies as points along each dim."""
    return _transformed(input, s, dim)


@rule("fft_fft2", "fft_ifft2", page="torch.fft.fft2")
def fft2(input: Operand, s: Any = None, dim: Any = (-2, -1), norm: Any = None) -> Derived:
    """As many frequencies as points along two dims."""
    return _transformed(input, s, dim)


@rule("fft_rfftn", "fft_ihfftn", page="torch.fft.rfftn")
def rfftn(input: Operand, s: Any = None, dim: Any = None, norm: Any = None) -> Derived:
    """Half the frequencies along the last dim: ``floor(n/2) + 1``."""
    _real(input)
    return _transformed(input, s, dim, "half")


@rule("fft_rfft2", "fft_ihfft2", page="torch.fft.rfft2")
def rfft2(input: Operand, s: Any = None, dim: Any = (-2, -1), norm: Any = None) -> Derived:
    """Half the frequencies along the last of two dims: ``floor(n/2) + 1``."""
    _real(input)
    return _transformed(input, s, dim, "half")


@rule("fft_irfftn", "fft_hfftn", page="torch.fft.irfftn")
def irfftn(input: Operand, s: Any = None, dim: Any = None, norm: Any = None) -> Derived:
    """Back to real points: ``2(m - 1)`` along the last dim."""
    return _transformed(input, s, dim, "whole")


@rule("fft_irfft2", "fft_hfft2", page="torch.fft.irfft2")
def irfft2(input: Operand, s: Any = None, dim: Any = (-2, -1), norm: Any = None) -> Derived:
    """Back to real points: ``2(m - 1)`` along the last of two dims."""
    return _transformed(input, s, dim, "whole")


@rule("fft_fftshift", "fft_ifftshift", page="torch.fft.fftshift")
def fftshift(input: Operand, dim: Any = None) -> Derived:
    """Frequencies in another order; the shape stays."""
    if dim is not None:
        _signal(input)
        axes(dim, len(input.shape))
    return unchanged(input)


@rule("fft_fftfreq", page="torch.fft.fftfreq")
def fftfreq(n: int, d: float = 1.0, **_: Any) -> Derived:
    """The frequencies of a transform of n points."""
    return Derived((n,), "out = n", f"{n}")


@rule("fft_rfftfreq", page="torch.fft.rfftfreq")
def rfftfreq(n: int, d: float = 1.0, **_: Any) -> Derived:
    """The frequencies of a transform of n real points: ``floor(n/2) + 1``."""
    return Derived((n // 2 + 1,), "floor(n/2) + 1", f"floor({n}/2) + 1 = {n // 2 + 1}")


@rule("stft", page="torch.stft")
def stft(
    input: Operand, n_fft: int, hop_length: Any = None, win_length: Any = None, window: Any = None,
    center: bool = True, pad_mode: str = "reflect", normalized: bool = False, onesided: Any = None,
    return_complex: Any = None, **_: Any,
) -> Derived:  # fmt: skip
    """``(*, L)`` to ``(*, frequencies, frames)``: ``1 + floor(L/hop)`` frames when centred, from whole windows if not.

    MACs are not counted: the algorithm decides.
    """
    if len(input.shape) not in (1, 2):
        raise Violation("rank", "1 or 2 dimensions (B,L)", show(input.shape))
    hop = n_fft // 4 if hop_length is None else hop_length
    require(">=", hop, 1, "argument", "a hop of at least 1", f"{hop}")
    length = input.shape[-1]
    if center:
        if pad_mode == "reflect":
            require(">=", length, n_fft // 2 + 1, "padding-size", f"more than {n_fft // 2} samples", f"{length}")
        length = length + 2 * (n_fft // 2)
    require(">=", length, n_fft, "kernel-too-large", f"at least n_fft = {n_fft} samples", f"{length}")
    _check_window(window, n_fft if win_length is None else win_length)
    frames = (length - n_fft) // hop + 1
    whole = input.dtype.startswith("complex") or (isinstance(window, Operand) and window.dtype.startswith("complex"))
    one = not whole if onesided is None else onesided
    frequencies = n_fft // 2 + 1 if one else n_fft
    shape = (*input.shape[:-1], frequencies, frames) if return_complex or whole else None
    if shape is None:
        if return_complex is None and not whole:
            raise Unsupported
        shape = (*input.shape[:-1], frequencies, frames, 2)
    line = f"floor(({length} - {n_fft})/{hop}) + 1 = {frames}"
    return Derived(shape, "(*, L) -> (*, n_fft/2 + 1, floor((L - n_fft)/hop) + 1)", line, None)


def _check_window(window: Any, length: int) -> None:
    if isinstance(window, Operand):
        if len(window.shape) != 1:
            raise Violation("rank", "a window of 1 dimension", show(window.shape))
        require("==", window.shape[0], length, "window", f"a window of {length} samples", f"{window.shape[0]}")


@rule("istft", page="torch.istft")
def istft(
    input: Operand, n_fft: int, hop_length: Any = None, win_length: Any = None, window: Any = None,
    center: bool = True, normalized: bool = False, onesided: Any = None, length: Any = None,
    return_complex: bool = False,
) -> Derived:  # fmt: skip
    """``(*, frequencies, frames)`` to ``(*, L)``: ``n_fft + hop (frames - 1)``, less the ends when centred."""
    if len(input.shape) not in (2, 3):
        raise Violation("rank", "2 or 3 dimensions (B,frequencies,frames)", show(input.shape))
    hop = n_fft // 4 if hop_length is None else hop_length
    # a whole spectrum is told from half of one by its size
    one = not decide("==", input.shape[-2], n_fft) if onesided is None else onesided
    wanted = n_fft // 2 + 1 if one else n_fft
    require("==", input.shape[-2], wanted, "in-features", f"{wanted} frequencies", f"{input.shape[-2]}")
    _check_window(window, n_fft if win_length is None else win_length)
    full = n_fft + hop * (input.shape[-1] - 1)
    found = length if length is not None else full - (2 * (n_fft // 2) if center else 0)
    line = f"{n_fft} + {hop}*({input.shape[-1]} - 1) = {full}"
    return Derived((*input.shape[:-2], found), "n_fft + hop (frames - 1)", line, None)


@rule("view_as_real", page="torch.view_as_real")
def view_as_real(input: Operand) -> Derived:
    """Complex numbers as pairs: a last dimension of 2."""
    if not input.dtype.startswith("complex"):
        raise Violation("dtype", "complex numbers", input.dtype)
    return becomes(input, (*input.shape, 2), "(*) -> (*, 2)")


@rule("view_as_complex", page="torch.view_as_complex")
def view_as_complex(input: Operand) -> Derived:
    """Pairs as complex numbers: a last dimension of 2 goes."""
    if input.dtype.startswith("complex"):
        raise Violation("dtype", "real numbers", input.dtype)
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    require("==", input.shape[-1], 2, "complex-pairs", "a last dimension of 2", show(input.shape))
    if input.stride is not None and (input.stride[-1] != 1 or any(step % 2 for step in input.stride[:-1])):
        raise Violation("view-stride", "pairs side by side in memory", f"strides {show(input.stride)}")
    return becomes(input, input.shape[:-1], "(*, 2) -> (*)")


@rule("imag", page="torch.imag")
def imag(input: Operand) -> Derived:
    """The imaginary parts; the shape stays."""
    if not input.dtype.startswith("complex"):
        raise Violation("dtype", "complex numbers", input.dtype)
    return unchanged(input)
