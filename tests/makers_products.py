"""Random arguments for products, linear algebra, transforms, and what arranges tensors."""

import itertools

import torch
import torch.nn.functional as F

from makers import a_dim, broadcastable, ints, real, sizes, spoilt


def of(fn, *shapes):
    """A function of tensors whose shapes, computed from three random sizes, are now and then spoilt."""

    def make(rng):
        n, m, p, b = (rng.randint(1, 4) for _ in range(4))
        made = [real(*spoilt(rng, shape(n, m, p, b))) for shape in shapes]
        return fn, tuple(made)

    return make


def each(fn, low=0, high=4):
    """A function of one tensor of any rank within reach."""
    return lambda rng: (fn, (real(*sizes(rng, low, high)),))


def pair(fn, low=0, high=3):
    """A function of a tensor and another that mostly broadcasts with it."""

    def make(rng):
        x = sizes(rng, low, high, 3)
        return fn, (real(*x), real(*broadcastable(rng, x)))

    return make


EQUATIONS = (
    "ij,jk->ik", "bij,bjk->bik", "ij->ji", "ii->i", "ii", "ij,ij->", "i,j->ij", "bhqd,bhkd->bhqk", "...ij,...jk->...ik",
    "ij,jk", "b...d,dk->b...k", "abc,cd,de->abe", "ij,ik->ij", "i,i->", "...i,...i->...", "nchw,cv->nvhw", "ij->",
)  # fmt: skip


def einsum(rng):
    equation = rng.choice(EQUATIONS)
    size = {letter: rng.randint(1, 4) for letter in "abcdehijknpqvw"}
    lead = sizes(rng, 0, 2, 3)
    made = []
    for term in equation.split("->")[0].split(","):
        before, dots, after = term.partition("...")
        shape = [size[x] for x in before] + (broadcastable(rng, lead) if dots else []) + [size[x] for x in after]
        made.append(real(*spoilt(rng, shape, 0.08)))
    return (lambda *ts: torch.einsum(equation, *ts)), tuple(made)


def tensordot(rng):
    a, b = sizes(rng, 1, 3, 3), sizes(rng, 1, 3, 3)
    count = rng.randint(0, 2)
    dims = rng.choice([count, ([rng.randint(-3, 2) for _ in range(count)], [rng.randint(-3, 2) for _ in range(count)])])
    if rng.random() < 0.7 and isinstance(dims, int):
        b[:dims] = a[len(a) - dims :]
    return (lambda x, y: torch.tensordot(x, y, dims)), (real(*a), real(*b))


def square(fn):
    def make(rng):
        n = rng.randint(1, 4)
        x = torch.eye(n).expand(*sizes(rng, 0, 2, 3), n, n).clone() * 2
        if rng.random() < 0.25:
            x = real(*rng.choice([[n, n + 1], [n], [2, n + 1, n]]))
        return fn, (x,)

    return make


def solve(rng):
    n, lead = rng.randint(1, 4), sizes(rng, 0, 2, 3)
    a = torch.eye(n).expand(*lead, n, n).clone()
    b = rng.choice([[*lead, n, 2], [n, 2], [n], [*lead, n]])
    left = rng.random() < 0.8
    return (lambda x, y: torch.linalg.solve(x, y, left=left)), (a, real(*spoilt(rng, b, 0.3)))


def triangular(rng):
    n, lead = rng.randint(1, 4), sizes(rng, 0, 2, 3)
    b = [*broadcastable(rng, lead), n, 2] if rng.random() < 0.7 else spoilt(rng, [*lead, n, 2], 0.8)
    fn = torch.linalg.solve_triangular
    return (lambda x, y: fn(x, y, upper=True)), (torch.eye(n).expand(*lead, n, n).clone(), real(*b))


def cross(rng):
    x = [*sizes(rng, 0, 2, 3), 3]
    return torch.linalg.cross, (real(*x), real(*spoilt(rng, x, 0.4)))


def multi_dot(rng):
    ends = [rng.randint(1, 4) for _ in range(rng.randint(2, 5))]
    made = [real(*spoilt(rng, [a, b], 0.08)) for a, b in itertools.pairwise(ends)]
    return (lambda *ts: torch.linalg.multi_dot(ts)), tuple(made)


def fourier(name, one=True):
    def make(rng):
        x = real(*sizes(rng, 0 if rng.random() < 0.1 else 1, 3, 5))
        if name.startswith(("i", "h")) and not name.startswith("ih") and rng.random() < 0.5:
            x = torch.complex(x, x)
        fn = getattr(torch.fft, name)
        if one:
            n, dim = rng.choice([None, None, 1, 2, 5, 0]), a_dim(rng, x.dim())
            return (lambda t: fn(t, n, dim)), (x,)
        dim = rng.choice([None, (-1,), (-2, -1), (0, 1), (0, 0)]) if name.endswith("n") else (-2, -1)
        s = rng.choice([None, None, [3] * len(dim) if dim else [2], [2, 4]])
        return (lambda t: fn(t, s, dim)), (x,)

    return make


def stft(rng):
    n_fft, hop = rng.randint(1, 16), rng.choice([None, 1, 3, 4, 0])
    x = real(*sizes(rng, 0, 2, 3)[:1], rng.randint(1, 40))
    if rng.random() < 0.1:
        x = real(2, 2, 20)
    window = torch.ones(n_fft + (rng.random() < 0.1))
    center, sided = rng.random() < 0.7, rng.choice([None, True, False])
    fn = torch.stft
    return (lambda t, w: fn(t, n_fft, hop, window=w, center=center, onesided=sided, return_complex=True)), (x, window)


def istft(rng):
    n_fft, frames = rng.choice([4, 6, 8, 16]), rng.randint(2, 8)
    x = torch.fft.rfft(torch.ones(*sizes(rng, 0, 1, 3), frames, n_fft)).transpose(-1, -2)
    if rng.random() < 0.2:
        x = x[..., :-1, :]
    window = torch.ones(n_fft + (rng.random() < 0.1))
    length = rng.choice([None, None, n_fft])
    return (lambda t, w: torch.istft(t, n_fft, window=w, length=length)), (x, window)


def joined(fn, low, high):
    def make(rng):
        base = sizes(rng, low, high, 3)
        made = [real(*spoilt(rng, base, 0.2)) for _ in range(rng.randint(1, 3))]
        return (lambda *ts: fn(ts)), tuple(made)

    return make


def meshgrid(rng):
    made = [real(*sizes(rng, 0 if rng.random() < 0.3 else 1, 1 if rng.random() < 0.9 else 2)) for _ in range(3)]
    indexing = rng.choice(["ij", "xy"])
    return (lambda *ts: torch.meshgrid(*ts, indexing=indexing)), tuple(made[: rng.randint(1, 3)])


def roll(rng):
    x = real(*sizes(rng, 0, 3))
    count = rng.randint(1, 2)
    shifts = tuple(rng.randint(-3, 3) for _ in range(count))
    dims = rng.choice([None, tuple(a_dim(rng, x.dim()) for _ in range(rng.randint(1, 2)))])
    return (lambda t: torch.roll(t, shifts if count > 1 else shifts[0], dims)), (x,)


def rot90(rng):
    x, k = real(*sizes(rng, 0, 3)), rng.randint(-2, 3)
    dims = tuple(a_dim(rng, x.dim()) for _ in range(2 if rng.random() < 0.9 else 1))
    return (lambda t: torch.rot90(t, k, dims)), (x,)


def diagonal(name):
    def make(rng):
        x, k = real(*sizes(rng, 0, 3)), rng.randint(-3, 3)
        if name in ("diag", "diagflat"):
            return (lambda t: getattr(torch, name)(t, k)), (x,)
        a, b = a_dim(rng, max(x.dim(), 2)), a_dim(rng, max(x.dim(), 2))
        if name == "diagonal_scatter":
            length = (
                max(0, min(x.shape[0], x.shape[1] - k) if k >= 0 else min(x.shape[0] + k, x.shape[1]))
                if x.dim() > 1
                else 1
            )
            return (lambda t, s: torch.diagonal_scatter(t, s, k)), (x, real(*spoilt(rng, [*x.shape[2:], length])))
        return (lambda t: getattr(torch, name)(t, k, a, b)), (x,)

    return make


def unflatten(rng):
    x = real(*(rng.choice([1, 2, 4, 6, 12]) for _ in range(rng.randint(0, 3))))
    dim = a_dim(rng, x.dim())
    parts = tuple(rng.choice([-1, 1, 2, 2, 3]) for _ in range(rng.randint(1, 3)))
    return (lambda t: t.unflatten(dim, parts)), (x,)


def like(name):
    def make(rng):
        x = [rng.choice([1, 2, 3, 4]) for _ in range(rng.randint(0, 3))]
        y = x[::-1] if rng.random() < 0.7 else spoilt(rng, x, 1)
        return (lambda t, o: getattr(t, name)(o)), (real(*x), real(*y))

    return make


def cut(name):
    def make(rng):
        x = real(*sizes(rng, 0, 3, 6))
        wanted = rng.choice([rng.randint(0, 4), [rng.randint(-2, 5) for _ in range(rng.randint(0, 2))]])
        if name == "tensor_split":
            dim = a_dim(rng, x.dim())
            return (lambda t: t.tensor_split(wanted, dim)), (x,)
        return (lambda t: getattr(torch, name)(t, wanted)), (x,)

    return make


def sum_to_size(rng):
    x = sizes(rng, 0, 3, 3)
    return (lambda t, o: t.sum_to_size(o.shape)), (real(*x), real(*broadcastable(rng, x)))


def combinations(rng):
    r, again = rng.randint(-1, 3), rng.random() < 0.5
    return (lambda t: torch.combinations(t, r, again)), (real(*sizes(rng, 1, 1 if rng.random() < 0.9 else 2)),)


def as_complex(rng):
    x = real(*sizes(rng, 0, 3), 2 if rng.random() < 0.8 else 3)
    if rng.random() < 0.2:
        x = x.transpose(0, -1)
    return torch.view_as_complex, (x,)


DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.int8, torch.int32, torch.bool]


def other_dtype(rng):
    x = torch.zeros([rng.choice([0, 1, 2, 4, 6, 8]) for _ in range(rng.randint(0, 3))], dtype=rng.choice(DTYPES))
    dtype = rng.choice(DTYPES)
    return (lambda t: t.view(dtype)), (x.transpose(0, -1) if x.dim() and rng.random() < 0.2 else x,)


def vander(rng):
    powers, up = rng.choice([None, -1, 0, 1, 3]), rng.random() < 0.5
    return (lambda t: torch.vander(t, powers, up)), (real(*sizes(rng, 1, 1 if rng.random() < 0.8 else 2)),)


def complex_part(fn):
    def make(rng):
        x = real(*sizes(rng, 0, 3))
        return fn, (torch.complex(x, x) if rng.random() < 0.7 else x,)

    return make


def glu(rng):
    x = real(*sizes(rng, 0, 3, 6))
    dim = a_dim(rng, x.dim())
    return (lambda t: F.glu(t, dim)), (x,)


def along(fn):
    def make(rng):
        x = real(*sizes(rng, 0, 3))
        dim = a_dim(rng, x.dim())
        return (lambda t: fn(t, dim)), (x,)

    return make


def prelu(rng):
    x = sizes(rng, 0, 3)
    slopes = rng.choice([[1], [x[1]] if len(x) > 1 else [1], [3], [2, 2], []])
    return F.prelu, (real(*x), real(*slopes))


MAKERS = {
    "einsum": einsum, "tensordot": tensordot, "linalg_solve": solve, "solve_triangular": triangular, "cross": cross,
    "mm": of(torch.mm, lambda n, m, p, b: [n, m], lambda n, m, p, b: [m, p]),
    "bmm": of(torch.bmm, lambda n, m, p, b: [b, n, m], lambda n, m, p, b: [b, m, p]),
    "mv": of(torch.mv, lambda n, m, p, b: [n, m], lambda n, m, p, b: [m]),
    "dot": of(torch.dot, lambda n, m, p, b: [n], lambda n, m, p, b: [n]),
    "outer": of(torch.outer, lambda n, m, p, b: [n], lambda n, m, p, b: [m]),
    "inner": of(torch.inner, lambda n, m, p, b: [b, m], lambda n, m, p, b: [n, m]),
    "addmm": of(torch.addmm, lambda n, m, p, b: [p], lambda n, m, p, b: [n, m], lambda n, m, p, b: [m, p]),
    "addmv": of(torch.addmv, lambda n, m, p, b: [n], lambda n, m, p, b: [n, m], lambda n, m, p, b: [m]),
    "addr": of(torch.addr, lambda n, m, p, b: [n, m], lambda n, m, p, b: [n], lambda n, m, p, b: [m]),
    "baddbmm": of(torch.baddbmm, lambda n, m, p, b: [n, p], lambda n, m, p, b: [b, n, m], lambda n, m, p, b: [b, m, p]),
    "addbmm": of(torch.addbmm, lambda n, m, p, b: [n, p], lambda n, m, p, b: [b, n, m], lambda n, m, p, b: [b, m, p]),
    "cdist": of(torch.cdist, lambda n, m, p, b: [b, n, m], lambda n, m, p, b: [b, p, m]),
    "bilinear": of(F.bilinear, lambda n, m, p, b: [b, n], lambda n, m, p, b: [b, m], lambda n, m, p, b: [p, n, m]),
    "pdist": each(F.pdist, 1, 3), "vecdot": pair(torch.linalg.vecdot), "multi_dot": multi_dot,
    "block_diag": joined(lambda ts: torch.block_diag(*ts), 0, 3),
    **{f"linalg_{n}": square(getattr(torch.linalg, n)) for n in ("inv", "cholesky", "det", "eigvalsh", "matrix_exp")},
    "linalg_inv_ex": square(torch.linalg.inv_ex), "linalg_eigh": square(torch.linalg.eigh),
    "linalg_slogdet": square(torch.linalg.slogdet), "logdet": square(torch.logdet),
    "matrix_power": square(lambda t: torch.linalg.matrix_power(t, 3)),
    **{f"linalg_{n}": each(getattr(torch.linalg, n), 1, 4) for n in ("svdvals", "svd", "qr", "pinv", "matrix_rank")},
    "svd": each(torch.svd, 1, 4), "svd_reduced": each(lambda t: torch.linalg.svd(t, full_matrices=False), 1, 4),
    "cov": each(torch.cov), "vander": vander, "view_dtype": other_dtype,
    "linalg_vander": each(torch.linalg.vander, 0, 2),
    "cholesky_solve": of(torch.cholesky_solve, lambda n, m, p, b: [n, p], lambda n, m, p, b: [n, n]),
    **{n: fourier(n) for n in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{n: fourier(n, False) for n in ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "rfft2", "irfft2")},
    "fftshift": along(torch.fft.fftshift), "stft": stft, "istft": istft,
    "hstack": joined(torch.hstack, 0, 3), "vstack": joined(torch.vstack, 0, 3), "dstack": joined(torch.dstack, 0, 3),
    "column_stack": joined(torch.column_stack, 0, 3), "meshgrid": meshgrid, "roll": roll, "rot90": rot90,
    "cartesian_prod": joined(lambda ts: torch.cartesian_prod(*ts), 1, 2), "combinations": combinations,
    "broadcast_tensors": pair(lambda a, b: torch.broadcast_tensors(a, b)),
    **{n: diagonal(n) for n in ("diag", "diagonal", "diag_embed", "diagonal_scatter")},
    "unflatten": unflatten, "view_as": like("view_as"), "reshape_as": like("reshape_as"),
    **{n: cut(n) for n in ("tensor_split", "hsplit", "vsplit", "dsplit")}, "sum_to_size": sum_to_size,
    "fliplr": each(torch.fliplr), "flipud": each(torch.flipud), "view_as_complex": as_complex,
    "view_as_real": complex_part(torch.view_as_real), "imag": complex_part(torch.imag), "glu": glu, "prelu": prelu,
    "normalize": along(lambda t, dim: F.normalize(t, 2.0, dim)),
    "gumbel_softmax": along(lambda t, dim: F.gumbel_softmax(t, dim=dim)),
}  # fmt: skip

NEVER_REFUSED = {
    "kron": lambda rng: (torch.kron, (real(*sizes(rng, 0, 3)), real(*sizes(rng, 0, 3)))),
    "ravel": each(torch.ravel), "resize_as": lambda rng: (
        (lambda t, o: t.clone().resize_as_(o)), (real(*sizes(rng, 0, 3)), real(*sizes(rng, 0, 3)))
    ),
    "diagflat": diagonal("diagflat"), "norm_except_dim": each(lambda t: torch.norm_except_dim(t, 2, 0), 1, 3),
    **{f"atleast_{n}d": each(getattr(torch, f"atleast_{n}d")) for n in (1, 2, 3)},
    "one_hot_of_letters": lambda rng: ((lambda t: F.one_hot(t, 4)), (ints(*sizes(rng, 0, 3)),)),
}  # fmt: skip
