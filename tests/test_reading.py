"""Reading a derivation: modules folded, repeats told once, some steps and columns only, on terminals of any width."""

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.models.document import FourStage
from shapeproof.render.view import View, rows


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(8, 8), nn.LayerNorm(8)

    def forward(self, x):
        return x + torch.relu(self.norm(self.fc(x)))


@pytest.fixture(scope="module")
def deep():
    return sp.derive(nn.Sequential(nn.Linear(3, 8), nn.Sequential(*(Block() for _ in range(12)))), "N,3")


@pytest.fixture(scope="module")
def four():
    return sp.derive(FourStage().eval(), "N,1,28,28")


def cells(derivation, **view):
    return [row.cells for row in rows(derivation, View(**view))]


def test_blocks_that_are_alike_are_told_once(deep):
    assert len(deep.steps) == 1 + 12 * 4
    assert [row[:2] for row in cells(deep)] == [
        ("0", "linear"),
        ("1.[0-11]", "x12"),
        ("1.[0-11].fc", "linear"),
        ("1.[0-11].norm", "layer_norm"),
        ("1.[0-11]", "relu"),
        ("1.[0-11]", "add"),
    ]
    assert "the next 4 steps run 12 times alike" in deep.to_text()
    assert len(cells(deep, whole=True)) == len(deep.steps)


def test_at_a_depth_modules_that_are_alike_are_one_row(deep):
    assert [row[0] for row in cells(deep, depth=2, columns=("module", "output"))] == ["0", "1.[0-11], each"]
    (_, block) = cells(deep, depth=2, columns=("module", "operation", "macs", "parameters"))
    assert block == ("1.[0-11], each", "4 steps", str(8 * 8) + "*N", str(8 * 8 + 8 + 8 + 8))
    assert len(cells(deep, depth=2, whole=True)) == 13


def test_what_comes_from_before_the_blocks_does_not_keep_them_apart():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(40))

        def forward(self, x):
            angle = x.cos()
            for layer in self.layers:
                x = torch.relu(layer(x) * angle + 1)
            return x

    assert len(cells(sp.derive(Shared(), (2, 4)))) < 110


def test_a_depth_makes_each_module_one_row(four):
    shown = cells(four, depth=1, columns=("module", "operation", "arithmetic", "macs", "parameters"))
    assert shown[1] == ("conv2", "4 steps", "(N, 16, 14, 14) -> (N, 32, 7, 7)", "2508800*N", "12,896")
    assert [row[0] for row in shown] == ["conv1", "conv2", "conv3", "conv4", "(model)", "fc"]
    assert cells(four, depth=2) == cells(four)


def test_only_some_steps(four):
    assert [row[0] for row in cells(four, only=("conv2*",))] == ["conv2.0", "conv2.1", "conv2.2", "conv2.3"]
    assert {row[1] for row in cells(four, only=("conv2d", "fc"))} == {"conv2d", "linear"}
    with pytest.raises(sp.UsageError, match="no module or operation matches"):
        rows(four, View(only=("nothing*",)))


def test_columns_by_name(four):
    first = cells(four, columns=("formula", "inputs", "macs", "flops", "bytes", "field", "source"))[0]
    assert first[0] == "floor((H + 2p - k)/s) + 1"
    assert first[1].startswith("(N, 1, 28, 28), (16, 1, 5, 5)")
    assert first[2:6] == ("313600*N", "627200*N", "50176*N", "5 every 1 from -2")
    assert first[6].startswith("document.py:")
    with pytest.raises(sp.UsageError, match=r"no column is called size; there are module, .*macs"):
        View(columns=("module", "size"))


def test_a_failed_module_shows_as_failed():
    d = sp.derive(nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(5, 2))), (2, 3))
    assert [(row.cells[0], row.verdict, row.cells[-1]) for row in rows(d, View(depth=1))] == [("0", "failed", "2 of 3")]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(deep, four, width):
    for derivation in (deep, four):
        assert max(map(len, derivation.to_text(width).splitlines())) <= width


def test_markdown_takes_the_same_view(four):
    text = four.to_markdown(View(depth=1, columns=("module", "output", "field")))
    assert "| module | output | field |" in text
    assert "| `conv1` | `(N, 16, 14, 14)` | `6 every 2 from -2` |" in text


def test_flops_are_two_for_each_multiply_add(four):
    assert four.at(N=1).cost.flops == 2 * 7_175_680
