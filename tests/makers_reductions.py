"""Random arguments for reductions, sorting, gathering, scattering and counting."""

import torch

from makers import a_dim, broadcastable, ints, real, sizes, spoilt


def some_dims(rng, rank):
    return rng.choice([None, a_dim(rng, rank), a_dim(rng, rank), (a_dim(rng, rank), a_dim(rng, rank)), ()])


def reduced(fn, many=True, none=True, empty=True):
    """A reduction over no, one or several dims."""

    def make(rng):
        x = real(*sizes(rng, 0, 4, 3, 0 if empty and rng.random() < 0.1 else 1))
        dim, keep = some_dims(rng, x.dim()), rng.random() < 0.5
        if isinstance(dim, tuple) and not many:
            dim = a_dim(rng, x.dim())
        if dim is None and not none:
            dim = a_dim(rng, x.dim())
        return (lambda t: fn(t) if dim is None else fn(t, dim, keepdim=keep)), (x,)

    return make


def along(fn, least=0, make_extra=lambda rng, x: ()):
    """A function of a tensor and a dim, and perhaps of more."""

    def make(rng):
        x = real(*sizes(rng, least, 4, 4))
        dim, extra = a_dim(rng, x.dim()), make_extra(rng, x)
        return (lambda t: fn(t, dim, *extra)), (x,)

    return make


def extreme(name):
    def make(rng):
        kind = rng.randrange(3)
        x = real(*sizes(rng, 0, 3, 3, 0 if rng.random() < 0.1 else 1))
        if kind == 0:
            return (lambda t: getattr(torch, name)(t)), (x,)
        if kind == 1:
            return getattr(torch, name), (x, real(*broadcastable(rng, x.shape)))
        dim, keep = a_dim(rng, x.dim()), rng.random() < 0.5
        return (lambda t: getattr(torch, name)(t, dim, keepdim=keep)), (x,)

    return make


def counted_from_top(name):
    def make(rng):
        x = real(*sizes(rng, 0, 3, 4))
        k, dim = rng.randint(0, 5), a_dim(rng, x.dim())
        return (lambda t: getattr(torch, name)(t, k, dim)), (x,)

    return make


def vector_norm(rng):
    x = real(*sizes(rng, 0, 3, 3))
    order, dim, keep = rng.choice([2, 1, 3, float("inf")]), some_dims(rng, x.dim()), rng.random() < 0.5
    return (lambda t: torch.linalg.vector_norm(t, order, dim, keep)), (x,)


def any_norm(rng):
    x = real(*sizes(rng, 0, 4, 3))
    order, dim = rng.choice([None, None, 1, 2]), rng.choice([None, a_dim(rng, x.dim()), (-2, -1), (0, 1)])
    return (lambda t: torch.linalg.norm(t, order, dim)), (x,)


def old_norm(rng):
    x = real(*sizes(rng, 0, 3, 3))
    p, dim, keep = rng.choice([2, 1, "fro"]), rng.choice([None, a_dim(rng, x.dim())]), rng.random() < 0.5
    return (lambda t: torch.norm(t, p, dim, keep)), (x,)


def quantile(rng):
    x = real(*sizes(rng, 0, 3, 3))
    dim, keep = rng.choice([None, a_dim(rng, x.dim())]), rng.random() < 0.5
    q = rng.choice([0.5, torch.rand(3), torch.rand(()), torch.rand(2, 2)])
    return (lambda t: torch.quantile(t, q, dim, keep)), (x,)


def diff(rng):
    x = real(*sizes(rng, 0, 3, 4))
    n, dim = rng.randint(-1, 4), a_dim(rng, x.dim())
    return (lambda t: torch.diff(t, n, dim)), (x,)


def gather(rng):
    x = real(*sizes(rng, 1, 3, 4))
    dim = a_dim(rng, x.dim())
    at = [rng.randint(1, s) for s in x.shape]
    if -x.dim() <= dim < x.dim():
        at[dim] = rng.randint(1, 6)
    return (lambda t, i: torch.gather(t, dim, i)), (x, ints(*spoilt(rng, at)))


def scatter(name):
    def make(rng):
        x = real(*sizes(rng, 1, 3, 4))
        dim = a_dim(rng, x.dim())
        at = [rng.randint(1, s) for s in x.shape]
        index = spoilt(rng, at)
        source = spoilt(rng, [s + rng.randint(0, 1) for s in index])
        if name == "scatter" and rng.random() < 0.3:
            return (lambda t, i: t.scatter(dim, i, 1.0)), (x, ints(*index))
        extra = ("sum",) if name == "scatter_reduce" else ()
        return (lambda t, i, s: getattr(t, name)(dim, i, s, *extra)), (x, ints(*index), real(*source))

    return make


def take_along_dim(rng):
    x = real(*sizes(rng, 0, 3, 3))
    dim = rng.choice([None, a_dim(rng, x.dim())])
    index = ints(*broadcastable(rng, x.shape)) if rng.random() < 0.4 else ints(*spoilt(rng, x.shape, 0.3))
    return (lambda t, i: torch.take_along_dim(t, i, dim)), (x, index)


def index_rows(name):
    def make(rng):
        x = real(*sizes(rng, 0 if rng.random() < 0.1 else 1, 3, 4))
        dim, count = a_dim(rng, x.dim()), rng.randint(0, 4)
        index = ints(*rng.choice([(count,), (count,), (count,), (), (2, 2)]))
        if name == "index_select":
            return (lambda t, i: t.index_select(dim, i)), (x, index)
        if name == "index_fill":
            return (lambda t, i: t.index_fill(dim, i, 2.0)), (x, index)
        source = list(x.shape)
        if source and -x.dim() <= dim < x.dim():
            source[dim] = index.numel()
        return (lambda t, i, s: getattr(t, name)(dim, i, s)), (x, index, real(*spoilt(rng, source, 0.3)))

    return make


def masked(name):
    def make(rng):
        x = real(*sizes(rng, 0, 3, 3))
        mask = torch.rand(broadcastable(rng, x.shape)) > 0.5
        if name == "masked_select":
            return torch.masked_select, (x, mask)
        return (lambda t, m, s: t.masked_scatter(m, s)), (x, mask, real(300))

    return make


def repeat_interleave(rng):
    x = real(*sizes(rng, 0, 3, 3))
    dim = rng.choice([None, a_dim(rng, x.dim())])
    if rng.random() < 0.4:
        size = x.numel() if dim is None else x.shape[dim] if -x.dim() <= dim < x.dim() else 1
        repeats = ints(*rng.choice([(size,), (size,), (1,), (size + 1,)]), below=3)
        return (lambda t, r: torch.repeat_interleave(t, r, dim)), (x, repeats)
    times = rng.randint(-1, 3)
    return (lambda t: torch.repeat_interleave(t, times, dim)), (x,)


def searchsorted(rng):
    bounds = sizes(rng, 1, 3, 3)
    values = rng.choice([[*bounds[:-1], 4], spoilt(rng, bounds, 0.5), sizes(rng, 0, 2)])
    return torch.searchsorted, (real(*bounds), real(*values))


def bucketize(rng):
    return torch.bucketize, (real(*sizes(rng, 0, 3)), real(*sizes(rng, 1, 1 if rng.random() < 0.8 else 2)))


def one_hot(rng):
    classes = rng.choice([-1, 1, 3, 0, -2])
    return (lambda t: torch.nn.functional.one_hot(t, classes)), (ints(*sizes(rng, 0, 3)),)


def multinomial(rng):
    x, count, again = real(*sizes(rng, 0, 3, 5)) + 0.1, rng.randint(0, 5), rng.random() < 0.5
    return (lambda t: torch.multinomial(t, count, again)), (x,)


def embedding_bag(rng):
    table, mode = real(5, 3), rng.choice(["sum", "mean", "max"])
    if rng.random() < 0.4:
        return (lambda i, w: torch.nn.functional.embedding_bag(i, w, mode=mode)), (ints(*sizes(rng, 1, 3)), table)
    last = rng.random() < 0.3
    offsets = torch.tensor([0, 0, 1][: rng.randint(1 + last, 3)])
    fn = torch.nn.functional.embedding_bag
    return (lambda i, w, o: fn(i, w, o, mode=mode, include_last_offset=last)), (
        ints(*sizes(rng, 1, 1 if rng.random() < 0.8 else 2)), table, offsets,
    )  # fmt: skip


def bincount(rng):
    x = ints(*sizes(rng, 1, 1 if rng.random() < 0.7 else 3), below=4)
    if rng.random() < 0.4:
        return torch.bincount, (x, real(*spoilt(rng, x.shape, 0.3)))
    return torch.bincount, (x,)


def histc(rng):
    bins = rng.randint(-1, 6)
    return (lambda t: torch.histc(t, bins)), (real(*sizes(rng, 0, 3)),)


def unique(rng):
    x = ints(*sizes(rng, 1, 3), below=3)
    inverse, counts, dim = rng.random() < 0.5, rng.random() < 0.5, rng.choice([None, a_dim(rng, x.dim())])
    if rng.random() < 0.5:
        return (lambda t: torch.unique_consecutive(t, inverse, counts, dim)), (x,)
    return (lambda t: torch.unique(t, True, inverse, counts, dim)), (x,)


def placed(name):
    """A source into a slice or one place along a dim."""

    def make(rng):
        x = real(*sizes(rng, 1, 3, 4))
        dim, at = a_dim(rng, x.dim()), rng.randint(-5, 4)
        if name == "select_scatter":
            source = [s for p, s in enumerate(x.shape) if p != dim % x.dim()]
            return (lambda t, s: t.select_scatter(s, dim, at)), (x, real(*spoilt(rng, source)))
        start, stop = sorted([rng.randint(0, 4), rng.randint(0, 4)])
        source = list(x.shape)
        source[dim % x.dim()] = max(0, min(stop, source[dim % x.dim()]) - start)
        return (lambda t, s: t.slice_scatter(s, dim, start, stop)), (x, real(*spoilt(rng, source)))

    return make


def put(rng):
    index = sizes(rng, 0, 2, 3)
    return (lambda t, i, s: t.put(i, s)), (real(*sizes(rng, 1, 3)), ints(*index), real(*spoilt(rng, index, 0.4)))


def index_put(rng):
    x, index = real(*sizes(rng, 1, 3, 3)), sizes(rng, 1, 2, 3)
    value = broadcastable(rng, [*index, *x.shape[1:]])
    return (lambda t, i, v: t.index_put((i,), v)), (x, ints(*index), real(*value))


def fill_diagonal(rng):
    n = rng.randint(1, 4)
    shape = rng.choice([[n, n], [n, n + 1], [n, n, n], [n, n, n + 1], [n]])
    return (lambda t: t.fill_diagonal_(1.0)), (real(*shape),)


MAKERS = {
    **{name: reduced(getattr(torch, name)) for name in ("sum", "nansum", "mean", "nanmean", "amax", "amin")},
    **{name: reduced(getattr(torch, name)) for name in ("any", "all", "std", "var", "std_mean", "var_mean")},
    **{name: reduced(getattr(torch, name), many=False) for name in ("argmax", "argmin", "prod", "median", "nanmedian")},
    "mode": reduced(torch.mode, many=False), "logsumexp": reduced(torch.logsumexp, many=False, none=False),
    "aminmax": reduced(lambda t, dim=None, keepdim=False: torch.aminmax(t, dim=dim, keepdim=keepdim), many=False),
    "max": extreme("max"), "min": extreme("min"), "vector_norm": vector_norm, "linalg_norm": any_norm,
    "norm": old_norm, "quantile": quantile, "diff": diff,
    "matrix_norm": lambda rng: (torch.linalg.matrix_norm, (real(*sizes(rng, 1, 4)),)),
    "trace": lambda rng: (torch.trace, (real(*sizes(rng, 1, 3)),)),
    **{n: along(getattr(torch, n)) for n in ("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin", "argsort")},
    "sort": along(torch.sort), "cumulative_trapezoid": along(lambda t, dim: torch.cumulative_trapezoid(t, dim=dim), 1),
    "trapezoid": along(lambda t, dim: torch.trapezoid(t, dim=dim), 1),
    "topk": counted_from_top("topk"), "kthvalue": counted_from_top("kthvalue"),
    "gather": gather, **{name: scatter(name) for name in ("scatter", "scatter_add", "scatter_reduce")},
    "take_along_dim": take_along_dim, "put": put, "index_put": index_put, "fill_diagonal": fill_diagonal,
    "take": lambda rng: (torch.take, (real(*sizes(rng, 0, 3, 2, 0)), ints(*sizes(rng, 0, 2)))),
    **{name: index_rows(name) for name in ("index_select", "index_fill", "index_add", "index_copy")},
    "masked_select": masked("masked_select"), "masked_scatter": masked("masked_scatter"),
    "repeat_interleave": repeat_interleave, "searchsorted": searchsorted, "bucketize": bucketize,
    "one_hot": one_hot, "multinomial": multinomial, "embedding_bag": embedding_bag, "bincount": bincount,
    "histc": histc, "unique": unique, "select_scatter": placed("select_scatter"),
    "slice_scatter": placed("slice_scatter"),
    "embedding": lambda rng: (
        torch.nn.functional.embedding, (ints(*sizes(rng, 0, 3)), real(*spoilt(rng, [4, 3], 0.4)))
    ),
}  # fmt: skip

# What PyTorch accepts whatever the sizes.
NEVER_REFUSED = {
    "nonzero": lambda rng: (torch.nonzero, (real(*sizes(rng, 0, 3)),)),
    "nonzero_tuple": lambda rng: ((lambda t: torch.nonzero(t, as_tuple=True)), (real(*sizes(rng, 0, 3)),)),
    "argwhere": lambda rng: (torch.argwhere, (real(*sizes(rng, 0, 3)),)),
    "where_alone": lambda rng: ((lambda t: torch.where(t > 0.5)), (real(*sizes(rng, 0, 3)),)),
    "msort": lambda rng: (torch.msort, (real(*sizes(rng, 0, 3)),)),
    "count_nonzero": lambda rng: (torch.count_nonzero, (real(*sizes(rng, 0, 3)),)),
    "equal": lambda rng: (torch.equal, (real(*sizes(rng, 0, 3)), real(*sizes(rng, 0, 3)))),
}
