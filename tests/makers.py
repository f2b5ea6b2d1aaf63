"""Makers of random arguments, shared by the tests of rules and by ``make fuzz``: each gives a function and tensors."""

import torch


def sizes(rng, low, high, most=4, least=1):
    """So many random sizes."""
    return [rng.randint(least, most) for _ in range(rng.randint(low, high))]


def real(*shape):
    """Numbers between 0 and 1."""
    return torch.rand(*shape) if shape else torch.rand(())


def ints(*shape, below=1):
    """Whole numbers from 0."""
    return torch.randint(0, below, shape)


def a_dim(rng, rank, slack=1):
    """A dim, now and then one too far."""
    reach = rank + (slack if rng.random() < 0.3 else 0)
    return rng.randint(-reach, max(reach - 1, 0))


def spoilt(rng, shape, chance=0.15):
    """A shape, now and then with one size changed or one dimension more or less."""
    shape = list(shape)
    if rng.random() < chance:
        kind = rng.randrange(3)
        if kind == 0 and shape:
            shape[rng.randrange(len(shape))] += 1
        elif kind == 1 and shape:
            shape.pop(rng.randrange(len(shape)))
        else:
            shape.insert(rng.randint(0, len(shape)), 2)
    return shape


def broadcastable(rng, shape):
    """A shape that mostly broadcasts with this one."""
    out = [rng.choice([s, s, 1]) for s in shape][rng.randint(0, len(shape)) if rng.random() < 0.5 else 0 :]
    return spoilt(rng, out, 0.2)
