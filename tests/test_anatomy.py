"""One walk finds what PyTorch's own walks find."""

import pytest
import torch
from torch import nn

from shapeproof.capture.anatomy import Anatomy, anatomy


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.again = self.first
        self.norm = nn.BatchNorm1d(3)
        self.inner = nn.ModuleDict({"a": nn.Sequential(self.norm, nn.PReLU()), "none": nn.Identity()})
        self.register_parameter("absent", None)
        self.register_buffer("state", torch.zeros(2))
        self.inner["a"].register_buffer("same", self.state)


@pytest.mark.parametrize("model", [Tied(), nn.TransformerEncoderLayer(8, 2), nn.LazyLinear(3), nn.Identity()])
def test_as_pytorch_walks(model):
    found = anatomy(model)
    assert [path for path, _ in found.modules] == [path for path, _ in model.named_modules()]
    for ours, theirs in (
        ([module for _, module in found.modules], model.modules()),
        (found.parameters, model.parameters()),
        (found.buffers, model.buffers()),
    ):
        assert list(map(id, ours)) == list(map(id, theirs))
    assert found.waits is isinstance(model, nn.LazyLinear)
    assert len(found.sized) == len(found.parameters) + len(found.buffers) - (2 if found.waits else 0)


def test_a_function_has_no_parts():
    assert anatomy(torch.relu) == Anatomy()
    assert not anatomy(torch.relu).on_meta


def test_a_part_without_values_is_seen():
    assert anatomy(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, device="meta"))).on_meta
