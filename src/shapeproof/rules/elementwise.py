"""Elementwise operations: one family, one rule. Several tensors are broadcast against one another first.

Source: PyTorch's notes, "Broadcasting semantics": from the last dimension back, two sizes are equal, or one is 1.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape
from shapeproof.rules.registry import Derived, Operand, axis, require, rule, show

# Names whose every tensor argument is broadcast; what is no tensor (a number, an alpha, a dtype) does not matter.
NAMES = """
abs acos acosh add addcdiv addcmul alpha_dropout asin asinh atan atan2 atanh bernoulli bitwise_and bitwise_not
bitwise_or bitwise_xor ceil celu clamp clamp_max clamp_min clip copysign cos cosh div dropout dropout1d dropout2d
dropout3d elu eq erf erfc exp exp2 expm1 feature_alpha_dropout fill floor floor_divide fmod ge gelu greater gt
hardshrink hardsigmoid hardswish hardtanh heaviside isfinite isinf isnan le leaky_relu lerp less lgamma log log10
log1p log2 logical_and logical_not logical_or logical_xor logit logsigmoid lt masked_fill maximum minimum mish mul
multiply nan_to_num ne neg negative pow reciprocal relu relu6 remainder round rrelu rsqrt selu sgn sigmoid sign silu
sin sinc sinh softplus softshrink softsign sqrt square sub subtract tan tanh tanhshrink threshold true_divide trunc
where xlogy
""".split()

# Names that take the first tensor's shape whatever else they are given.
CONVERSIONS = """
bfloat16 bool byte clone contiguous cpu cuda detach double empty_like float full_like half int long ones_like
rand_like randn_like requires_grad short to type type_as zero zeros_like
""".split()


def broadcast(shapes: list[Shape], code: str = "broadcast") -> Shape:
    """The shape that all broadcast to. Raises a violation where two sizes differ and neither is 1."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    out: list[int] = []
    for place, sizes in enumerate(zip(*padded, strict=True)):
        wide = [size for size in sizes if int(size) != 1]
        for size in wide[1:]:
            both = f"{' and '.join(show(shape) for shape in shapes)}"
            words = f"equal sizes, or 1, in dimension {place - rank}"
            require("==", size, wide[0], code, words, f"{wide[0]} and {size} ({both})")
        out.append(wide[0] if wide else sizes[0])
    return tuple(out)


@rule(*NAMES, page="torch.add")
def elementwise(*args: Any, **kwargs: Any) -> Derived:
    """Every output element comes from the elements in the same place of each tensor."""
    shapes = [value.shape for value in (*args, *kwargs.values()) if isinstance(value, Operand)]
    out = broadcast(shapes)
    if len(shapes) == 1:
        return Derived(out, "out = in", show(out))
    return Derived(out, "out = broadcast(a, b)", f"{' with '.join(show(shape) for shape in shapes)} -> {show(out)}")


@rule(*CONVERSIONS, page="torch.Tensor.to")
def converted(input: Operand, *_: Any, **__: Any) -> Derived:
    """Another dtype, device or copy: every other argument says which, and leaves the shape alone."""
    return Derived(input.shape, "out = in", show(input.shape))


@rule("softmax", "log_softmax", "softmin", "cumsum", "cumprod", "normalize", page="torch.nn.functional.softmax")
def along_a_dim(input: Operand, dim: int | None = None, *_: Any, **named: Any) -> Derived:
    """Each output element comes from its whole row along ``dim``; the shape stays."""
    if isinstance(dim, int):
        axis(dim, len(input.shape))
    return Derived(input.shape, "out = in", show(input.shape))
