"""Random arguments for factorisations, least squares, areas under curves, and the rarer forms of common operations."""

import torch
import torch.nn.functional as F

from makers import a_dim, broadcastable, ints, real, sizes, spoilt
from makers_products import each, of, pair, square

L = torch.linalg


def tall(*lead, wide=0):
    """Matrices of full rank."""
    n = lead[-1] if lead else 2
    return torch.eye(n + wide, n).expand(*lead[:-1], n + wide, n).clone()


def lu_unpack(rng):
    m, n, lead = rng.randint(1, 4), rng.randint(1, 4), sizes(rng, 0, 2, 3)
    data, swaps = rng.random() < 0.8, rng.random() < 0.8
    x = [*lead, m, n] if rng.random() < 0.8 else [m]
    pivots = torch.ones([*lead, min(m, n)], dtype=torch.int32)
    return (lambda a, p: torch.lu_unpack(a, p, data, swaps)), (real(*x), pivots)


def right_sides(rng, lead, n):
    return real(*spoilt(rng, [*broadcastable(rng, lead), n, 2], 0.3))


def lu_solve(rng):
    n, lead = rng.randint(1, 4), sizes(rng, 0, 2, 3)
    pivots = torch.ones((*lead, n), dtype=torch.int32)
    return (lambda b, a, p: L.lu_solve(a, p, b)), (right_sides(rng, lead, n), tall(*lead, n), pivots)


def ldl_solve(rng):
    """With the pivots that belong to the matrix, and no batch: of others PyTorch reads past the end."""
    n = rng.randint(1, 4)
    b = real(*rng.choice([[n, 2], [n, 2], [n + 1, 2]]))
    return (lambda b, a: L.ldl_solve(*L.ldl_factor(a), b)), (b, torch.eye(n))


def householder(rng):
    lead, n = sizes(rng, 0, 2, 3), rng.randint(1, 4)
    x = [*lead, n + rng.randint(-1, 2), n]
    return L.householder_product, (real(*x), real(*spoilt(rng, [*lead, rng.randint(1, n)], 0.2)))


def ormqr(rng):
    lead, m, left = sizes(rng, 0, 2, 3), rng.randint(1, 4), rng.random() < 0.6
    k = rng.randint(1, m)
    other = [*lead, m, 3] if left else [*lead, 3, m]
    return (lambda a, t, c: torch.ormqr(a, t, c, left)), (
        real(*lead, m, k), real(*spoilt(rng, [*lead, k], 0.1)), real(*spoilt(rng, other)),
    )  # fmt: skip


def lstsq(rng):
    lead, n, wide = sizes(rng, 0, 2, 3), rng.randint(1, 4), rng.randint(0, 2)
    b = [*lead, n + wide, 2] if rng.random() < 0.7 else [*lead, n + wide]
    b = spoilt(rng, b, 0.3) if len(b) == len(lead) + 1 else [*lead, n + wide + (rng.random() < 0.3), 2]
    return L.lstsq, (tall(*lead, n, wide=wide), real(*b))


def tensorinv(rng):
    a, b = rng.randint(1, 3), rng.randint(1, 3)
    shape, at = rng.choice([((a, b, a * b), 2), ((a * b, a, b), 1), ((a, b, a * b), 1), ((a, b, a * b + 1), 2)])
    size = a * b
    whole = torch.eye(size).reshape(shape) if shape.count(size + 1) == 0 else real(*shape)
    return (lambda t: L.tensorinv(t, ind=at)), (whole,)


def tensorsolve(rng):
    a, b = rng.randint(1, 3), rng.randint(1, 3)
    return L.tensorsolve, (torch.eye(a * b).reshape(a, b, a * b), real(*spoilt(rng, [a, b], 0.3)))


def under_a_curve(name):
    def make(rng):
        y = sizes(rng, 0, 3, 4)
        dim = a_dim(rng, len(y))
        fn = getattr(torch, name)
        if not y or rng.random() < 0.4 or not -len(y) <= dim < len(y):
            return (lambda t: fn(t, dim=dim)), (real(*y),)
        x = rng.choice([[y[dim]], spoilt(rng, [y[dim]], 0.5)])
        return (lambda t, p: fn(t, p, dim=dim)), (real(*y), real(*(x if len(x) < 2 else x[:1])))

    return make


def gradient(rng):
    x = real(*sizes(rng, 1, 3, 5, 2 if rng.random() < 0.8 else 1))
    dim = rng.choice([None, a_dim(rng, x.dim()), tuple(range(x.dim()))])
    order = rng.choice([1, 1, 2])
    if rng.random() < 0.3 and dim is not None and not isinstance(dim, int):
        steps = [1.0] * (x.dim() + (rng.random() < 0.3))
        return (lambda t: torch.gradient(t, spacing=steps, dim=dim, edge_order=order)), (x,)
    return (lambda t: torch.gradient(t, dim=dim, edge_order=order)), (x,)


def histogram(rng):
    x = real(*sizes(rng, 0, 3))
    if rng.random() < 0.5:
        edges = torch.arange(float(rng.randint(1, 5)))
        return torch.histogram, (x, edges if rng.random() < 0.8 else edges.reshape(1, -1))
    bins = rng.randint(-1, 5)
    return (lambda t: torch.histogram(t, bins)), (x,)


def empty_permuted(rng):
    shape = sizes(rng, 1, 3)
    order = rng.sample(range(len(shape)), len(shape))
    if rng.random() < 0.3:
        order[0] = rng.choice([order[-1], 5]) if len(order) > 1 else 1
    return (lambda t: torch.empty_permuted(shape, order)), (torch.zeros(1),)


def linear_cross_entropy(rng):
    n, d, c = rng.randint(1, 4), rng.randint(1, 4), rng.randint(2, 4)
    how = rng.choice(["none", "mean", "sum"])
    fn = F.linear_cross_entropy
    return (lambda x, w, y: fn(x, w, y, reduction=how)), (
        real(*spoilt(rng, [n, d])), real(c, d), ints(*spoilt(rng, [n])),
    )  # fmt: skip


def fractional(axes):
    def make(rng):
        x = real(*spoilt(rng, [1, 2, *sizes(rng, axes, axes, 9, 3)], 0.1))
        k, size = rng.randint(1, 3), rng.randint(1, 4)
        fn = getattr(F, f"fractional_max_pool{axes}d")
        return (lambda t: fn(t, k, output_size=size, return_indices=True)), (x,)

    return make


def split_by_places(rng):
    x, count = real(*sizes(rng, 0, 3, 6)), rng.randint(0, 3)
    dim = a_dim(rng, x.dim())
    places = torch.tensor(sorted(rng.randint(0, 4) for _ in range(count)), dtype=torch.int64)
    if rng.random() < 0.1:
        places = places.reshape(1, -1)
    return (lambda t: torch.tensor_split(t, places, dim)), (x,)


def weighted_cov(rng):
    x = sizes(rng, 1, 2, 4, 2)
    weights = spoilt(rng, [x[-1]], 0.4)
    name = rng.choice(["fweights", "aweights"])
    made = torch.ones(weights, dtype=torch.int64 if name == "fweights" else torch.float32)
    return (lambda t, w: torch.cov(t, **{name: w})), (real(*x), made)


def native_layer_norm(rng):
    x = sizes(rng, 1, 4)
    wanted = tuple(spoilt(rng, x[-rng.randint(1, len(x)) :], 0.3))
    return (lambda t: torch.native_layer_norm(t, wanted, None, None, 1e-5)), (real(*x),)


def native_group_norm(rng):
    n, c, space, groups = rng.randint(1, 3), rng.choice([2, 4, 6]), rng.randint(2, 4), rng.randint(1, 3)
    return (lambda t: torch.native_group_norm(t, None, None, n, c, space, groups, 1e-5)), (real(n, c, space),)


def native_batch_norm(rng):
    c, training = rng.randint(1, 4), rng.random() < 0.5
    x, m = real(3, c, 2), real(c)  # of another size PyTorch reads past the end
    return (lambda t, a: torch.native_batch_norm(t, None, None, a, a, training, 0.1, 1e-5)), (x, m)


def masked_fill(rng):
    x = sizes(rng, 0, 3, 3)
    mask, value = torch.zeros(broadcastable(rng, x), dtype=torch.bool), real(*rng.choice([[], [], [1], [2]]))
    return (lambda t, m, v: t.masked_fill(m, v)), (real(*x), mask, value)


def number(fn):
    """What only a tensor of one number has an answer to."""
    return lambda rng: ((lambda t: (fn(t), t)[1]), (real(*rng.choice([[], [1], [1, 1], [2], [2, 3], [0]])),))


def with_dims(name):
    def make(rng):
        x = real(*sizes(rng, 0, 3, 3))
        a, b = a_dim(rng, x.dim()), a_dim(rng, x.dim())
        given = {"permute_copy": ([a, b, 0][: x.dim()],), "transpose_copy": (a, b), "diagonal_copy": (0, a, b),
                 "unfold_copy": (a, 2, 1), "select_copy": (a, 0), "split_copy": (2, a),
                 "view_copy": ([-1],), "expand_copy": ([2, *x.shape] if a else [3],),
                 "as_strided_copy": ([1], [1] if a else [1, 1]), "narrow_copy": (a, 0, 2),
                 "split_with_sizes_copy": ([1, 2], a)}.get(name, (a,))  # fmt: skip
        return (lambda t: getattr(torch, name)(t, *given)), (x,)

    return make


COPIES = """permute_copy transpose_copy diagonal_copy unfold_copy select_copy split_copy view_copy expand_copy
as_strided_copy squeeze_copy unsqueeze_copy unbind_copy narrow_copy split_with_sizes_copy""".split()

MAKERS = {
    "linalg_lu": each(L.lu, 1, 4), "linalg_lu_factor": each(L.lu_factor, 1, 4), "geqrf": each(torch.geqrf, 1, 4),
    "linalg_lu_factor_ex": each(L.lu_factor_ex, 1, 4), "lu_unpack": lu_unpack,
    "linalg_lu_solve": lu_solve, "linalg_ldl_solve": ldl_solve,
    "linalg_ldl_factor": square(L.ldl_factor), "linalg_ldl_factor_ex": square(L.ldl_factor_ex),
    "linalg_solve_ex": of(L.solve_ex, lambda n, m, p, b: [n, n], lambda n, m, p, b: [n, p]),
    "triangular_solve": of(torch.triangular_solve, lambda n, m, p, b: [n, p], lambda n, m, p, b: [n, n]),
    "householder": householder, "ormqr": ormqr, "lstsq": lstsq, "tensorinv": tensorinv, "tensorsolve": tensorsolve,
    "trapezoid_at": under_a_curve("trapezoid"), "cumulative_trapezoid_at": under_a_curve("cumulative_trapezoid"),
    "gradient": gradient, "histogram": histogram, "empty_permuted": empty_permuted, "dist": pair(torch.dist),
    "linear_cross_entropy": linear_cross_entropy, "split_by_places": split_by_places, "weighted_cov": weighted_cov,
    **{f"fractional_max_pool{n}d_indices": fractional(n) for n in (2, 3)},
    "native_layer_norm": native_layer_norm, "native_group_norm": native_group_norm,
    "masked_fill_with": masked_fill,
    "renorm": lambda rng: ((lambda d: lambda t: torch.renorm(t, 2, d, 1.0))(rng.randint(-3, 2)),
                           (real(*sizes(rng, 0, 3)),)),
    "t": each(torch.t), "adjoint": each(torch.adjoint), "H": each(lambda t: t.H), "mT": each(lambda t: t.mT),
    "item": number(lambda t: t.item()), "truth": number(bool), "as_float": number(float),
    "nonzero_static": lambda rng: ((lambda n: lambda t: torch.nonzero_static(t, size=n))(rng.randint(-1, 4)),
                                   (real(*sizes(rng, 0, 3)),)),
    **{name: with_dims(name) for name in COPIES if name not in ("view_copy", "unsqueeze_copy")},
}  # fmt: skip

NEVER_REFUSED = {
    "native_batch_norm": native_batch_norm,
    "T": each(lambda t: t.T), "frexp": each(torch.frexp), "view_copy": with_dims("view_copy"),
    "unsqueeze_copy": with_dims("unsqueeze_copy"),
    "unravel_index": lambda rng: ((lambda t: torch.unravel_index(t, (3, 4))), (ints(*sizes(rng, 0, 3)),)),
    "old_lu": each(torch.lu, 2, 4), "chebyshev": each(lambda t: torch.special.chebyshev_polynomial_t(t, 2)),
    "old_lu_solve": lambda rng: (torch.lu_solve, (real(3, 2), torch.eye(3), torch.ones(3, dtype=torch.int32))),
    "t_copy": each(torch.t_copy, 0, 2),
}  # fmt: skip
