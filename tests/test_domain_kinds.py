"""The domains of networks as people write them, against PyTorch at sizes drawn from a box."""

import itertools
import random

import pytest
import torch

import shapeproof as sp
from networks_of_every_kind import KINDS
from shapeproof.capture.spec import parse

POINTS = 150
# loops whose count depends on a size, logarithms, and indices that only values decide: nothing is claimed of these
NOT_EXACT = {"rnn cell in a loop", "halves until small", "levels by size", "relative bias"}
SAID = {
    "u-net cropped": "H >= 10, W >= 10, N >= 1",
    "branch on size": "(H = 8, W = 8, N >= 1) or (H >= W + 1, 1 <= W <= 7, N >= 1) or (W >= H, 1 <= H <= 7, N >= 1)",
    "patch embedding": "(12 <= H <= 15, 12 <= W <= 15, N >= 1) or (4 <= H <= 7, 36 <= W <= 39, N >= 1) or "
    "(36 <= H <= 39, 4 <= W <= 7, N >= 1)",
    "same length": "N = M, T = S, 1 <= T <= 16, N >= 1",
    "cross attention": "S = L, N >= 1, T >= 1, S >= 1",
    "outer product": "N = M, N >= 1, A >= 1, B >= 1",
}


def points(box):
    """Some of the sizes of a box, the same every time."""
    every = list(itertools.product(*box.values()))
    chosen = random.Random(0).sample(every, min(POINTS, len(every)))
    return [dict(zip(box, values, strict=True)) for values in chosen]


def runs(model, specs, sizes):
    shapes = [(tuple(map(int, spec.shape(sizes))), getattr(torch, spec.dtype)) for spec in map(parse, specs)]
    try:
        with torch.no_grad():
            model(*(torch.zeros(shape, dtype=dtype) for shape, dtype in shapes))
    except (RuntimeError, ValueError, IndexError, AssertionError):
        return False
    return True


@pytest.mark.parametrize("name", KINDS)
def test_the_domain_is_what_pytorch_does(name):
    make, specs, box = KINDS[name]
    model = make() if "training" in name else make().eval()
    found = sp.derive(model, *specs)
    assert found.verdict == "proved"
    assert found.domain.exact is (name not in NOT_EXACT), found.domain.why
    if found.domain.exact:
        wrong = [s for s in points(box) if found.domain.contains(**s) is not runs(model, specs, s)]
        assert not wrong, (str(found.domain), wrong[:5])
    assert str(found.domain) == SAID.get(name, str(found.domain))


def test_the_sizes_that_are_tried_may_be_too_large_for_a_models_values():
    make, specs, _ = KINDS["relative bias"]
    found = sp.derive(make(), *specs)
    assert found.verdict == "proved"
    assert found.domain.why.startswith("it does not run at N = ")
