"""Convolutions over few places as matrix products: the convolution's own sums, and nothing of the model's changed."""

import pytest
import torch
from torch import nn

from shapeproof.models.document import FourStage
from shapeproof.training import dense

CASES = [  # in, out, kernel, stride, padding, dilation, height, width
    (64, 128, 5, 1, 2, 1, 3, 3),
    (8, 4, 5, 1, 2, 1, 2, 2),
    (3, 5, (5, 3), 1, (2, 1), 1, 2, 3),
    (2, 3, 4, 2, 1, 1, 2, 3),
    (2, 3, 3, 1, 2, 2, 2, 1),
    (1, 2, 6, 3, 4, 1, 3, 2),
    (4, 4, 3, 1, 0, 1, 3, 3),
]


def results(run, conv, x):
    conv.zero_grad()
    x = x.clone().requires_grad_()
    out = run(x)
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)).sum().backward()
    return [out.detach(), x.grad, *(p.grad.clone() for p in conv.parameters())]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_the_product_is_the_convolution_and_so_are_its_gradients(case, bias):
    torch.manual_seed(0)
    *options, height, width = case
    conv = nn.Conv2d(*options, bias=bias).double()
    x = torch.randn(3, options[0], height, width, dtype=torch.float64)
    ours = results(lambda x: dense.convolved(conv, x), conv, x)
    theirs = results(conv, conv, x)
    assert all(torch.allclose(a, b, rtol=1e-12, atol=1e-12) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("conv", "size", "wanted"),
    [
        (nn.Conv2d(4, 4, 5, padding=2), (3, 3), True),
        (nn.Conv2d(4, 4, 5, padding=2), (3, 4), True),
        (nn.Conv2d(4, 4, 5, padding=2), (4, 4), False),
        (nn.Conv2d(4, 4, 3, padding=1), (2, 2), True),
        (nn.Conv2d(4, 4, 5), (3, 3), False),  # does not fit: PyTorch says so better
        (nn.Conv2d(4, 4, 5, padding=2, groups=2), (2, 2), False),
        (nn.Conv2d(4, 4, 5, padding="same"), (2, 2), False),
        (nn.Conv2d(4, 4, 5, padding=2, padding_mode="circular"), (3, 3), False),
    ],
)
def test_it_is_used_where_most_of_the_kernel_lies_over_padding(conv, size, wanted):
    assert dense.pays(conv, torch.zeros(2, 4, *size)) is wanted
    assert not dense.pays(conv, torch.zeros(4, *size))


def test_a_whole_network_computes_the_same_inside_and_is_itself_again_outside():
    torch.manual_seed(0)
    model, x = FourStage().double().train(), torch.randn(4, 1, 24, 24, dtype=torch.float64)
    before = results(model, model, x)
    names = list(model.state_dict())
    with dense.dense_where_small(model) as count:
        assert count == 4
        assert list(model.state_dict()) == names
        calls = []
        hook = model.conv4[0].register_forward_hook(lambda *_: calls.append(1))
        inside = results(model, model, x)
        hook.remove()
    assert calls == [1]
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(before, inside, strict=True))
    assert not any("forward" in vars(module) for module in model.modules())


def test_it_follows_autocast():
    conv = nn.Conv2d(8, 8, 5, padding=2)
    x = torch.randn(2, 8, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = dense.convolved(conv, x), conv(x)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert torch.allclose(ours.float(), theirs.float(), atol=0.05)


class Doubled(nn.Conv2d):
    def forward(self, x):
        return 2 * super().forward(x)


def test_layers_with_a_forward_of_their_own_are_left_alone():
    model = nn.Sequential(Doubled(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1))
    own = model[1].forward = lambda x: x + 1
    with dense.dense_where_small(model) as count:
        assert count == 0
        assert model[1].forward is own
    assert model[1].forward is own


def test_the_model_is_itself_again_after_a_failure():
    model = FourStage()
    with pytest.raises(RuntimeError), dense.dense_where_small(model):
        model(torch.zeros(1, 3, 28, 28))
    assert not any("forward" in vars(module) for module in model.modules())
