"""Random arguments for the names that share a rule with others: each name by its own call, under every namespace."""

import torch
import torch.nn.functional as F

from makers import a_dim, broadcastable, ints, real, sizes, spoilt
from makers_products import each, fourier, joined, of, square

UNARY = """
abs absolute acos acosh alias_copy angle arccos arccosh arcsin arcsinh arctan arctanh asarray asin asinh atan atanh
bernoulli bfloat16 byte cauchy cdouble ceil celu cfloat chalf char conj conj_physical contiguous cos cosh cpu deg2rad
detach detach_copy digamma double elu empty_like erf erfc erfinv exp exp2 expm1 exponential floor
frac gelu half hardshrink hardsigmoid hardswish hardtanh i0 int isfinite isinf isnan isneginf isposinf isreal leaky_relu
lgamma log log10 log1p log2 log_normal logical_not logit logsigmoid long mish nan_to_num neg negative ones_like poisson
positive rad2deg rand_like randn_like random real reciprocal relu relu6 resolve_conj resolve_neg round rrelu rsqrt selu
sgn short sigmoid sign signbit silu sin sinc sinh softplus softshrink softsign special_airy_ai special_bessel_j0
special_bessel_j1 special_bessel_y0 special_bessel_y1 special_digamma special_entr special_erf special_erfc
special_erfcx special_erfinv special_exp2 special_expit special_expm1 special_gammaln special_i0 special_i0e special_i1
special_i1e special_log1p special_log_ndtr special_logit special_modified_bessel_i0 special_modified_bessel_i1
special_modified_bessel_k0 special_modified_bessel_k1 special_ndtr special_ndtri special_psi special_round
special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1 special_sinc special_spherical_bessel_j0 sqrt square
tan tanh tanhshrink to_dense trunc uniform zero zeros_like
""".split()

BINARY = """
arctan2 atan2 clamp clamp_max clamp_min clip complex copysign div divide eq float_power floor_divide fmax fmin fmod ge
greater greater_equal gt heaviside hypot igamma igammac isclose ldexp le less less_equal logaddexp logaddexp2
logical_and logical_or logical_xor lt maximum minimum multiply ne nextafter not_equal polar pow remainder
special_chebyshev_polynomial_u special_chebyshev_polynomial_v special_chebyshev_polynomial_w special_gammainc
special_gammaincc special_hermite_polynomial_h special_hermite_polynomial_he special_laguerre_polynomial_l
special_legendre_polynomial_p special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u
special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w special_xlog1py special_xlogy special_zeta
subtract true_divide xlogy allclose
""".split()

OF_INTS = "bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor gcd lcm".split()
INTO_THE_FIRST = "ilshift irshift iand ior ixor iadd imul".split()
TERNARY = "addcdiv addcmul lerp".split()
ALONG = "log_softmax softmin special_log_softmax special_softmax special_logsumexp unsafe_chunk unsafe_split".split()
SQUARE = "cholesky cholesky_ex det eig eigvals inverse slogdet matrix_exp".split()


def called(name):
    """The function of this name, wherever PyTorch keeps it; of a method, a call of that."""
    spaces = ((torch, ""), (F, ""), (torch.special, "special_"), (torch.linalg, ""))
    for space, start in spaces:
        found = getattr(space, name.removeprefix(start), None) if name.startswith(start) else None
        if callable(found):
            return found
    method = next(n for n in (name, f"{name}_", f"__{name}__") if hasattr(torch.Tensor, n))
    return lambda t, *rest: getattr(t, method)(*rest)


def shape(rng):
    return sizes(rng, 0, 4, 4, 0 if rng.random() < 0.2 else 1)


def unary(name):
    fn = called(name)
    return lambda rng: (lambda t: fn(t), (real(*shape(rng)),))


def binary(name, make=real):
    """Two that mostly broadcast, or one and a number."""
    fn = called(name)

    def maker(rng):
        a = shape(rng)
        return (lambda t, o: fn(t, o)), (make(*a), make(*broadcastable(rng, a)))

    return maker


def ternary(name):
    fn = called(name)

    def maker(rng):
        a = shape(rng)
        return (lambda t, o, w: fn(t, o, w)), (real(*a), real(*broadcastable(rng, a)), real(*broadcastable(rng, a)))

    return maker


def along(name):
    fn, count = called(name), (2,) if name.startswith("unsafe") else ()

    def maker(rng):
        x = real(*sizes(rng, 0, 4, 4))
        dim = a_dim(rng, x.dim())
        return (lambda t: fn(t, *count, dim)), (x,)

    return maker


def dropout(name):
    def maker(rng):
        training = rng.random() < 0.5
        return (lambda t: getattr(F, name)(t, 0.5, training)), (real(*sizes(rng, 2, 5, 3)),)

    return maker


def two_dims(name):
    def maker(rng):
        x = real(*sizes(rng, 0, 4, 3))
        a, b = a_dim(rng, x.dim()), a_dim(rng, x.dim())
        return (lambda t: getattr(t, name)(a, b)), (x,)

    return maker


def to_shape(name):
    def maker(rng):
        x = sizes(rng, 0, 3, 3)
        wanted = spoilt(rng, [*sizes(rng, 0, 1, 2), *(rng.choice([s, 3]) if s == 1 else s for s in x)], 0.3)
        if name == "expand_as":
            return (lambda t, o: t.expand_as(o)), (real(*x), real(*wanted))
        return (lambda t: torch.broadcast_to(t, wanted)), (real(*x),)

    return maker


def split_sizes(name):
    def maker(rng):
        x = real(*sizes(rng, 0, 3, 5))
        dim, parts = a_dim(rng, x.dim()), [rng.randint(0, 3) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.6 and -x.dim() <= dim < x.dim():
            parts = [x.shape[dim] - x.shape[dim] // 2, x.shape[dim] // 2]
        return (lambda t: getattr(torch, name)(t, parts, dim)), (x,)

    return maker


def window(name):
    def maker(rng):
        count, periodic = rng.randint(-1, 6), rng.random() < 0.5
        return (lambda t: getattr(torch, name)(count, periodic)), (torch.zeros(1),)

    return maker


def frequencies(name):
    def maker(rng):
        count = rng.randint(1, 7)
        return (lambda t: getattr(torch.fft, name)(count)), (torch.zeros(1),)

    return maker


def logspace(rng):
    count = rng.randint(-1, 5)
    return (lambda t: torch.logspace(0, 1, count)), (torch.zeros(1),)


def shuffled(rng):
    x, groups = real(*sizes(rng, 2, 4, 6)), rng.randint(1, 3)
    return (lambda t: torch.native_channel_shuffle(t, groups)), (x,)


def cross(rng):
    a = sizes(rng, 1, 3, 4)
    dim = rng.choice([-1, a_dim(rng, len(a))])
    a = [3 if place == dim % len(a) and rng.random() < 0.9 else size for place, size in enumerate(a)]
    return (lambda t, o: torch.linalg.cross(t, o, dim=dim)), (real(*a), real(*broadcastable(rng, a)))


def padded_by(rng):
    amounts = [rng.randint(-1, 2) for _ in range(2 * rng.randint(1, 3))]
    return (lambda t: torch.constant_pad_nd(t, amounts)), (real(*sizes(rng, 1, 4, 4)),)


def strided(rng):
    """Sizes and strides of elements that are there: of others, the size of the memory decides."""
    rank = rng.randint(0, 3)
    steps = rank if rng.random() < 0.7 else rng.randint(0, 3)
    shape, steps = sizes(rng, rank, rank, 3), sizes(rng, steps, steps, 3)
    return (lambda t: t.as_strided(shape, steps)), (real(100),)


def index_reduce(rng):
    x, count = sizes(rng, 1, 3, 4), rng.randint(1, 4)
    dim = a_dim(rng, len(x))
    source = [count if place == dim % len(x) else size for place, size in enumerate(x)]
    return (lambda t, i, s: t.index_reduce(dim, i, s, "prod")), (real(*x), ints(count), real(*spoilt(rng, source)))


def isin(rng):
    return torch.isin, (real(*shape(rng)), real(*shape(rng)))


def weight_norm(rng):
    x = sizes(rng, 1, 3, 3)
    dim = rng.choice([0, len(x) - 1])
    g = [size if place == dim % len(x) else 1 for place, size in enumerate(x)]
    return (lambda v, g: torch._weight_norm(v, g, dim)), (real(*x), real(*g))


def padded_sequence(rng):
    first, tail = rng.random() < 0.5, sizes(rng, 0, 2, 3)
    rows = [real(rng.randint(1, 4), *spoilt(rng, tail, 0.1)) for _ in range(rng.randint(1, 3))]
    return (lambda *ts: torch.nn.utils.rnn.pad_sequence(list(ts), first)), tuple(rows)


def elementwise(call):
    return lambda rng: (lambda t: call(t), (real(*shape(rng)),))


def shifted(side):
    def maker(rng):
        a, by = shape(rng), {"left": lambda t, o: t << o, "right": lambda t, o: t >> o}[side]
        return (lambda t, o: by(t, o)), (ints(*a), ints(*broadcastable(rng, a)))

    return maker


def resized(rng):
    wanted = [rng.choice([1, 1, 2, 3, 3, -1]) for _ in range(rng.randint(0, 3))]
    return (lambda t: t.clone().resize_(wanted)), (real(*sizes(rng, 0, 3)),)


def along_dim(fn):
    def maker(rng):
        x = real(*sizes(rng, 1, 4, 4))
        dim = a_dim(rng, x.dim())
        return (lambda t: fn(t, dim)), (x,)

    return maker


WITH_NUMBERS = {
    "alpha_dropout": lambda t: F.alpha_dropout(t, 0.5), "dropout": lambda t: F.dropout(t, 0.5),
    "feature_dropout": lambda t: torch.feature_dropout(t, 0.5, False), "threshold": lambda t: F.threshold(t, 0.1, 2.0),
    "feature_alpha_dropout": lambda t: F.feature_alpha_dropout(t, 0.5), "fill": lambda t: torch.fill(t, 2.0),
    "full_like": lambda t: torch.full_like(t, 2.0), "randint_like": lambda t: torch.randint_like(t, 3),
    "type_as": lambda t: t.type_as(torch.zeros(1)), "polygamma": lambda t: torch.polygamma(1, t),
    "mvlgamma": lambda t: torch.mvlgamma(t + 3, 2),
    "special_multigammaln": lambda t: torch.special.multigammaln(t + 3, 2),
    "special_polygamma": lambda t: torch.special.polygamma(1, t), "geometric": lambda t: t.geometric_(0.5),
    "rlshift": lambda t: 3 << t.long(), "rrshift": lambda t: 3 >> t.long(),
    "frobenius_norm": lambda t: torch.frobenius_norm(t, ()),
    "triu_indices": lambda t: torch.triu_indices(3, 4), "new_tensor": lambda t: t.new_tensor([[1.0, 2.0]]),
    "data": lambda t: t.data, "share_memory": lambda t: t.share_memory_(), "type": lambda t: t.type(torch.float64),
    "empty_strided": lambda t: torch.empty_strided((2, 3), (3, 1)), "scalar_tensor": lambda t: torch.scalar_tensor(2.0),
    "new_empty_strided": lambda t: t.new_empty_strided((2, 3), (3, 1)),
}  # fmt: skip

NEVER_REFUSED = {name: unary(name) for name in UNARY}
MAKERS = {
    **{name: binary(name) for name in BINARY}, **{name: binary(name, ints) for name in OF_INTS},
    **{name: binary(name, lambda *s: torch.ones(s, dtype=torch.int64)) for name in INTO_THE_FIRST},
    **{name: ternary(name) for name in TERNARY}, **{name: along(name) for name in ALONG},
    **{name: square(called(name)) for name in SQUARE if name != "eig"}, "eig": square(torch.linalg.eig),
    "dropout1d": dropout("dropout1d"),
    **{name: two_dims(name) for name in ("swapaxes", "swapdims", "moveaxis")},
    **{name: to_shape(name) for name in ("expand_as", "broadcast_to")},
    **{name: split_sizes(name) for name in ("split_with_sizes", "unsafe_split_with_sizes")},
    **{f"{name}_window": window(f"{name}_window") for name in ("bartlett", "blackman", "hamming", "kaiser")},
    **{name: joined(getattr(torch, name), 0, 3) for name in ("concat", "concatenate", "row_stack")},
    "logspace": logspace, "native_channel_shuffle": shuffled, "cross_at": cross, "constant_pad_nd": padded_by,
    "as_strided": strided, "index_reduce": index_reduce, "pad_sequence": padded_sequence,
    "vdot": of(torch.vdot, lambda n, m, p, b: [n], lambda n, m, p, b: [n]),
    "ger": of(torch.ger, lambda n, m, p, b: [n], lambda n, m, p, b: [m]),
    "linalg_matmul": of(torch.linalg.matmul, lambda n, m, p, b: [b, n, m], lambda n, m, p, b: [m, p]),
    "rmatmul": of(lambda a, b: b.__rmatmul__(a), lambda n, m, p, b: [n, m], lambda n, m, p, b: [m, p]),
    "chain_matmul": of(
        lambda a, b, c: torch.chain_matmul(a, b, c),
        lambda n, m, p, b: [n, m], lambda n, m, p, b: [m, p], lambda n, m, p, b: [p, b],
    ),
}  # fmt: skip
MAKERS |= {
    "copy": lambda rng: (lambda a: ((lambda t, o: t.copy_(o)), (real(*a), real(*broadcastable(rng, a)))))(shape(rng)),
    **{f"bitwise_{side}": shifted(side) for side in ("left", "right")}, "resize": resized,
    **{name: fourier(name, False) for name in ("ifft2", "hfft2", "ihfft2", "hfftn", "ihfftn")},
    "ifftshift": along_dim(torch.fft.ifftshift), "nanquantile": along_dim(lambda t, d: torch.nanquantile(t, 0.5, d)),
    "trapz": along_dim(lambda t, d: torch.trapz(t, dim=d)), "tril": each(lambda t: t.tril(-1), 0, 3),
    "matrix_power_": square(lambda t: torch.matrix_power(t, 2)), "cholesky_inverse": square(torch.cholesky_inverse),
    "cond": each(torch.linalg.cond, 1, 4),
    "linalg_diagonal": each(torch.linalg.diagonal, 1, 4), "mH": each(lambda t: t.mH, 0, 4),
    "pinverse": each(torch.pinverse, 1, 4), "qr": each(torch.qr, 1, 4), "corrcoef": each(torch.corrcoef, 0, 3),
    "is_nonzero": lambda rng: ((lambda t: (torch.is_nonzero(t), t)[1]), (real(*rng.choice([[], [1], [1, 1], [2]])),)),
    "nuclear_norm": each(torch.nuclear_norm, 1, 3),
}  # fmt: skip
NEVER_REFUSED |= {
    **{name: elementwise(call) for name, call in WITH_NUMBERS.items()},
    "bitwise_not": lambda rng: (torch.bitwise_not, (ints(*shape(rng)),)),
    "dropout2d": dropout("dropout2d"), "dropout3d": dropout("dropout3d"), "isin": isin, "weight_norm": weight_norm,
    "fftfreq": frequencies("fftfreq"), "rfftfreq": frequencies("rfftfreq"),
}  # fmt: skip
