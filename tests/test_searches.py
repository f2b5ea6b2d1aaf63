"""Searches over sizes with several free letters: what is found, and that nothing is run that is known to fail."""

import random

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.dims.conditions import Relation
from shapeproof.dims.expr import constant, divide, floor, symbol
from shapeproof.dims.solve import Sizes, solve


class Voxels(nn.Module):
    """Two stages of a convolution that keeps the size and a pooling that halves it, and a head for so many features."""

    def __init__(self, features):
        super().__init__()
        self.c1, self.c2 = nn.Conv3d(1, 2, 3, padding=1), nn.Conv3d(2, 4, 3, padding=1)
        self.pool, self.fc = nn.MaxPool3d(2), nn.Linear(features, 10)

    def forward(self, x):
        return self.fc(self.pool(self.c2(self.pool(self.c1(x)))).flatten(1))


def test_three_free_sizes_before_a_linear_layer():
    found = sp.derive(Voxels(4 * 8 * 8 * 8).eval(), "N,1,D,H,W").domain
    assert found.exact
    assert str(found).startswith("(32 <= D <= 35, 32 <= H <= 35, 32 <= W <= 35, N >= 1) or")
    assert len(found.parts) == 55  # 512 = 2^9 as a product of three: 11 * 10 / 2
    for d in (4, 31, 32, 35, 36, 64, 127, 2048):
        for h in (16, 32, 35, 36, 64):
            for w in (4, 8, 32, 64):
                assert found.contains(D=d, H=h, W=w) is ((d // 4) * (h // 4) * (w // 4) == 512)


def test_a_size_that_is_known_to_fail_is_not_run():
    net = Voxels(4 * 4 * 7 * 7).eval()
    runs = []
    net.register_forward_pre_hook(lambda module, args: runs.append(tuple(map(int, args[0].shape[2:]))))
    assert sp.derive(net, "N,1,D,H,W").domain.exact
    assert (28, 28, 28) in runs
    assert max(d * h * w for d, h, w in runs) < 224 * 224  # of the common sizes neither 64 nor 224 in each direction


def test_numbers_that_fail_are_run_once_before_the_edits():
    runs = []

    def head(x):
        runs.append(tuple(x.shape))
        return nn.functional.linear(x, torch.zeros(3, 5))

    assert sp.derive(head, "N,4").verdict == "failed"
    assert len(runs) == 2  # to see it fail, and once for the diagnosis


def rising(rng, depth=2):
    """A sum that grows with H, of floors within one another."""
    inner = symbol("H").scaled(rng.randint(1, 3)) if depth == 0 else rising(rng, depth - 1)
    inner = inner + constant(rng.randint(-6, 6))
    return floor(divide(inner, constant(rng.randint(1, 5)))) if rng.random() < 0.8 else inner


@pytest.mark.parametrize("seed", range(60))
def test_what_is_solved_by_halving_is_what_putting_numbers_in_gives(seed):
    rng = random.Random(seed)
    relations = []
    for _ in range(rng.randint(1, 3)):
        left, right = rising(rng), constant(rng.randint(-3, 12))
        left, right = (right, left) if rng.random() < 0.4 else (left, right)
        relations.append(Relation(rng.choice(["==", "!=", ">=", ">="]), left, right))
    found = solve(relations, "H")
    wanted = [h for h in range(1, 400) if all(r.holds({"H": h}) for r in relations)]
    assert [h for h in range(1, 400) if h in found] == wanted
    assert found.smallest == (wanted[0] if wanted else None)


def test_a_far_edge_is_found_without_trying_every_size_before_it():
    far = 10**9
    relation = Relation(">=", floor(divide(symbol("H"), constant(3))), constant(far))
    assert solve([relation], "H") == Sizes(((3 * far, None),))


@pytest.mark.parametrize(
    ("small", "large", "is_within"),
    [
        (((2, 5),), ((1, 9),), True),
        (((2, 5), (8, None)), ((1, 6), (7, None)), True),
        (((2, 5),), ((3, 9),), False),
        (((2, None),), ((1, 9),), False),
        ((), ((3, 4),), True),
    ],
)
def test_within(small, large, is_within):
    assert Sizes(small).within(Sizes(large)) is is_within


def test_even_sizes_within():
    even = Sizes((), 2, (0,), 1)
    assert even.within(Sizes(((1, None),)))
    assert even.within(even)
    assert not even.within(Sizes(((1, 9),)))
    assert not Sizes(((1, None),)).within(even)
