"""Random arguments for losses, padding, windows, sampling, normalisation, pooling, cells and factories."""

import torch
import torch.nn.functional as F

from makers import a_dim, broadcastable, ints, real, sizes, spoilt

REDUCTIONS = ("none", "mean", "sum")


def loss(fn, **extra):
    """A loss whose target mostly broadcasts with its input, or has its shape."""

    def make(rng):
        x, how = sizes(rng, 0, 3, 3), rng.choice(REDUCTIONS)
        target = rng.choice([x, x, broadcastable(rng, x), spoilt(rng, x, 1)])
        return (lambda a, b: fn(a, b, reduction=how, **extra)), (real(*x), real(*target))

    return make


def weighted(name):
    def make(rng):
        x, how = sizes(rng, 0, 3, 3), rng.choice(REDUCTIONS)
        weight = broadcastable(rng, x)
        fn = getattr(F, name)
        return (lambda a, b, w: fn(a, b, weight=w, reduction=how)), (real(*x), real(*spoilt(rng, x)), real(*weight))

    return make


def classes(name):
    """``(N, C, *)`` with classes ``(N, *)``, with weights, or with probabilities."""

    def make(rng):
        x, how = sizes(rng, 0 if rng.random() < 0.1 else 1, 4, 3), rng.choice(REDUCTIONS)
        y = [*x[:1], *x[2:]] if len(x) > 1 else []
        fn = getattr(F, name)
        if name == "cross_entropy" and rng.random() < 0.2:
            return (lambda a, b: fn(a, b, reduction=how)), (real(*x), real(*spoilt(rng, x)))
        if rng.random() < 0.3:
            count = (x[1] if len(x) > 1 else x[0] if x else 1) + (rng.random() < 0.3)
            return (lambda a, b, w: fn(a, b, w, reduction=how)), (real(*x), ints(*spoilt(rng, y)), real(count))
        return (lambda a, b: fn(a, b, reduction=how)), (real(*x), ints(*spoilt(rng, y, 0.3)))

    return make


def multi_margin(rng):
    x, how = sizes(rng, 1, 3 if rng.random() < 0.1 else 2, 3), rng.choice(REDUCTIONS)
    y = spoilt(rng, x[:-1], 0.3)
    return (lambda a, b: F.multi_margin_loss(a, b, reduction=how)), (real(*x), ints(*y))


def multilabel(rng):
    x, how = sizes(rng, 1, 3 if rng.random() < 0.1 else 2, 3), rng.choice(REDUCTIONS)
    return (lambda a, b: F.multilabel_margin_loss(a, b, reduction=how)), (real(*x), ints(*spoilt(rng, x, 0.3)) - 1)


def triple(fn):
    def make(rng):
        x, how = sizes(rng, 1, 3, 3), rng.choice(REDUCTIONS)
        made = [real(*spoilt(rng, [rng.choice([s, s, s, 1]) for s in x])) for _ in range(3)]
        return (lambda a, b, c: fn(a, b, c, reduction=how)), tuple(made)

    return make


def cosine_embedding(rng):
    n, d, how = rng.randint(1, 3), rng.randint(1, 3), rng.choice(REDUCTIONS)
    lead = [n] if rng.random() < 0.7 else []
    made = real(*spoilt(rng, [*lead, d])), real(*spoilt(rng, [*lead, d])), torch.ones(spoilt(rng, lead))
    return (lambda a, b, y: F.cosine_embedding_loss(a, b, y, reduction=how)), made


def gaussian(rng):
    x, how = sizes(rng, 1, 3, 3), rng.choice(REDUCTIONS)
    var = rng.choice([x, x[:-1], [*x[:-1], 1], spoilt(rng, x, 1)])
    return (lambda a, b, v: F.gaussian_nll_loss(a, b, v, reduction=how)), (real(*x), real(*x), real(*var) + 1)


def ctc(rng):
    steps, batch, how = rng.randint(4, 6), rng.randint(1, 3), rng.choice(REDUCTIONS)
    x = real(steps, batch, 5).log_softmax(-1)
    if rng.random() < 0.2:
        x = real(*sizes(rng, 1, 1, 5))
    count = batch + (rng.random() < 0.2)
    lengths, targets = torch.full((count,), 4), torch.full((batch,), 2)
    return (lambda a, y, n, m: F.ctc_loss(a, y, n, m, reduction=how)), (
        x,
        torch.ones(batch, 2).long(),
        lengths,
        targets,
    )


def pad(rng):
    x = real(*sizes(rng, 1, 5, 4))
    mode = rng.choice(["constant", "constant", "reflect", "replicate", "circular"])
    pairs = rng.randint(1, 3)
    amounts = tuple(rng.randint(-2 if mode == "constant" else 0, 3) for _ in range(2 * pairs))
    return (lambda t: F.pad(t, amounts, mode=mode)), (x,)


def a_window(rng):
    return {
        "kernel_size": rng.choice([1, 2, 3, (rng.randint(1, 3), rng.randint(1, 3))]), "dilation": rng.choice([1, 1, 2]),
        "padding": rng.choice([0, 0, 1]), "stride": rng.choice([1, 2, 3]),
    }  # fmt: skip


def unfold(rng):
    kwargs = a_window(rng)
    x = real(*spoilt(rng, [rng.randint(1, 2), rng.randint(1, 3), rng.randint(1, 7), rng.randint(1, 7)], 0.2))
    return (lambda t: F.unfold(t, **kwargs)), (x,)


def fold(rng):
    kwargs, size = a_window(rng), (rng.randint(2, 7), rng.randint(2, 7))
    try:
        x = F.unfold(real(1, 2, *size), **kwargs)
    except RuntimeError:
        return fold(rng)
    return (lambda t: F.fold(t, size, **kwargs)), (real(*spoilt(rng, [2, *x.shape[1:]], 0.3)),)


def unfold_along(rng):
    x = real(*sizes(rng, 0, 3, 6))
    dim, size, step = a_dim(rng, x.dim()), rng.randint(0, 4), rng.randint(0, 3)
    return (lambda t: t.unfold(dim, size, step)), (x,)


def grid_sample(rng):
    axes = rng.choice([2, 2, 3])
    x = [2, 3, *sizes(rng, axes, axes)]
    grid = [2, *sizes(rng, axes, axes), axes]
    mode = rng.choice(["bilinear", "nearest", "bicubic"])
    fn = F.grid_sample
    return (lambda t, g: fn(t, g, mode=mode, align_corners=False)), (real(*spoilt(rng, x)), real(*spoilt(rng, grid)))


def affine_grid(rng):
    axes = rng.choice([2, 3])
    theta = spoilt(rng, [2, axes, axes + 1], 0.3)
    size = spoilt(rng, [2, 3, *sizes(rng, axes, axes)], 0.1)
    return (lambda t: F.affine_grid(t, size, align_corners=False)), (real(*theta),)


def interpolate(rng):
    axes = rng.choice([1, 2, 2, 3])
    x = real(*spoilt(rng, [rng.randint(1, 2), rng.randint(1, 3), *sizes(rng, axes, axes, 7)], 0.1))
    modes = ["nearest", "area", "nearest-exact", ["linear", "bilinear", "trilinear"][axes - 1], "bicubic"]
    kwargs = {"mode": rng.choice(modes)}
    if rng.random() < 0.5:
        kwargs["size"] = rng.choice([5, tuple(sizes(rng, axes, axes, 9)), (3, 4), 0])
    else:
        kwargs["scale_factor"] = rng.choice(
            [0.5, 2, 1.5, 2.7, 0.1, tuple(rng.choice([0.5, 1.3, 2.0]) for _ in range(axes))]
        )
        kwargs["recompute_scale_factor"] = rng.choice([None, True])
    return (lambda t: F.interpolate(t, **kwargs)), (x,)


def normalised(name):
    def make(rng):
        x = sizes(rng, 1, 4, 4)
        last = x[-rng.randint(1, len(x)) :]
        wanted = tuple(spoilt(rng, last))
        made = [real(*x), real(*(wanted if rng.random() < 0.9 else spoilt(rng, wanted, 1)))]
        return (lambda t, w: getattr(F, name)(t, wanted, w)), tuple(made)

    return make


def instance_norm(rng):
    x = sizes(rng, 1, 4, 3)
    count = (x[1] if len(x) > 1 else 1) + (rng.random() < 0.15)
    return (lambda t, w: F.instance_norm(t, weight=w)), (real(*x), real(count))


def lp_pool(axes):
    def make(rng):
        x = real(*spoilt(rng, [2, 3, *sizes(rng, axes, axes, 8)], 0.15))
        k, s, ceil = rng.randint(1, 3), rng.choice([None, 1, 2]), rng.random() < 0.4
        return (lambda t: getattr(F, f"lp_pool{axes}d")(t, 2, k, s, ceil)), (x,)

    return make


def fractional(axes):
    def make(rng):
        x = real(*spoilt(rng, [1, 2, *sizes(rng, axes, axes, 9)], 0.15))
        k, size = rng.randint(1, 3), rng.choice([rng.randint(1, 5), tuple(rng.randint(1, 5) for _ in range(axes))])
        how = {"output_ratio": (0.6,) * axes} if rng.random() < 0.3 else {"output_size": size}
        return (lambda t: getattr(F, f"fractional_max_pool{axes}d")(t, k, **how)), (x,)

    return make


def unpool(axes):
    def make(rng):
        x = [1, 2, *sizes(rng, axes, axes, 4)]
        k, s, p = rng.randint(1, 3), rng.choice([None, 1, 2]), rng.choice([0, 0, 1])
        if min((h - 1) * (s or k) - 2 * p + k for h in x[2:]) < 1:
            return make(rng)
        made = real(*x), ints(*spoilt(rng, x, 0.3))
        return (lambda t, i: getattr(F, f"max_unpool{axes}d")(t, i, k, s, p)), made

    return make


def channel_shuffle(rng):
    groups = rng.randint(0, 4)
    return (lambda t: F.channel_shuffle(t, groups)), (real(*spoilt(rng, [2, rng.choice([2, 4, 6]), 3, 3], 0.2)),)


def pixel_unshuffle(rng):
    r = rng.randint(1, 3)
    x = [*sizes(rng, 0, 2), rng.choice([2, 4, 6]), rng.choice([2, 4, 6, 3])]
    return (lambda t: F.pixel_unshuffle(t, r)), (real(*x),)


def cell(name, gates):
    def make(rng):
        i, h, n = rng.randint(1, 4), rng.randint(1, 4), rng.randint(1, 3)
        # of two dimensions always, as the modules see to: a cell alone reads past the end of another rank
        x, state = (real(n + (rng.random() < 0.1), size + (rng.random() < 0.1)) for size in (i, h))
        w, u = real(gates * h, i), real(gates * h, h)
        fn = getattr(torch, name)
        if name == "lstm_cell":
            return (lambda a, b, c, d: fn(a, (b, b), c, d)), (x, state, w, u)
        return fn, (x, state, w, u)

    return make


def packed(rng):
    steps, batch = rng.randint(1, 4), rng.randint(1, 3)
    lengths = sorted((rng.randint(1, steps) for _ in range(batch + (rng.random() < 0.2))), reverse=True)
    first = rng.random() < 0.5
    x = real(batch, steps, 2) if first else real(steps, batch, 2)
    return (lambda t: torch.nn.utils.rnn.pack_padded_sequence(t, lengths, first)), (x,)


def recurrent(kind, **more):
    """A whole layer, as its module runs it, on inputs of the right and of the wrong size."""

    def make(rng):
        torch.manual_seed(0)
        both, layers, first = rng.random() < 0.5, rng.randint(1, 2), rng.random() < 0.5
        layer = kind(3, 4, layers, batch_first=first, bidirectional=both, **more)
        return (lambda t: layer(t)[0]), (real(*spoilt(rng, [2, 5, 3], 0.25)),)

    return make


def heads(rng):
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(8, 2, add_zero_attn=rng.random() < 0.3, add_bias_kv=rng.random() < 0.3)
    layer.train(rng.random() < 0.5)
    length, source, n = rng.randint(1, 4), rng.randint(1, 4), rng.randint(1, 3)
    keys = real(*spoilt(rng, [source, n, 8], 0.1))
    weights, average = rng.random() < 0.5, rng.random() < 0.5
    return (lambda q, k: layer(q, k, k, need_weights=weights, average_attn_weights=average)[0]), (
        real(*spoilt(rng, [length, n, 8], 0.15)), keys,
    )  # fmt: skip


def grouped_heads(rng):
    h, group, n = rng.randint(1, 2), rng.randint(1, 3), rng.randint(1, 2)
    q, kv = [n, h * group + (rng.random() < 0.2), 3, 4], [n, h, 5, 4]
    fn = F.scaled_dot_product_attention
    return (lambda a, b: fn(a, b, b, enable_gqa=True)), (real(*q), real(*kv))


def numbers(fn, low=-1, high=5, count=1):
    """A factory of numbers alone."""

    def make(rng):
        given = [rng.randint(low, high) for _ in range(count)]
        return (lambda t: fn(*given)), (torch.zeros(1),)

    return make


def spaced(rng):
    start, end, step = rng.uniform(-3, 3), rng.uniform(-3, 6), rng.choice([0.5, 1.0, 0.3, -0.7])
    return (lambda t: torch.arange(start, end, step)), (torch.zeros(1),)


def masked(rng):
    """Indexing with a mask, alone or beside slices, and writing through one."""
    x = real(*sizes(rng, 1, 3, 4))
    mask = torch.rand(spoilt(rng, x.shape[: rng.randint(1, x.dim())], 0.2)) > 0.5
    kind = rng.randrange(3)
    if kind == 0:
        return (lambda t, m: t[m]), (x, mask)
    if kind == 1:
        return (lambda t, m: t[:, m]), (x, mask)

    def write(t, m):
        t[m] = 0.0
        return t

    return write, (x, mask)


MAKERS = {
    **{n: loss(getattr(F, n)) for n in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss")},
    **{n: loss(getattr(F, n)) for n in ("poisson_nll_loss", "hinge_embedding_loss", "kl_div")},
    "multilabel_soft_margin_loss": loss(F.multilabel_soft_margin_loss),
    "bce": loss(F.binary_cross_entropy), "bce_weighted": weighted("binary_cross_entropy"),
    "bce_logits": loss(F.binary_cross_entropy_with_logits), "mse_weighted": weighted("mse_loss"),
    "bce_logits_weighted": weighted("binary_cross_entropy_with_logits"),
    "nll_loss": classes("nll_loss"), "cross_entropy": classes("cross_entropy"), "multi_margin_loss": multi_margin,
    "multilabel_margin_loss": multilabel, "triplet_margin_loss": triple(F.triplet_margin_loss),
    "triplet_with_distance": triple(F.triplet_margin_with_distance_loss),
    "margin_ranking_loss": triple(F.margin_ranking_loss), "cosine_embedding_loss": cosine_embedding,
    "gaussian_nll_loss": gaussian, "ctc_loss": ctc,
    "cosine_similarity": lambda rng: (lambda x, d: ((lambda a, b: F.cosine_similarity(a, b, d)), (
        real(*x), real(*broadcastable(rng, x)))))(sizes(rng, 0, 3, 3), rng.randint(-3, 2)),
    "pairwise_distance": lambda rng: (lambda x: (F.pairwise_distance, (real(*x), real(*broadcastable(rng, x)))))(
        sizes(rng, 1, 3, 3)),
    "pad": pad, "unfold": unfold, "fold": fold, "unfold_along": unfold_along, "grid_sample": grid_sample,
    "affine_grid": affine_grid, "interpolate": interpolate, "rms_norm": normalised("rms_norm"),
    "layer_norm_weight": normalised("layer_norm"), "instance_norm": instance_norm,
    "local_response_norm": lambda rng: ((lambda t: F.local_response_norm(t, 2)), (real(*sizes(rng, 1, 4)),)),
    **{f"lp_pool{n}d": lp_pool(n) for n in (1, 2, 3)}, **{f"fractional_max_pool{n}d": fractional(n) for n in (2, 3)},
    **{f"max_unpool{n}d": unpool(n) for n in (1, 2, 3)}, "channel_shuffle": channel_shuffle,
    "pixel_unshuffle": pixel_unshuffle, "lstm_cell": cell("lstm_cell", 4), "gru_cell": cell("gru_cell", 3),
    "rnn_tanh_cell": cell("rnn_tanh_cell", 1), "pack_padded_sequence": packed, "heads": heads,
    "lstm": recurrent(torch.nn.LSTM), "gru": recurrent(torch.nn.GRU), "rnn": recurrent(torch.nn.RNN),
    "lstm_projected": recurrent(torch.nn.LSTM, proj_size=2), "grouped_heads": grouped_heads,
    "eye": numbers(torch.eye, count=2), "linspace": numbers(lambda n: torch.linspace(0, 1, n)),
    "randperm": numbers(torch.randperm), "hann_window": numbers(torch.hann_window),
    "randint": numbers(lambda n: torch.randint(0, 3, (n, 2))), "arange_of_fractions": spaced, "masked": masked,
    "normal": lambda rng: (torch.normal, (real(*sizes(rng, 0, 2)), real(*sizes(rng, 0, 2)))),
}  # fmt: skip

NEVER_REFUSED = {
    "tensor": lambda rng: ((lambda n: lambda t: torch.tensor([[1, 2, 3]] * n))(rng.randint(1, 3)), (torch.zeros(1),)),
    "tril_indices": lambda rng: ((lambda n, m: lambda t: torch.tril_indices(n, m))(*sizes(rng, 2, 2)), (real(1),)),
    "elementwise": lambda rng: (torch.sigmoid, (real(*sizes(rng, 0, 4)),)),
    "conversion": lambda rng: ((lambda t: t.to(torch.float64)), (real(*sizes(rng, 0, 4)),)),
}
