"""Multiply-adds: beside PyTorch's own counter, by hand where it has none, and what others are known to get wrong."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import shapeproof as sp


def macs(model, *inputs, **named):
    found = sp.derive(model, *inputs, **named)
    assert found.verdict == "proved", found.to_text()
    return found.cost.macs


def counted(model, *inputs):
    """Half of PyTorch's floating-point operations: a multiply-add is two of them."""
    # the counter knows the fused kernels of some devices only; the plain one is made of products that it counts
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        model(*inputs)
    return counter.get_total_flops() // 2


def img(*shape):
    return torch.rand(shape)


HEADS = nn.MultiheadAttention(8, 2)
BESIDE_THE_COUNTER = {
    "conv1d": (nn.Conv1d(4, 6, 3, 2, 1), img(2, 4, 17)),
    "conv2d grouped, dilated": (nn.Conv2d(4, 6, 3, 2, 2, dilation=2, groups=2), img(2, 4, 17, 13)),
    "conv3d": (nn.Conv3d(2, 3, 3), img(1, 2, 5, 6, 7)),
    "padding='same'": (nn.Conv2d(3, 8, 5, padding="same"), img(2, 3, 9, 9)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1), img(2, 4, 7, 7)),
    "transposed, grouped": (nn.ConvTranspose2d(4, 6, 3, 2, groups=2), img(2, 4, 7, 7)),
    "linear": (nn.Linear(5, 7), img(2, 3, 5)),
    "matmul broadcast": (lambda a, b: a @ b, img(2, 1, 3, 4), img(5, 4, 6)),
    "addmm": (torch.addmm, img(6), img(3, 4), img(4, 6)),
    "baddbmm": (torch.baddbmm, img(2, 3, 6), img(2, 3, 4), img(2, 4, 6)),
    "einsum of two": (lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b), img(2, 3, 4, 5), img(2, 3, 6, 5)),
    "einsum of three": (lambda a, b, c: torch.einsum("ab,bc,cd->ad", a, b, c), img(2, 3), img(3, 4), img(4, 5)),
    "tensordot": (lambda a, b: torch.tensordot(a, b, 2), img(2, 3, 4), img(3, 4, 5)),
    "attention": (F.scaled_dot_product_attention, img(2, 3, 4, 8), img(2, 3, 6, 8), img(2, 3, 6, 8)),
    "multi-head": (HEADS, img(5, 2, 8), img(6, 2, 8), img(6, 2, 8)),
}


@pytest.mark.parametrize("name", BESIDE_THE_COUNTER)
def test_as_pytorch_counts(name):
    model, *inputs = BESIDE_THE_COUNTER[name]
    assert macs(model, *inputs) == counted(model, *inputs)


def test_a_transposed_convolution_is_not_counted_on_its_larger_output():
    # each of the 7 * 7 inputs meets every weight once; counted at the 14 * 14 outputs it would be four times that
    assert macs(nn.ConvTranspose2d(4, 6, 2, 2), (1, 4, 7, 7)) == 7 * 7 * 4 * 6 * 2 * 2


def test_padding_same_counts_as_its_padding_in_numbers():
    same, number = nn.Conv2d(3, 8, 3, padding="same"), nn.Conv2d(3, 8, 3, padding=1)
    assert macs(same, (1, 3, 9, 9)) == macs(number, (1, 3, 9, 9)) == 81 * 3 * 8 * 9


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_attention_counts_the_same_on_every_path(training):
    # four projections of 10 * 2 rows, and the two products
    layer = nn.MultiheadAttention(16, 4, batch_first=True).train(training)
    x = torch.rand(2, 10, 16)
    assert macs(lambda q: layer(q, q, q)[0], x) == 4 * 20 * 16 * 16 + 2 * 2 * 10 * 10 * 16


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_an_encoder_layer_counts_the_same_on_every_path(training):
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).train(training)
    attention = 4 * 20 * 16 * 16 + 2 * 2 * 10 * 10 * 16
    assert macs(layer, (2, 10, 16)) == attention + 2 * 20 * 16 * 32


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrence_counts_every_weight_at_every_step(kind, gates):
    both = kind(8, 12, 2, batch_first=True, bidirectional=True)
    assert macs(both, (3, 7, 8)) == 3 * 7 * 2 * gates * 12 * ((8 + 12) + (24 + 12))


def test_a_packed_sequence_counts_its_real_steps_alone():
    layer = nn.LSTM(8, 12)

    def run(x):
        return layer(nn.utils.rnn.pack_padded_sequence(x, [5, 3, 1]))[0].data

    assert macs(run, torch.rand(5, 3, 8)) == (5 + 3 + 1) * 4 * 12 * (8 + 12)


def test_cells_count_every_weight():
    lstm = nn.LSTMCell(8, 12)
    assert macs(lambda x: lstm(x)[0], (3, 8)) == 3 * 4 * 12 * (8 + 12)
    assert macs(nn.GRUCell(8, 12), (3, 8)) == 3 * 3 * 12 * (8 + 12)


def test_a_module_called_twice_counts_twice_and_its_parameters_once():
    layer = nn.Linear(6, 6)
    found = sp.derive(nn.Sequential(layer, nn.ReLU(), layer), (2, 6))
    assert (found.cost.macs, found.cost.parameters) == (2 * 2 * 36, 42)


def test_what_is_not_known_is_not_zero():
    assert sp.derive(torch.linalg.inv, torch.eye(3)).cost.macs is None
    assert sp.derive(torch.fft.rfft, (2, 8)).cost.macs is None


def test_norms_activations_and_biases_are_no_multiply_adds():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.GELU(), nn.Softmax(1)).eval()
    assert macs(net, (1, 3, 8, 8)) == 0
    assert macs(nn.Linear(4, 5), (1, 4)) == macs(nn.Linear(4, 5, bias=False), (1, 4)) == 20


class Bottleneck(nn.Module):
    def __init__(self, into, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(into, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.down = None
        if stride != 1 or into != 4 * width:
            self.down = nn.Sequential(nn.Conv2d(into, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + (x if self.down is None else self.down(x)))


def resnet50():
    blocks, into = [], 64
    for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for place in range(count):
            blocks.append(Bottleneck(into, width, stride if place == 0 else 1))
            into = 4 * width
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def test_resnet50():
    with torch.device("meta"):
        net = resnet50().eval()
    found = sp.derive(net, (1, 3, 224, 224))
    assert (found.verdict, found.cost.macs, found.cost.parameters) == ("proved", 4_089_184_256, 25_557_032)
    assert found.cost.macs == counted(net, torch.zeros(1, 3, 224, 224, device="meta"))


class GPT2(nn.Module):
    """GPT-2 small, its head tied to its embedding."""

    def __init__(self, width=768, depth=12, words=50257, places=1024):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(words, width), nn.Embedding(places, width)
        self.blocks = nn.ModuleList(GPT2Block(width) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class GPT2Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = (p.view(n, length, 12, 64).transpose(1, 2) for p in self.qkv(self.ln1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, length, width)
        x = x + self.out(y)
        return x + self.down(F.gelu(self.up(self.ln2(x))))


def test_gpt2_small_counts_its_tied_head_once():
    with torch.device("meta"):
        net = GPT2().eval()
    found = sp.derive(net, "int64[1,64]")
    rows = 64
    layers = 12 * (rows * 12 * 768 * 768 + 2 * rows * rows * 768)
    assert (found.verdict, found.cost.parameters) == ("proved", 124_439_808)
    assert found.cost.macs == layers + rows * 768 * 50257


def test_vmap_counts_every_call_that_it_makes_of_one():
    layer = nn.Linear(4, 5)
    found = sp.derive(lambda x: torch.vmap(lambda row: layer(row) @ torch.ones(5, 2))(x), (7, 3, 4))
    assert found.cost.macs == counted(torch.vmap(lambda row: layer(row) @ torch.ones(5, 2)), torch.zeros(7, 3, 4))
    assert found.cost.macs == 7 * 3 * (4 * 5 + 5 * 2)
    twice = sp.derive(lambda x, y: torch.vmap(torch.vmap(torch.dot, in_dims=(None, 0)), in_dims=(0, None))(x, y),
                      "N,4", "M,4")  # fmt: skip
    assert str(twice.cost.macs) == "4*M*N"
