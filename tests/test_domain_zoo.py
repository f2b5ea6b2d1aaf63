"""The domain against brute force: small models of every kind, run at every size of a box.

Where a domain is claimed exact it must say, for each size in the box, what PyTorch does. Which models are exact is
written down too, so that none can lose it unseen.
"""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeproof as sp
from shapeproof.capture.spec import parse
from shapeproof.models.document import TwoStage


def brute(model, specs, box):
    """Every point of the box, and whether the model runs there."""
    parsed = [parse(spec) for spec in specs]
    for values in itertools.product(*box.values()):
        sizes = dict(zip(box, values, strict=True))
        try:
            with torch.no_grad():
                model(*(torch.rand(spec.shape(sizes)) for spec in parsed))
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):
            yield sizes, False
        else:
            yield sizes, True


def conv(*args, **kwargs):
    return nn.Conv2d(*args, **kwargs)


class Residual(nn.Module):
    """Two branches that agree for some sizes only."""

    def __init__(self):
        super().__init__()
        self.a, self.b = conv(1, 2, 3, stride=2), conv(1, 2, 2, stride=2)

    def forward(self, x):
        return self.a(x) + self.b(x)


class UNet(nn.Module):
    def __init__(self, levels):
        super().__init__()
        self.levels = levels
        self.up = nn.ConvTranspose2d(1, 1, 2, stride=2)

    def forward(self, x):
        kept = []
        for _ in range(self.levels):
            kept.append(x)
            x = F.max_pool2d(x, 2)
        for other in reversed(kept):
            x = torch.cat([self.up(x), other], 1)[:, :1]
        return x


class Attends(nn.Module):
    def forward(self, q, k, v):
        return torch.softmax(q @ k.transpose(1, 2), -1) @ v


class Positions(nn.Module):
    """A table of positions cut to the length, as in many transformers."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.rand(1, 9, 4))

    def forward(self, x):
        return x + self.table[:, : x.size(1)]


def padded_to_even(x):
    if x.shape[2] % 2:
        x = F.pad(x, (0, 0, 0, 1))
    return x.view(x.shape[0], x.shape[1], x.shape[2] // 2, 2, -1)


def two_crops(x):
    h = x.shape[2]
    return x[:, :, : h // 2] + x[:, :, h // 2 :]


def raises_on_odd(x):
    if x.shape[-1] % 4 != 0:
        raise ValueError(f"width {x.shape[-1]} is no multiple of 4")
    return x


def asserts_short(x):
    assert x.size(1) <= 12, "too long"
    return x.mean(1)


class Sums(nn.Module):
    def forward(self, x):
        return x.view(x.size(0), -1) @ torch.ones(24, 2)


class HalfSame(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = conv(1, 1, 4, padding="same", dilation=3)
        self.d = conv(1, 1, 3, dilation=4)

    def forward(self, x):
        return self.c(x)[:, :, 4:-4, 4:-4] + self.d(x)


def windows_of_one_size(x):
    """Swin: pictures of one size, cut into windows, and a mask for as many windows as that size has."""
    n, h, w = x.shape
    assert h == 8, "wrong height"
    assert w == 12, "wrong width"
    parts = x.view(n, h // 4, 4, w // 4, 4).transpose(2, 3).reshape(-1, 16)
    return parts.view(-1, 6, 16) + torch.zeros(6, 16)


N3, H14 = range(1, 4), range(1, 15)
SQUARE = {"N": N3, "H": H14, "W": H14}

# name -> model, specs, the box, whether the domain must be exact
ZOO = {
    "conv stride": (conv(1, 2, 5, stride=3, padding=1), ["N,1,H,W"], SQUARE, True),
    "conv dilated": (conv(1, 2, 3, dilation=4), ["N,1,H,W"], SQUARE, True),
    "ceil mode": (
        lambda x: F.max_pool2d(F.max_pool2d(x, 3, 2, 1, ceil_mode=True), 4, 3, 1, ceil_mode=True).flatten(1)
        @ torch.ones(4, 2),
        ["N,1,H,W"], {"N": [1, 2], "H": range(1, 26), "W": range(1, 26)}, True,
    ),
    "pooled away": (
        lambda x: F.avg_pool2d(F.max_pool2d(x, 3), 2), ["N,1,H,W"], SQUARE, True,
    ),
    "residual": (Residual(), ["N,1,H,W"], SQUARE, True),
    "u-net of 3": (
        UNet(3), ["N,1,H,W"],
        {"N": [1, 2], "H": range(1, 34), "W": range(1, 34)}, True,
    ),
    "half same": (
        HalfSame(), ["N,1,H,W"],
        {"N": [1], "H": range(1, 22), "W": range(1, 22)}, True,
    ),
    "two-stage": (
        TwoStage().eval(), ["N,1,H,W"],
        {"N": [1, 2], "H": [*range(1, 9), *range(26, 34)], "W": [3, 4, 7, 8, 27, 28, 31, 32, 195, 196, 199, 200]}, True,
    ),
    "view of six": (lambda x: x.view(-1, 6), ["K,5"], {"K": range(1, 40)}, True),
    "flat product": (Sums(), ["N,H,W"], {"N": N3, "H": range(1, 26), "W": range(1, 26)}, True),
    "batch fixed": (lambda x: x.view(4, -1), ["N,6"], {"N": range(1, 20)}, True),
    "shuffle": (lambda x: F.pixel_shuffle(x, 2), ["N,C,H,3"],
                {"N": N3, "C": range(1, 14), "H": range(1, 5)}, True),
    "shared letter": (lambda a, b: a + b, ["N,T", "N,T"], {"N": N3, "T": H14}, True),
    "broadcast": (lambda a, b: a + b, ["H,3", "K,3"], {"H": H14, "K": H14}, True),
    "broadcast with a number": (lambda a: a + torch.ones(5), ["N,K"], {"N": N3, "K": H14}, True),
    "attention": (Attends(), ["N,T,8", "N,S,8", "N,S,4"], {"N": N3, "T": H14, "S": H14}, True),
    "matmul": (lambda a, b: a @ b, ["N,K", "M,2"], {"N": N3, "K": H14, "M": H14}, True),
    "positions": (Positions(), ["N,T,4"], {"N": N3, "T": H14}, True),
    "padded to even": (padded_to_even, ["N,1,H,W"], SQUARE, False),
    "two crops": (two_crops, ["N,1,H,W"], SQUARE, True),
    "raises": (raises_on_odd, ["N,W"], {"N": N3, "W": range(1, 30)}, True),
    "asserts": (asserts_short, ["N,T"], {"N": N3, "T": range(1, 20)}, True),
    "a place less": (lambda x: x[:, 1:] if x.shape[1] // 2 * (x.shape[2] // 3) == x.shape[2] // 3 else x.view(-1, 3),
                     ["N,H,W"], SQUARE, True),
    "windows of one size": (windows_of_one_size, ["N,H,W"], SQUARE, True),
    "slices": (lambda x: x[:, 3:-2] @ torch.ones(4, 2), ["N,K"], {"N": N3, "K": H14}, True),
    "index": (lambda x: x[:, 7] + x[:, -3], ["N,K"], {"N": N3, "K": H14}, True),
    "chunk": (lambda x: torch.add(*x.chunk(2, 1)), ["N,K"], {"N": N3, "K": range(1, 20)}, True),
    "split": (lambda x: torch.cat(x.split(3, 1)[:2], 1), ["N,K"], {"N": N3, "K": range(1, 20)}, False),
    "split in two": (lambda x: torch.add(*x.split([3, 3], 1)), ["N,K"], {"N": N3, "K": H14}, True),
    "squeeze": (lambda x: x.squeeze(1) @ torch.ones(3, 2), ["N,C,3"], {"N": N3, "C": H14}, True),
    "expand": (lambda x: x.expand(-1, 6), ["N,K"], {"N": N3, "K": H14}, True),
    "view after transpose": (lambda x: x.transpose(1, 2).view(x.shape[0], -1), ["N,H,W"], SQUARE, True),
    "view after transpose, tried at 1": (lambda x: x.transpose(1, 2).view(x.shape[0], -1), ["N=1,H=1,W=1"],
                                         SQUARE, True),
    "view of channels last": (lambda x: x.permute(0, 2, 3, 1).view(x.shape[0], -1, x.shape[1]), ["N,C,H,W"],
                              {"N": N3, "C": N3, "H": N3, "W": N3}, True),
    "view of heads put back": (lambda x: x.view(x.shape[0], x.shape[1], 2, 4).transpose(1, 2).view(x.shape[0], -1, 8),
                               ["N,T,8"], {"N": N3, "T": H14}, True),
    "view of an expanded tensor": (lambda x: x.unsqueeze(1).expand(-1, 3, -1).view(-1, x.shape[1]), ["N,H"],
                                   {"N": N3, "H": H14}, True),
    "view of part of a split": (lambda x: x.split(4, 2)[1].view(x.shape[0], x.shape[1], 2, 2), ["N,T,8"],
                                {"N": N3, "T": H14}, True),
    "unfold": (lambda x: F.fold(F.unfold(x, 3, stride=2), (9, 9), 3, stride=2), ["N,1,H,W"],
        {"N": [1], "H": range(1, 20), "W": range(1, 20)}, False),
    "transposed": (nn.Sequential(nn.ConvTranspose1d(1, 1, 3, stride=2, padding=2), nn.Conv1d(1, 1, 4)), ["N,1,L"],
        {"N": N3, "L": H14}, True),
    "batch norm in training": (nn.BatchNorm2d(3).train(), ["N,3,H,W"], SQUARE, True),
    "batch norm after stride": (nn.Sequential(conv(1, 2, 3, stride=4), nn.BatchNorm2d(2)).train(),
        ["N,1,H,W"], SQUARE, True),
    "channels free": (nn.Sequential(conv(6, 4, 1, groups=2), nn.GroupNorm(2, 4)), ["N,C,H,W"],
        {"N": [1], "C": range(1, 13), "H": [1, 2], "W": [1, 3]}, True),
    "groups": (lambda x: F.group_norm(x, 3), ["N,C,4"], {"N": N3, "C": H14}, True),
    "reflection": (lambda x: F.pad(x, (3, 3, 2, 2), mode="reflect"), ["N,1,H,W"], SQUARE, False),
    "one value a group": (lambda x: F.group_norm(x, 2), ["N,C,H"],
                          {"N": N3, "C": range(1, 7), "H": range(1, 4)}, True),
    "one value a group, perhaps none": (lambda x: F.group_norm(x[:, :, 1:], 2), ["N,C,H"],
                                        {"N": N3, "C": range(1, 7), "H": range(1, 4)}, True),
    "written in place": (lambda a, b: a.clone().add_(b), ["H,3", "K,3"], {"H": H14, "K": H14}, True),
    "variance": (lambda a, b, v: F.gaussian_nll_loss(a, b, v), ["N,H", "N,H", "N,K"],
                 {"N": N3, "H": range(1, 6), "K": range(1, 6)}, True),
    "square only": (lambda x: x @ x, ["N,H,W"], SQUARE, True),
    "stack of two": (lambda a, b: torch.stack([a, b]), ["N,H", "M,W"],
                     {"N": N3, "H": range(1, 6), "M": N3, "W": range(1, 6)}, True),
    "cat along": (lambda a, b: torch.cat([a, b], 1) @ torch.ones(9, 2), ["N,H", "N,W"], SQUARE, True),
    "lstm": (nn.LSTM(5, 4, batch_first=True), ["N,T,K"], {"N": N3, "T": range(1, 5), "K": range(1, 9)}, True),
    "product at most": (lambda x: torch.zeros(30)[: x.numel()].view(x.shape), ["H,W"], {"H": H14, "W": H14}, True),
    "longest side": (lambda x: x.view(x.size(0), max(x.size(1), x.size(2)), -1), ["N,H,W"], SQUARE, False),
    "ceil of a quarter": (lambda x: x.view(math.ceil(x.size(0) / 4), 4, 2), ["K,2"], {"K": range(1, 30)}, True),
    "interpolates": (lambda x: F.interpolate(x, scale_factor=0.5)[:, :, 2:] + x[:, :, ::4], ["N,1,L"],
        {"N": N3, "L": range(1, 30)}, True),
}  # fmt: skip


@pytest.mark.parametrize("name", ZOO)
def test_the_domain_is_what_pytorch_does(name):
    model, specs, box, must_be_exact = ZOO[name]
    found = sp.derive(model, *specs).domain
    if not must_be_exact and (found is None or not found.exact):
        return  # nothing is claimed
    assert found.exact, found.why
    wrong = [(sizes, runs) for sizes, runs in brute(model, specs, box) if found.contains(**sizes) is not runs]
    assert not wrong, (str(found), wrong[:5])


def test_a_letter_with_one_size_is_a_number_in_conditions_with_others():
    assert str(sp.derive(windows_of_one_size, "N,H,W").domain) == "H = 8, W = 12, N >= 1"


class Places(nn.Module):
    """GPT-2 and OPT: places counted from what came before, or from 2."""

    def __init__(self, first):
        super().__init__()
        self.first, self.table = first, nn.Embedding(10, 4)

    def forward(self, x):
        places = torch.arange(x.shape[1], device=x.device) + self.first
        return x.unsqueeze(-1) + self.table(places.unsqueeze(0))


@pytest.mark.parametrize("first", [0, 2])
def test_places_that_begin_later_end_sooner(first):
    domain = sp.derive(Places(first), "N,T").domain
    assert (str(domain), domain.exact) == (f"1 <= T <= {10 - first}, N >= 1", True)


def test_a_letter_with_one_size_is_a_number_in_conditions_that_cannot_be_solved():
    def heads(x):
        return x.view(x.shape[0], 12 // x.shape[1], -1) if x.shape[1] == 3 and 12 % x.shape[1] == 0 else x.relu()

    found = sp.derive(heads, "N,T=3").domain
    assert (str(found).count("mod"), found.exact) == (0, True)
