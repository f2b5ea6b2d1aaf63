"""Receptive fields: beside the gradient of each single position, or beside where a value that is no number gets to."""

import json
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeproof as sp
from shapeproof.derivation import places
from shapeproof.models.document import FourStage
from small_networks import Fn


def prepared(model):
    """Positive weights, so that nothing cancels, and in double precision, so that nothing is lost."""
    for parameter in model.parameters():
        parameter.data = torch.rand_like(parameter) + 0.1
    return model.double().eval()


def rows_by_gradient(model, x, position):
    """Along each spatial axis the first and the last element with a gradient; ``None`` where there is none."""
    y = model(x.requires_grad_())
    picked = y[(0, slice(None), *position)] if y.dim() > 2 else y
    (gradient,) = torch.autograd.grad(picked.sum(), x, allow_unused=True)
    return ends(gradient[0].abs().sum(0) > 0) if gradient is not None else None


def rows_by_poison(model, x, position):
    """The same by setting each row and column in turn to what is no number, and looking where that arrives."""
    found = []
    for axis in range(x.dim() - 2):
        reached = []
        for place in range(x.shape[axis + 2]):
            spoilt = x.detach().clone()
            spoilt.select(axis + 2, place).fill_(float("nan"))
            with torch.no_grad():
                y = model(spoilt)
            picked = y[(0, slice(None), *position)] if y.dim() > 2 else y
            reached += [place] if picked.isnan().any() else []
        found.append((reached[0], reached[-1]) if reached else None)
    return tuple(found)


def ends(seen):
    if not seen.any():
        return (None,) * seen.dim()
    return tuple((int(p.min()), int(p.max())) for p in seen.nonzero().unbind(1))


def told(field, position, sizes):
    spans = [places.clipped(span, size) for span, size in zip(field.at(*position), sizes, strict=True)]
    return tuple(spans) if None not in spans else (None,) * len(spans)


def checked(model, x, oracle):
    model = prepared(model)
    field = sp.derive(model, x).steps[-1].receptive_field
    assert field is not None
    y = model(x)
    spatial = y.shape[2:] if y.dim() > 2 else (1,) * len(field.size)
    for share in (0, 0.4, 0.5, 0.6, 1):
        position = tuple(int(share * (n - 1)) for n in spatial)
        mine, found = told(field, position, x.shape[2:]), oracle(model, x.detach().clone(), position)
        if 0 < share < 1:
            assert mine == found, position
        else:  # at an edge a map in between may end earlier than what it would have seen
            assert all(f is None or m[0] <= f[0] <= f[1] <= m[1] for m, f in zip(mine, found, strict=True)), position
    return field


def conv(*args, **kwargs):
    return nn.Conv2d(*args, **kwargs, bias=False)


SEQUENCES = {
    "dilated": nn.Sequential(conv(1, 2, 3, padding=2, dilation=2), conv(2, 2, 3, 2)),
    "even and same": nn.Sequential(conv(1, 2, 4, padding="same"), conv(2, 2, 3, stride=2)),
    "oblong": nn.Sequential(conv(1, 2, (3, 5), (2, 1), (1, 2)), nn.AvgPool2d((1, 2))),
    "average pooling with ceil_mode": nn.Sequential(conv(1, 1, 3), nn.AvgPool2d(2, ceil_mode=True), conv(1, 1, 3)),
    "transposed": nn.Sequential(conv(1, 2, 3, 2), nn.ConvTranspose2d(2, 2, 3, 2, 1, 1)),
    "transposed with holes": nn.ConvTranspose2d(1, 1, 2, 3),
    "transposed, then a window": nn.Sequential(nn.ConvTranspose2d(1, 1, 2, 3), conv(1, 1, 3)),
    "transposed, dilated": nn.ConvTranspose2d(1, 1, 3, 2, 2, dilation=3),
    "transposed twice": nn.Sequential(nn.ConvTranspose2d(1, 1, 4, 2, 1), nn.ConvTranspose2d(1, 1, 5, 3, 2, 1)),
    "nearest": nn.Sequential(conv(1, 1, 3, 2), nn.Upsample(scale_factor=2), conv(1, 1, 3)),
    "nearest, odd": nn.Upsample(size=(17, 29)),
    "bilinear": nn.Sequential(conv(1, 1, 3, 2), nn.Upsample(scale_factor=2, mode="bilinear"), conv(1, 1, 3)),
    "pixel shuffle": nn.Sequential(conv(1, 4, 3), nn.PixelShuffle(2), conv(1, 1, 3, stride=3)),
    "pixel unshuffle": nn.Sequential(nn.PixelUnshuffle(2), conv(4, 1, 3)),
    "adaptive": nn.Sequential(conv(1, 1, 3), nn.AdaptiveAvgPool2d(4)),
    "adaptive, odd": nn.AdaptiveAvgPool2d((5, 7)),
    "global": nn.Sequential(conv(1, 1, 3), nn.AdaptiveAvgPool2d(1)),
    "padding as a layer": nn.Sequential(nn.ZeroPad2d((1, 2, 3, 0)), conv(1, 1, 3)),
    "cropped": nn.Sequential(nn.ZeroPad2d(-3), conv(1, 1, 3, 2, padding=1)),
    "head": nn.Sequential(conv(1, 2, 3, 2), nn.Flatten(), nn.Linear(2 * 11 * 11, 3)),
    "group norm": nn.Sequential(conv(1, 4, 3), nn.GroupNorm(2, 4)),
    "batch norm": nn.Sequential(conv(1, 4, 3), nn.BatchNorm2d(4)),
    "residual": Fn(lambda m, x: m.b(F.relu(m.a(x))) + x, a=conv(1, 1, 3, padding=1), b=conv(1, 1, 5, padding=2)),
    "branches of unlike strides": Fn(lambda m, x: m.b(m.a(x)) + m.c(x), a=conv(1, 1, 3, 2, 1), c=conv(1, 1, 7, 4, 3),
                                     b=conv(1, 1, 3, 2, 1)),
    "branches of unlike places": Fn(lambda m, x: m.a(x) + m.b(x), a=conv(1, 1, 3, 2), b=conv(1, 1, 3, 2, dilation=1)),
    "side by side": Fn(lambda m, x: torch.cat([m.a(x), m.b(x)], 1), a=conv(1, 2, 3, padding=1), b=conv(1, 3, 1)),
    "unet": Fn(lambda m, x: m.out(torch.cat([m.up(m.down(x)), x], 1)), down=conv(1, 2, 2, 2),
               up=nn.ConvTranspose2d(2, 2, 2, 2), out=conv(3, 1, 3, padding=1)),
    "squeezed and excited": Fn(lambda m, x: x * m.b(F.adaptive_avg_pool2d(m.a(x), 1)), a=conv(1, 2, 3, padding=1),
                               b=conv(2, 1, 1)),
    "mean": Fn(lambda m, x: m.a(x).mean((2, 3), keepdim=True), a=conv(1, 2, 3)),
    "cut out": Fn(lambda m, x: m.a(x)[:, :, 2:-3, 1::2], a=conv(1, 1, 3)),
    "cut into channels": Fn(lambda m, x: m.a(x).chunk(2, 1)[1] * 2, a=conv(1, 4, 3)),
    "turned": Fn(lambda m, x: m.b(m.a(x).transpose(2, 3)).transpose(2, 3), a=conv(1, 1, (3, 5)), b=conv(1, 1, (1, 4))),
    "flattened and back": Fn(lambda m, x: m.b(m.a(x).flatten(2).view(1, 2, 22, 22)), a=conv(1, 2, 3), b=conv(2, 1, 3)),
    "channels last": Fn(lambda m, x: m.n(m.a(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2), a=conv(1, 4, 3),
                        n=nn.LayerNorm(4)),
    "over all channels and places": Fn(lambda m, x: m.a(x) / m.a(x).sum((1, 2, 3), keepdim=True), a=conv(1, 4, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", SEQUENCES)
def test_as_the_gradient_says(name):
    torch.manual_seed(0)
    checked(SEQUENCES[name], torch.rand(1, 1, 24, 24, dtype=torch.double) + 0.1, rows_by_gradient)


POOLED = {
    "maximum, ceil_mode": nn.Sequential(conv(1, 1, 3, padding=1), nn.MaxPool2d(3, 2, 1, ceil_mode=True), conv(1, 1, 2)),
    "maximum, dilated": nn.Sequential(nn.MaxPool2d(2, 2, dilation=3), conv(1, 1, 3)),
    "stem": nn.Sequential(conv(1, 2, 7, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), conv(2, 1, 3)),
    "adaptive maximum": nn.Sequential(conv(1, 1, 3), nn.AdaptiveMaxPool2d(3)),
    "a row dropped": nn.Sequential(nn.MaxPool2d(5), nn.Flatten(), nn.Linear(16, 2)),
    "softmax over places": Fn(lambda m, x: m.a(x).softmax(2), a=conv(1, 1, 3)),
}


@pytest.mark.parametrize("name", POOLED)
def test_as_poison_spreads(name):
    torch.manual_seed(0)
    checked(POOLED[name], torch.rand(1, 1, 23, 23, dtype=torch.double) + 0.1, rows_by_poison)


def test_along_one_axis_and_three():
    one = nn.Sequential(nn.Conv1d(1, 2, 5, 2), nn.ConvTranspose1d(2, 1, 3, 3), nn.AvgPool1d(2))
    checked(one, torch.rand(1, 1, 30, dtype=torch.double), rows_by_gradient)
    three = nn.Sequential(nn.Conv3d(1, 2, (1, 3, 2), (1, 2, 1)), nn.AvgPool3d(2))
    checked(three, torch.rand(1, 1, 6, 12, 9, dtype=torch.double), rows_by_gradient)


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, 16, 4, 4), nn.Parameter(torch.zeros(1, 1, 16))
        self.norm, self.attention = nn.LayerNorm(16), nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        y = self.norm(x)
        return self.head((x + self.attention(y, y, y, need_weights=False)[0])[:, 0])


def test_attention_sees_the_whole_picture_and_a_patch_itself_before():
    steps = sp.derive(ViT().eval(), (2, 3, 16, 24)).steps
    by_op = {step.op: step.receptive_field for step in steps}
    assert (by_op["flatten"].size, by_op["flatten"].stride) == ((4, 4), (4, 4))
    assert by_op["layer_norm"] is None  # a token that is no patch stands among the patches: no one stride is right
    assert (steps[-1].receptive_field.size, steps[-1].receptive_field.start) == ((16, 24), (0, 0))


def test_attention_written_out_sees_everything():
    def attend(m, x):
        q = k = v = m.a(x).flatten(2).transpose(1, 2)
        return ((q @ k.transpose(1, 2)).softmax(-1) @ v).transpose(1, 2).unflatten(2, (6, 6))

    net = Fn(attend, a=conv(1, 4, 4, 4))
    field = checked(net, torch.rand(1, 1, 24, 24, dtype=torch.double), rows_by_gradient)
    assert (field.size, field.stride) == ((24, 24), (0, 0))


def test_by_hand():
    # upwards by 2: an element of the result sees 1 or 2 of the map, and its neighbour's field is half an element on
    field = sp.derive(nn.ConvTranspose2d(1, 1, 3, 2, 1, 1), (1, 1, 7, 7)).steps[0].receptive_field
    assert (field.size, field.stride, field.start) == ((2, 2), (Fraction(1, 2),) * 2, (0, 0))
    assert [field.at(0, place)[1] for place in range(4)] == [(0, 0), (0, 1), (1, 1), (1, 2)]
    assert field.to_dict() == {"size": [2, 2], "stride": ["1/2", "1/2"], "start": [0, 0]}


def test_vgg16_as_published():
    # Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", table of networks: 212
    layers = []
    for count in (2, 2, 3, 3, 3):
        layers += [nn.Conv2d(1, 1, 3, padding=1) for _ in range(count)] + [nn.MaxPool2d(2)]
    field = sp.derive(nn.Sequential(*layers), (1, 1, 224, 224)).steps[-1].receptive_field
    assert (field.size, field.stride) == ((212, 212), (32, 32))


def test_branches_that_move_at_different_rates_are_not_guessed_at():
    class Unlike(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 1, 3, 2), nn.Conv2d(1, 1, 5, 1)

        def forward(self, x):
            return self.a(x) + self.b(x[:, :, :9, :9])

    steps = sp.derive(Unlike(), (1, 1, 12, 12)).steps
    assert [step.receptive_field is None for step in steps] == [False, False, False, True]


UNKNOWN = {
    "gathered": lambda m, x: m.a(x).gather(2, torch.zeros(1, 1, 4, 22, dtype=torch.long)),
    "written into": lambda m, x: written(m.a(x)),
    "unfolded": lambda m, x: F.unfold(m.a(x), 3),
    "cut along the places": lambda m, x: m.a(x).chunk(2, 2)[1],
    "flipped": lambda m, x: m.a(x).flip(2),
}


def written(x):
    out = torch.zeros_like(x)
    out[:, :, 3:] = x[:, :, :-3]
    return out * 2


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_not_told(name):
    net = Fn(UNKNOWN[name], a=conv(1, 1, 3))
    assert sp.derive(net, (1, 1, 24, 24)).steps[-1].receptive_field is None


def test_of_two_inputs_the_first_is_meant():
    def both(x, y):
        return F.avg_pool2d(x, 2) + F.avg_pool2d(y, 4)

    field = sp.derive(both, (1, 1, 8, 8), (1, 1, 16, 16)).steps[-1].receptive_field
    assert (field.size, field.stride) == ((2, 2), (2, 2))


def test_with_letters_only_what_holds_for_every_size_is_told():
    d = sp.derive(FourStage().eval(), "N,1,H,W")
    assert d.steps[14].receptive_field.size == (76, 76)
    assert d.steps[-1].receptive_field is None
    assert d.at(N=1, H=28, W=20).steps[-1].receptive_field.size == (28, 20)


def test_json_and_the_column_write_fractions():
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Upsample(scale_factor=2))
    d = sp.derive(net, (1, 1, 9, 9))
    assert json.loads(d.to_json())["steps"][1]["receptive_field"]["stride"] == ["1/2", "1/2"]
    from shapeproof.render.view import View

    assert "3 every 1/2 from 0" in d.to_text(view=View(columns=("module", "field")))
