"""Indexing, splitting, factories and attention against PyTorch on random arguments: shape and refusal both."""

import random

import pytest
import torch
import torch.nn.functional as F

import shapeproof as sp
from agreement import CASES, assert_agreement


def shape(rng, low, high, most=5):
    return tuple(rng.randint(1, most) for _ in range(rng.randint(low, high)))


def part(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randint(-3, 3)
    if kind in (1, 2):
        edges = [None, None, *range(-6, 7)]
        return slice(rng.choice(edges), rng.choice(edges), rng.choice([None, 1, 2, 3]))
    if kind == 3:
        return None
    if kind == 4:
        return slice(None)
    return torch.zeros(shape(rng, 0, 2, 2), dtype=torch.int64)


def index(rng):
    parts = [part(rng) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.3:
        parts.insert(rng.randint(0, len(parts)), Ellipsis)
    return tuple(parts) if len(parts) > 1 else parts[0]


def getitem(rng):
    at = index(rng)
    return lambda x: x[at], (torch.zeros(shape(rng, 1, 4)),)


def setitem(rng):
    at = index(rng)

    def run(x, value):
        x = x.clone()
        x[at] = value
        return x

    return run, (torch.zeros(shape(rng, 1, 4)), torch.zeros(shape(rng, 0, 3, 2)))


def along(make):
    def made(rng):
        x = torch.zeros(shape(rng, 0 if rng.random() < 0.2 else 1, 4))
        dim = rng.randint(-x.dim() - 1, x.dim())
        return make(rng, dim), (x,)

    return made


def with_sizes(name):
    def made(rng):
        x = torch.zeros([rng.choice([1, 1, 2, 3]) for _ in range(rng.randint(0, 3))])
        sizes = tuple(rng.choice([-1, 1, 2, 3, 3]) for _ in range(rng.randint(1, 4)))
        if name in ("repeat", "tile"):
            sizes = tuple(abs(s) if rng.random() < 0.95 else s for s in sizes)
        return lambda t: getattr(t, name)(*sizes), (x,)

    return made


def flip(rng):
    x = torch.zeros(shape(rng, 1, 4))
    dims = tuple(rng.randint(-x.dim(), x.dim() - (rng.random() < 0.8)) for _ in range(rng.randint(1, 2)))
    return lambda t: t.flip(dims), (x,)


def movedim(rng):
    x = torch.zeros(shape(rng, 1, 4))
    count = rng.randint(1, 2)
    a, b = (tuple(rng.randint(-x.dim(), x.dim() - (rng.random() < 0.9)) for _ in range(count)) for _ in range(2))
    return lambda t: t.movedim(a, b), (x,)


def attention(rng):
    length, source, embed, out = (rng.randint(1, 4) for _ in range(4))
    lead = shape(rng, 0, 2, 3)
    q, k, v = [*lead, length, embed], [*lead, source, embed], [*lead, source, out]
    if rng.random() < 0.3:
        one = rng.choice([q, k])
        one[-1] += 1
    mask = [torch.zeros(rng.choice([length, 1]), source + (rng.random() < 0.1))] if rng.random() < 0.3 else []
    return F.scaled_dot_product_attention, (torch.zeros(q), torch.zeros(k), torch.zeros(v), *mask)


def arange(rng):
    numbers = [rng.randint(-3, 9) for _ in range(rng.randint(1, 3))]
    return lambda t: torch.arange(*numbers), (torch.zeros(1),)


def made(name):
    def make(rng):
        sizes = tuple(rng.choice([0, 1, 2, 3, 4, -1]) for _ in range(rng.randint(1, 3)))
        if name.startswith("new"):
            return lambda t: getattr(t, name)(sizes), (torch.zeros(1),)
        return lambda t: getattr(torch, name)(*sizes), (torch.zeros(1),)

    return make


def full(rng):
    sizes = tuple(rng.choice([0, 1, 2, 3, 4, -1]) for _ in range(rng.randint(1, 3)))
    return (lambda t: t.new_full(sizes, 2.0)) if rng.random() < 0.5 else (lambda t: torch.full(sizes, 2.0)), (
        torch.zeros(1),
    )


def transposed(axes):
    def make(rng):
        groups, c, o = rng.choice([1, 2]), rng.randint(1, 2), rng.randint(1, 2)
        x = torch.zeros(*shape(rng, 1, 1), groups * c + (rng.random() < 0.1), *(rng.randint(1, 5) for _ in range(axes)))
        w = torch.zeros(groups * c, o, *(rng.randint(1, 4) for _ in range(axes)))
        stride, padding, extra, dilation = rng.randint(1, 3), rng.randint(0, 2), rng.randint(0, 2), rng.randint(1, 2)
        sizes = [
            (h - 1) * stride - 2 * padding + dilation * (k - 1) + extra + 1
            for h, k in zip(x.shape[2:], w.shape[2:], strict=True)
        ]
        if 0 in sizes:  # PyTorch's kernels differ on whether they refuse it
            return make(rng)
        fn = getattr(F, f"conv_transpose{axes}d")
        return lambda a, b: fn(a, b, None, stride, padding, extra, groups, dilation), (x, w)

    return make


def pixel_shuffle(rng):
    x = torch.zeros(*shape(rng, 0, 2), rng.choice([4, 8, 9, 5]), 2, 3)
    r = rng.choice([2, 3])
    return lambda t: F.pixel_shuffle(t, r), (x,)


MAKERS = {
    **{f"conv_transpose{n}d": transposed(n) for n in (1, 2, 3)},
    "pixel_shuffle": pixel_shuffle,
    "getitem": getitem, "setitem": setitem, "flip": flip, "movedim": movedim, "attention": attention,
    "chunk": along(lambda rng, dim: (lambda n: lambda t: t.chunk(n, dim))(rng.randint(0, 4))),
    "split": along(lambda rng, dim: (lambda n: lambda t: t.split(n, dim))(rng.randint(0, 4))),
    "split_list": along(
        lambda rng, dim: (lambda n: lambda t: t.split(n, dim))([rng.randint(0, 3) for _ in range(rng.randint(1, 2))])
    ),
    "unbind": along(lambda rng, dim: lambda t: t.unbind(dim)),
    "select": along(lambda rng, dim: (lambda n: lambda t: t.select(dim, n))(rng.randint(-4, 3))),
    "narrow": along(
        lambda rng, dim: (lambda a, n: lambda t: t.narrow(dim, a, n))(rng.randint(-3, 3), rng.randint(-1, 3))
    ),
    "expand": with_sizes("expand"), "repeat": with_sizes("repeat"), "tile": with_sizes("tile"),
    "mT": lambda rng: (lambda t: t.mT, (torch.zeros(shape(rng, 1, 4)),)),
    "triu": lambda rng: (lambda t: t.triu(1), (torch.zeros(shape(rng, 1, 4)),)),
    "arange": arange, "full": full,
    **{name: made(name) for name in ("zeros", "ones", "empty", "rand", "randn", "new_zeros", "new_ones", "new_empty")},
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_rule_and_pytorch_agree(name):
    assert_agreement(name, MAKERS[name])


def test_interpolation_agrees_with_pytorch():
    rng = random.Random(0)
    for _ in range(CASES):
        x = torch.zeros(1, 2, rng.randint(2, 9), rng.randint(2, 9))
        kwargs = rng.choice(
            [{"size": 5}, {"size": (3, 7)}, {"scale_factor": rng.choice([0.5, 1.5, 2, 2.7, (2.0, 1.3)])}]
        )
        found = sp.derive(lambda t, kwargs=kwargs: F.interpolate(t, **kwargs), x)
        assert found.verdict == "proved"
