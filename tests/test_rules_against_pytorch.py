"""Each rule against PyTorch on random arguments: the shape, and whether the call is refused. Both must occur."""

import pytest
import torch
import torch.nn.functional as F

from agreement import assert_agreement


def shape(rng, low, high, most=7):
    return tuple(rng.randint(1, most) for _ in range(rng.randint(low, high)))


def conv(axes):
    def make(rng):
        groups = rng.choice([1, 1, 1, 2, 3])
        c_in, c_out = groups * rng.randint(1, 3), groups * rng.randint(1, 3)
        given = c_in if rng.random() < 0.8 else c_in + 1
        lead = (rng.randint(1, 3), given) if rng.random() < 0.8 else (given,)
        if rng.random() < 0.1:
            lead = (1, *lead) if rng.random() < 0.5 else ()
        x = torch.zeros(*lead, *(rng.randint(1, 9) for _ in range(axes)))
        w = torch.zeros(c_out, c_in // groups, *(rng.randint(1, 5) for _ in range(axes)))
        padding = rng.choice([0, 1, 2, tuple(rng.randint(0, 2) for _ in range(axes)), "same", "valid"])
        kwargs = {
            "stride": rng.choice([1, 1, 2, 3]),
            "padding": padding,
            "dilation": rng.choice([1, 1, 2]),
            "groups": groups,
        }
        fn = getattr(F, f"conv{axes}d")
        return lambda a, b: fn(a, b, **kwargs), (x, w)

    return make


def pool(name, axes, dilated):
    def make(rng):
        x = torch.zeros(shape(rng, axes + 1, axes + 2, 9)) if rng.random() < 0.9 else torch.zeros(shape(rng, 1, 5))
        k = rng.choice([1, 2, 3, tuple(rng.randint(1, 4) for _ in range(axes))])
        kwargs = {
            "stride": rng.choice([None, 1, 2, 3]),
            "padding": rng.choice([0, 0, 1, 2]),
            "ceil_mode": rng.random() < 0.4,
        }
        if dilated:
            kwargs["dilation"] = rng.choice([1, 1, 2])
        return lambda a: getattr(F, name)(a, k, **kwargs), (x,)

    return make


def adaptive(name, axes):
    def make(rng):
        x = torch.zeros(shape(rng, axes + 1, axes + 2)) if rng.random() < 0.8 else torch.zeros(shape(rng, 1, 5))
        size = rng.choice([1, 3, tuple(rng.randint(1, 4) for _ in range(axes))])
        return lambda a: getattr(F, name)(a, size), (x,)

    return make


def linear(rng):
    i, o = rng.randint(1, 5), rng.randint(1, 5)
    x = torch.zeros(*shape(rng, 0, 3), i if rng.random() < 0.7 else i + 1)
    return F.linear, (x, torch.zeros(o, i), torch.zeros(o))


def matmul(rng):
    a, b = list(shape(rng, 1, 4, 3)), list(shape(rng, 1, 4, 3))
    if rng.random() < 0.7:
        b[-2 if len(b) > 1 else -1] = a[-1]
    return torch.matmul, (torch.zeros(a), torch.zeros(b))


def viewed(name):
    def make(rng):
        x = torch.zeros(*(rng.choice([1, 2, 3, 4, 6]) for _ in range(rng.randint(1, 4))))
        if rng.random() < 0.4 and x.dim() > 1:
            x = x.transpose(0, rng.randrange(x.dim()))
        sizes = [rng.choice([1, 2, 3, 4, 6, 12]) for _ in range(rng.randint(0, 3))]
        if rng.random() < 0.8:
            sizes.insert(rng.randint(0, len(sizes)), -1)
        return lambda a: getattr(a, name)(*sizes) if sizes else getattr(a, name)(()), (x,)

    return make


def dims(rng, x, over=1):
    return rng.randint(-x.dim() - over, x.dim() - 1 + over)


def flatten(rng):
    x = torch.zeros(shape(rng, 0, 4))
    a, b = dims(rng, x), dims(rng, x)
    return lambda t: torch.flatten(t, a, b), (x,)


def transpose(rng):
    x = torch.zeros(shape(rng, 0, 4))
    a, b = dims(rng, x), dims(rng, x)
    return lambda t: t.transpose(a, b), (x,)


def permute(rng):
    x = torch.zeros(shape(rng, 1, 4))
    order = list(range(x.dim()))
    rng.shuffle(order)
    if rng.random() < 0.3:
        order[rng.randrange(len(order))] = dims(rng, x)
    if rng.random() < 0.1:
        order.append(0)
    return lambda t: t.permute(*order), (x,)


def unsqueeze(rng):
    x = torch.zeros(shape(rng, 0, 3))
    a = dims(rng, x, 2)
    return lambda t: t.unsqueeze(a), (x,)


def squeeze(rng):
    x = torch.zeros(shape(rng, 0, 4, 2))
    a = rng.choice([None, dims(rng, x)])
    return lambda t: t.squeeze() if a is None else t.squeeze(a), (x,)


def mean(rng):
    x = torch.zeros(shape(rng, 0, 4))
    a = rng.choice([None, dims(rng, x), (dims(rng, x), dims(rng, x))])
    keep = rng.random() < 0.5
    return lambda t: t.mean(a, keepdim=keep) if a is not None else t.mean(), (x,)


def softmax(rng):
    x = torch.zeros(shape(rng, 0, 3))
    a = dims(rng, x)
    return lambda t: F.softmax(t, dim=a), (x,)


def batch_norm(rng):
    x, c = torch.zeros(shape(rng, 1, 4, 3)), rng.randint(1, 3)
    if rng.random() < 0.7 and x.dim() > 1:
        c = x.shape[1]
    training = rng.random() < 0.5
    return lambda t, m, v: F.batch_norm(t, m, v, training=training), (x, torch.zeros(c), torch.ones(c))


def layer_norm(rng):
    x = torch.zeros(shape(rng, 1, 4, 3))
    wanted = x.shape[-rng.randint(1, 2) :] if rng.random() < 0.7 else shape(rng, 1, 2, 3)
    return lambda t: F.layer_norm(t, wanted), (x,)


def group_norm(rng):
    x = torch.zeros(shape(rng, 2, 4, 6))
    groups = rng.randint(1, 3)
    return lambda t: F.group_norm(t, groups), (torch.zeros(2, *x.shape[1:]),)


def elementwise(fn):
    def make(rng):
        a = list(shape(rng, 0, 4, 4))
        b = [rng.choice([s, s, s, 1]) for s in a][rng.randint(0, len(a)) :]
        if b and rng.random() < 0.3:
            b[rng.randrange(len(b))] = rng.randint(1, 4)
        return fn, (torch.ones(a), torch.ones(b))

    return make


def cat(rng):
    base = list(shape(rng, 1, 4, 3))
    place = rng.randrange(len(base))
    rows = []
    for _ in range(rng.randint(1, 3)):
        one = list(base)
        one[place] = rng.randint(1, 4)
        if rng.random() < 0.15:
            one[rng.randrange(len(one))] += 1
        rows.append(torch.zeros(one if rng.random() < 0.95 else one[1:]))
    dim = place if rng.random() < 0.9 else rng.randint(-6, 6)
    return lambda *ts: torch.cat(ts, dim), tuple(rows)


def stack(rng):
    base = shape(rng, 0, 3, 3)
    rows = tuple(torch.zeros(base if rng.random() < 0.9 else (*base, 2)) for _ in range(rng.randint(1, 3)))
    dim = rng.randint(-len(base) - 2, len(base) + 1)
    return lambda *ts: torch.stack(ts, dim), rows


MAKERS = {
    **{f"conv{n}d": conv(n) for n in (1, 2, 3)},
    **{f"max_pool{n}d": pool(f"max_pool{n}d", n, True) for n in (1, 2, 3)},
    **{f"avg_pool{n}d": pool(f"avg_pool{n}d", n, False) for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": adaptive(f"adaptive_avg_pool{n}d", n) for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": adaptive(f"adaptive_max_pool{n}d", n) for n in (1, 2, 3)},
    "linear": linear, "matmul": matmul, "view": viewed("view"), "reshape": viewed("reshape"), "flatten": flatten,
    "transpose": transpose, "permute": permute, "unsqueeze": unsqueeze, "squeeze": squeeze, "mean": mean,
    "softmax": softmax, "batch_norm": batch_norm, "layer_norm": layer_norm, "group_norm": group_norm, "cat": cat,
    "stack": stack, "add": elementwise(lambda a, b: a + b), "mul": elementwise(torch.mul),
    "where": elementwise(lambda a, b: torch.where(a > 0, a, b)), "add_": elementwise(lambda a, b: a.add_(b)),
    "isub": elementwise(lambda a, b: a.__isub__(b)),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_rule_and_pytorch_agree(name):
    assert_agreement(name, MAKERS[name])
