"""Blocks of well-known networks: every step has a rule, and agrees with PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeproof as sp


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x):
        y = F.relu(self.norm(self.a(x)))
        y = self.norm(self.b(y))
        y += x
        return F.relu(y)


class GPTBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(50, 16), nn.Embedding(32, 16)
        self.norm, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, ids):
        n, length = ids.shape
        x = self.embed(ids) + self.place(torch.arange(length))
        q, k, v = self.qkv(self.norm(x)).split(16, dim=2)
        q, k, v = (p.view(n, length, 4, 4).transpose(1, 2) for p in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(n, length, 16))
        return x[:, -1] @ self.embed.weight.T


class ViTBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, 16, 4, 4), nn.Parameter(torch.zeros(1, 1, 16))
        self.norm, self.attention = nn.LayerNorm(16), nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        y = self.norm(x)
        return (x + self.attention(y, y, y, need_weights=False)[0])[:, 0]


class Classifier(nn.Module):
    def __init__(self, kind=nn.LSTM):
        super().__init__()
        self.embed, self.out = nn.Embedding(50, 8), nn.Linear(24, 5)
        self.recurrent = kind(8, 12, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, ids):
        return self.out(self.recurrent(self.embed(ids))[0][:, -1])


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 6, 1), nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x), F.max_pool2d(x, 3, 1, 1)], 1)


def inverted():
    return nn.Sequential(
        nn.Conv2d(4, 24, 1), nn.ReLU6(), nn.Conv2d(24, 24, 3, 2, 1, groups=24), nn.ReLU6(), nn.Conv2d(24, 6, 1)
    )


NETWORKS = {
    "residual": (Residual, "N,8,H,W"),
    "gpt": (GPTBlock, "int64[2,10]"),
    "vit": (ViTBlock, "N,3,16,16"),
    "lstm": (Classifier, "int64[3,7]"),
    "gru": (lambda: Classifier(nn.GRU), "int64[3,7]"),
    "rnn": (lambda: Classifier(nn.RNN), "int64[3,7]"),
    "inception": (Inception, "N,4,14,14"),
    "mobile": (inverted, "N,4,14,14"),
    "encoder": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), "3,7,16"),
}


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_step_is_proved(name, training):
    make, spec = NETWORKS[name]
    found = sp.derive(make().train(training), spec)
    assert found.verdict == "proved", found.to_text()
    assert found.cost.macs is not None


def test_macs_of_a_residual_block():
    assert sp.derive(Residual().eval(), "1,8,10,10").cost.macs == 2 * 100 * 8 * 8 * 9


def test_macs_of_a_recurrent_classifier():
    first, second = 2 * 48 * (8 + 12), 2 * 48 * (24 + 12)
    assert sp.derive(Classifier().eval(), "int64[3,7]").cost.macs == 3 * 7 * (first + second) + 3 * 24 * 5


OPERATORS = {
    "x @ y": (lambda x: x @ x, "matmul"),
    "1 - x": (lambda x: 1 - x, "sub"),
    "2 / x": (lambda x: 2 / x, "div"),
    "2 ** x": (lambda x: 2**x, "pow"),
    "-x": (lambda x: -x, "neg"),
    "x ** 2": (lambda x: x**2, "pow"),
    "x > 0": (lambda x: x > 0, "gt"),
    "x[0]": (lambda x: x[0], "getitem"),
    "x.T": (lambda x: x.T, "t"),
    "x.mT": (lambda x: x.mT, "mT"),
}


@pytest.mark.parametrize("text", OPERATORS)
def test_operator_has_its_documented_name(text):
    fn, name = OPERATORS[text]
    found = sp.derive(fn, "4,4")
    assert found.verdict == "proved"
    assert [step.op for step in found.steps] == [name]


def test_reflected_and_is_no_random_tensor():
    found = sp.derive(lambda x: (True & (x > 0), ~(x > 0)), "4,4")
    assert found.verdict == "proved"
    assert [step.op for step in found.steps] == ["gt", "bitwise_and", "gt", "bitwise_not"]
