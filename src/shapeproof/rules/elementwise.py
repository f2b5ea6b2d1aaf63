"""Elementwise operations: one family, one rule. Several tensors are broadcast against one another first.

Source: PyTorch's notes, "Broadcasting semantics": from the last dimension back, two sizes are equal, or one is 1.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Dim, Shape, exact_div, same
from shapeproof.dims.conditions import decide
from shapeproof.rules.registry import (
    Counted,
    Derived,
    Operand,
    Violation,
    axes,
    axis,
    becomes,
    require,
    require_rank,
    rule,
    show,
    unchanged,
)

# Names whose every tensor argument is broadcast; what is no tensor (a number, an alpha, a dtype) does not matter.
NAMES = """
abs absolute acos acosh add addcdiv addcmul alpha_dropout angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh
asin asinh atan atan2 atanh bernoulli bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift
bitwise_xor ceil celu clamp clamp_max clamp_min clip complex conj conj_physical copy copysign cos cosh deg2rad digamma
div divide dropout dropout2d dropout3d elu eq erf erfc erfinv exp exp2 expm1 fake_quantize_per_tensor_affine
feature_alpha_dropout feature_dropout float_power floor floor_divide fmax fmin fmod frac gcd ge gelu greater
greater_equal gt hardshrink hardsigmoid hardswish hardtanh heaviside hypot i0 igamma igammac ilshift irshift isclose
isfinite isinf isnan isneginf isposinf isreal lcm ldexp le leaky_relu lerp less less_equal lgamma log log10 log1p log2
log_sigmoid logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logit logsigmoid lshift lt
maximum minimum mish mul multiply mvlgamma nan_to_num ne neg negative nextafter not_equal polar polygamma positive pow
rad2deg real reciprocal relu relu6 remainder resolve_conj resolve_neg rlshift round rrelu rrshift rshift rsqrt selu
sgn sigmoid sign signbit silu sin sinc sinh softplus softshrink softsign special_airy_ai
special_chebyshev_polynomial_t special_chebyshev_polynomial_u special_chebyshev_polynomial_v
special_chebyshev_polynomial_w special_hermite_polynomial_h special_hermite_polynomial_he special_laguerre_polynomial_l
special_legendre_polynomial_p special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u
special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w special_bessel_j0
special_bessel_j1 special_bessel_y0 special_bessel_y1 special_digamma special_entr special_erf special_erfc
special_erfcx special_erfinv special_exp2 special_expit special_expm1 special_gammainc special_gammaincc
special_gammaln special_i0 special_i0e special_i1 special_i1e special_log1p special_log_ndtr special_logit
special_modified_bessel_i0 special_modified_bessel_i1 special_modified_bessel_k0 special_modified_bessel_k1
special_multigammaln special_ndtr special_ndtri special_polygamma special_psi special_round
special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1 special_sinc special_spherical_bessel_j0
special_xlog1py special_xlogy special_zeta sqrt square sub subtract tan tanh tanhshrink threshold true_divide trunc
xlogy
""".split()

# Names that take the first tensor's shape whatever else they are given.
CONVERSIONS = """
alias_copy autocast_to_full_precision autocast_to_reduced_precision bfloat16 bool byte cauchy cdouble cfloat chalf
char clone coalesce constant contiguous cpu cuda data dequantize detach detach_copy double empty_like exponential fill
float full_like geometric half int ipu kaiming_uniform log_normal long mtia ones_like pin_memory poisson rand_like
randint_like randn_like random record_stream requires_grad retain_grad share_memory short to to_dense to_mkldnn
type_as uniform xpu zero zeros_like
""".split()


def broadcast(shapes: list[Shape], code: str = "broadcast") -> Shape:
    """The shape that all broadcast to. Raises a violation where two sizes differ and neither is 1."""
    if len(shapes) == 1:
        return tuple(shapes[0])
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    out: list[int] = []
    for place, sizes in enumerate(zip(*padded, strict=True)):
        apart = _different(sizes)
        apart = [size for size in apart if not isinstance(size, Counted)] or apart[:1]
        wide = apart if len(apart) == 1 else [size for size in apart if not decide("==", size, 1)]
        for size in wide[1:]:
            both = f"{' and '.join(show(shape) for shape in shapes)}"
            words = f"equal sizes, or 1, in dimension {place - rank}"
            require("==", size, wide[0], code, words, f"{wide[0]} and {size} ({both})")
        fixed = [size for size in wide if not isinstance(size, Dim)]
        out.append((*fixed, *wide, *apart, sizes[0])[0])
    return tuple(out)


def fits(shape: Shape, target: Shape, words: str, code: str = "broadcast") -> None:
    """Require that a shape broadcasts to the target and leaves it as it is."""
    if len(shape) > len(target):
        raise Violation(code, words, show(shape))
    for have, want in zip(reversed(shape), reversed(target), strict=False):
        if not same(have, want) and not decide("==", have, 1):
            require("==", have, want, code, words, show(shape))


def _different(sizes: tuple[int, ...]) -> list[int]:
    """The sizes that decide: those of one expression once, a plain 1 not at all where another stands beside it."""
    found: list[int] = []
    for size in sizes:
        if not any(same(size, other) for other in found):
            found.append(size)
    return [size for size in found if isinstance(size, Dim) or size != 1] if len(found) > 1 else []


@rule(*NAMES, page="torch.add")
def elementwise(*args: Any, **kwargs: Any) -> Derived:
    """Every output element comes from the elements in the same place of each tensor."""
    shapes = [value.shape for value in (*args, *kwargs.values()) if isinstance(value, Operand)]
    out = broadcast(shapes)
    if len(shapes) == 1:
        return Derived(out, "out = in", show(out))
    return Derived(out, "out = broadcast(a, b)", f"{' with '.join(show(shape) for shape in shapes)} -> {show(out)}")


@rule("dropout1d", page="torch.nn.functional.dropout1d")
def dropout1d(input: Operand, *_: Any, **__: Any) -> Derived:
    """Whole channels put to 0, of a batch or of one sample; the shape stays."""
    require_rank(input, (2, 3), "rank", "N,C,L")
    return unchanged(input)


@rule("masked_fill", page="torch.Tensor.masked_fill_")
def masked_fill(input: Operand, mask: Operand, value: Any) -> Derived:
    """One value where the mask is true; mask and tensor are broadcast."""
    if isinstance(value, Operand) and value.shape:
        raise Violation("rank", "one value", show(value.shape))
    return elementwise(input, mask)


@rule(*CONVERSIONS, page="torch.Tensor.to")
def converted(input: Operand, *_: Any, **__: Any) -> Derived:
    """Another dtype, device or copy: every other argument says which, and leaves the shape alone."""
    return unchanged(input)


@rule("type", page="torch.Tensor.type")
def type_(input: Operand, dtype: Any = None, *_: Any, **__: Any) -> Derived:
    """Another dtype; asked without one, its name as text: no tensor."""
    return Derived(None if dtype is None else input.shape, "out = in", show(input.shape))


@rule("renorm", page="torch.renorm")
def renorm(input: Operand, p: float, dim: int, maxnorm: float) -> Derived:
    """Each slice along ``dim`` made no longer than ``maxnorm``; the shape stays."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions", f"{len(input.shape)}: {show(input.shape)}")
    axis(dim, len(input.shape))
    return unchanged(input)


@rule("frexp", page="torch.frexp")
def frexp(input: Operand) -> Derived:
    """The mantissa and the exponent of each element."""
    return Derived((input.shape, input.shape), "out = in", show(input.shape))


@rule("softmax", "log_softmax", "softmin", "special_softmax", "special_log_softmax", page="torch.nn.functional.softmax")
def softmax(input: Operand, dim: int | None = None, *_: Any, **__: Any) -> Derived:
    """Each output element comes from its whole row along ``dim``; the shape stays."""
    if dim is not None:
        axis(dim, len(input.shape))
    return unchanged(input)


@rule("gumbel_softmax", page="torch.nn.functional.gumbel_softmax")
def gumbel_softmax(logits: Operand, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Derived:
    """A random choice along ``dim``, soft or hard; the shape stays."""
    axis(dim, len(logits.shape))
    return unchanged(logits)


@rule("normalize", page="torch.nn.functional.normalize")
def normalize(input: Operand, p: float = 2.0, dim: Any = 1, *_: Any, **__: Any) -> Derived:
    """``v / max(|v|, eps)`` along ``dim``; the shape stays."""
    axes(dim, len(input.shape))
    return unchanged(input)


@rule("prelu", page="torch.nn.functional.prelu")
def prelu(input: Operand, weight: Operand) -> Derived:
    """``max(0, x) + a min(0, x)``: one slope for all, or one for each channel."""
    if len(weight.shape) > 1:
        raise Violation("rank", "a list of slopes, or one", show(weight.shape))
    slopes = weight.shape[0] if weight.shape else 1
    if not decide("==", slopes, 1):
        channels = input.shape[1] if len(input.shape) > 1 else 1
        if not input.shape:
            raise Violation("rank", "at least 1 dimension", "0: ()")
        require("==", channels, slopes, "num-features", f"{slopes} channels", f"{channels} in {show(input.shape)}")
    return unchanged(input)


@rule("glu", page="torch.nn.functional.glu")
def glu(input: Operand, dim: int = -1) -> Derived:
    """One half times the sigmoid of the other: the dim is halved."""
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    place = axis(dim, len(input.shape))
    size = input.shape[place]
    require("mod", size, 2, "glu", f"an even size along dim {place}", f"{size}")
    return becomes(input, (*input.shape[:place], exact_div(size, 2), *input.shape[place + 1 :]), "size / 2 along dim")
