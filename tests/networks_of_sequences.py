"""Small networks over sequences, tokens and rows, as people write them; their sizes stand in networks_of_every_kind."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class CausalSelfAttention(nn.Module):
    """As in nanoGPT, with a mask of the longest length."""

    def __init__(self, width=8, heads=2, longest=10):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.register_buffer("mask", torch.tril(torch.ones(longest, longest)).view(1, 1, longest, longest))

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.qkv(x).split(8, dim=2)
        q = q.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        k = k.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        v = v.view(b, t, self.heads, c // self.heads).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        att = att.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf")).softmax(-1)
        return (att @ v).transpose(1, 2).contiguous().view(b, t, c)


class CrossAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.att = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, memory, mask):
        return self.att(x, memory, memory, key_padding_mask=mask)[0]


class Positions(nn.Module):
    """Token and position embeddings added, positions by arange."""

    def __init__(self, longest=9):
        super().__init__()
        self.tok, self.pos = nn.Embedding(11, 4), nn.Embedding(longest, 4)

    def forward(self, ids):
        return self.tok(ids) + self.pos(torch.arange(ids.size(1), device=ids.device))


class LearnedSlice(nn.Module):
    def __init__(self):
        super().__init__()
        self.pe = nn.Parameter(torch.zeros(1, 12, 6))

    def forward(self, x):
        return self.pe[:, : x.size(1), :] + x


class HardBatch(nn.Module):
    def forward(self, x):
        return x.view(5, -1, 2).sum(-1)


class StackedRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.GRU(4, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.b = nn.LSTM(10, 3, batch_first=True)
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        x, _ = self.a(x)
        x, (h, _) = self.b(x)
        return self.fc(h[-1]), x[:, -1]


class RNNCellLoop(nn.Module):
    """A cell rolled over time by hand."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x):
        n, t, _ = x.shape
        h, c = torch.zeros(n, 4), torch.zeros(n, 4)
        for i in range(t):
            h, c = self.cell(x[:, i], (h, c))
        return h


class CeilQuarter(nn.Module):
    def forward(self, x):
        n = math.ceil(x.size(1) / 4)
        x = F.pad(x, (0, n * 4 - x.size(1)))
        return x.view(x.size(0), n, 4)


class DivMod(nn.Module):
    def forward(self, x):
        rows, rest = divmod(x.shape[1], 3)
        if rest:
            raise ValueError(f"{x.shape[1]} values make no rows of 3")
        return x.view(-1, rows, 3).mean(1)


class RelativeBias(nn.Module):
    """T5's and Swin's tables of distances."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(2, 15))

    def forward(self, x):
        t = x.size(1)
        place = torch.arange(t)
        index = place[None, :] - place[:, None] + 7
        return x @ x.transpose(1, 2) + self.table[0][index]


class Rotary(nn.Module):
    def forward(self, q):
        _b, _h, t, d = q.shape
        freq = 1.0 / (10000 ** (torch.arange(0, d, 2).float() / d))
        angle = torch.outer(torch.arange(t).float(), freq)
        cos, sin = angle.cos(), angle.sin()
        a, c = q[..., ::2], q[..., 1::2]
        return torch.stack([a * cos - c * sin, a * sin + c * cos], -1).flatten(-2)


class EinsumHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(8, 2, 4))

    def forward(self, x, y):
        q = torch.einsum("btd,dhk->bhtk", x, self.w)
        k = torch.einsum("bsd,dhk->bhsk", y, self.w)
        return torch.einsum("bhtk,bhsk->bhts", q, k).softmax(-1)


class WaveNet(nn.Module):
    """Dilated convolutions; the skip keeps the end."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(1, 1, 2, dilation=2**i) for i in range(4))

    def forward(self, x):
        for layer in self.layers:
            y = layer(x)
            x = y + x[:, :, -y.size(2) :]
        return x


class SameLengthAsserts(nn.Module):
    def forward(self, ids, mask):
        assert ids.shape == mask.shape
        assert ids.size(1) <= 16, "sequence too long"
        return (ids * mask).sum(1) / mask.sum(1)


class LocalAttention(nn.Module):
    """Blocks of 4, the sequence must come out even, as in Longformer."""

    def forward(self, x):
        b, t, d = x.shape
        if t % 4 != 0:
            raise ValueError(f"length {t} is not a multiple of 4")
        blocks = x.reshape(b, t // 4, 4, d)
        scores = blocks @ blocks.transpose(-1, -2)
        return (scores.softmax(-1) @ blocks).reshape(b, t, d)


class Pairs(nn.Module):
    """Every pair of rows."""

    def forward(self, x):
        n = x.size(0)
        left = x.unsqueeze(1).expand(n, n, -1)
        right = x.unsqueeze(0).repeat(n, 1, 1)
        return torch.cat([left, right], -1).view(n * n, -1)


class TakesTheTop(nn.Module):
    def forward(self, scores):
        return scores.topk(5, dim=1).values + scores.sort(1)[0][:, -5:]


class Outer(nn.Module):
    def forward(self, a, b):
        return torch.bmm(a.unsqueeze(2), b.unsqueeze(1)).view(a.size(0), -1)
