"""The sentences of a diagnosis in Chinese: the usual failures are told whole, and nothing but words is changed."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeproof as sp
from shapeproof.render import chinese
from shapeproof.render.chinese import chinese as in_chinese
from small_networks import Fn


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(100, 10)

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


USUAL = {
    "in-features": (Flat(), [(2, 1, 8, 8)]),
    "missing-flatten": (
        Fn(lambda m, x: m.fc(m.conv(x)), conv=nn.Conv2d(1, 4, 3), fc=nn.Linear(144, 10)),
        [(2, 1, 8, 8)],
    ),
    "in-channels": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(8, 4, 3)), [(2, 3, 8, 8)]),
    "missing-batch": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), [(3, 8, 8)]),
    "channels-last": (nn.Conv2d(3, 4, 3), [(2, 8, 8, 3)]),
    "kernel-too-large": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 7)), [(2, 3, 8, 8)]),
    "concat": (lambda a, b: torch.cat([a, b], 1), [(2, 3, 8, 8), (2, 3, 7, 7)]),
    "broadcast": (lambda a, b: a + b, [(2, 3), (2, 4)]),
    "view-size": (lambda x: x.view(2, 5), [(2, 3)]),
    "matmul": (lambda a, b: a @ b, [(2, 3), (2, 3)]),
    "num-features": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(8)), [(2, 3, 8, 8)]),
    "hidden-size": (nn.LSTM(8, 4), [(5, 2, 7)]),
    "embed-dim": (nn.MultiheadAttention(8, 2), [(5, 2, 6)] * 3),
    "target-batch": (lambda a, b: F.cross_entropy(a, b), [(4, 10), "int64[5]"]),
    "one-hot": (lambda a, b: F.cross_entropy(a, b), [(4, 10), "int64[4,10]"]),
}


def kept(text):
    """The numbers, sizes and places of a sentence."""
    return sorted(re.findall(r"[\w./-]+\.py:\d+|\d+", text))


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_failures_are_told_whole(name):
    model, inputs = USUAL[name]
    found = sp.derive(model, *inputs).diagnosis
    assert found is not None
    for text in (found.message, *(fix.text for fix in found.fixes)):
        told = in_chinese(text)
        assert told is not None, text
        assert kept(told) == kept(text)
        assert re.search("[\u4e00-\u9fff]", told)
        assert not re.search(r"\b(expected|got|change|write|instead|the|Where|Then)\b", told), told


def test_by_hand():
    text = (
        "fc (linear) at net.py:13: expected in_features = 784, got 3136 (the last size of (N, 3136)); "
        "it was made by view at net.py:13: 16 * 14 * 14 = 3136"
    )
    assert in_chinese(text) == (
        "fc（linear），net.py:13：应为 in_features = 784，实为 3136（(N, 3136) 的最后一维）；"
        "它来自 net.py:13 的 view：16 * 14 * 14 = 3136"
    )
    text = "In net.py:9, change in_features of fc (Linear) from 784 to 3136."
    assert in_chinese(text) == "在 net.py:9，把 fc（Linear）的 in_features 从 784 改为 3136。"
    more = f"{text} Then at net.py:13, flatten all but the batch, since a Linear takes rows: write A instead of B."
    assert in_chinese(more).endswith(
        "改为 3136。然后在 net.py:13，除批量外全部展平，因为 Linear 按行接收：把 B 写成 A。"
    )


def test_what_fits_no_pattern_has_no_chinese():
    assert in_chinese("fc (linear): expected something quite new, got 3") is None
    assert in_chinese("In net.py:9, pray.") is None


@pytest.mark.parametrize("name", ["MESSAGE", "WHERE", "EXPECTED", "GOT", "FIX", "WHAT", "INPUT", "WORDS"])
def test_each_pattern_says_all_that_the_english_says(name):
    for english, told in getattr(chinese, name):
        names = {part.strip("{+}") for part in re.findall(r"\{\+?\w+\}", english)}
        assert {part.strip("{}") for part in re.findall(r"\{\w+\}", told)} == names, english


def test_the_page_holds_both():
    page = sp.derive(Flat(), (2, 1, 8, 8)).to_html()
    assert "应为 in_features = 100" in page
    assert "expected in_features = 100" in page
