"""The cause of a failure, the line, and the edits: each proved edit is made here once more, and must run."""

import copy

import pytest
import torch
from torch import nn

import shapeproof as sp


class Net(nn.Module):
    """Layers by name, and what is done with them."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.body = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.body(self, x)


def conv(a, b, k=3, **named):
    return nn.Conv2d(a, b, k, **named)


def flat_head(m, x):
    return m.fc(torch.flatten(m.conv(x), 1))


def plain_head(m, x):
    return m.fc(m.conv(x))


def two(m, x):
    return m.b(m.a(x))


def skip(m, x):
    return x + m.a(x)


def both(m, x):
    return m.a(x) + m.b(x)


# forward, layers, input, code, failing module, (kind, attribute, new) of the first fix
CASES = [
    (flat_head, {"conv": conv(1, 8), "fc": nn.Linear(8 * 28 * 28, 10)}, (2, 1, 28, 28),
     "in-features", "fc", ("argument", "in_features", 8 * 26 * 26)),
    (flat_head, {"conv": conv(3, 8, 5), "fc": nn.Linear(100, 10)}, (2, 3, 20, 20),
     "in-features", "fc", ("argument", "in_features", 2048)),
    (flat_head, {"conv": conv(1, 8), "fc": nn.Linear(8 * 26 * 26, 10)}, (2, 1, 30, 30),
     "in-features", "fc", ("input", "size", (2, 1, 28, 28))),
    (flat_head, {"conv": conv(3, 4, 5), "fc": nn.Linear(4 * 28 * 28, 10)}, (2, 3, 40, 40),
     "in-features", "fc", ("input", "size", (2, 3, 32, 32))),
    (two, {"a": nn.Linear(8, 16), "b": nn.Linear(15, 4)}, (2, 8),
     "in-features", "b", ("argument", "in_features", 16)),
    (two, {"a": nn.Linear(8, 16), "b": nn.Linear(16, 4)}, (2, 5, 9),
     "in-features", "a", ("argument", "in_features", 9)),
    (plain_head, {"conv": conv(1, 8), "fc": nn.Linear(8 * 26 * 26, 10)}, (2, 1, 28, 28),
     "missing-flatten", "fc", ("insert", "flatten", "torch.flatten(x, 1)")),
    (plain_head, {"conv": conv(1, 8), "fc": nn.Linear(77, 10)}, (2, 1, 28, 28),
     "missing-flatten", "fc", ("insert", "flatten", "torch.flatten(x, 1)")),
    (plain_head, {"conv": nn.AdaptiveAvgPool2d(1), "fc": nn.Linear(16, 10)}, (2, 16, 8, 8),
     "missing-flatten", "fc", ("insert", "flatten", "torch.flatten(x, 1)")),
    (two, {"a": nn.Linear(784, 16), "b": nn.Linear(16, 4)}, (2, 28, 28),
     "missing-flatten", "a", ("insert", "flatten", "torch.flatten(x, 1)")),
    (two, {"a": conv(1, 8), "b": conv(8, 8)}, (2, 3, 28, 28), "in-channels", "a", ("argument", "in_channels", 3)),
    (two, {"a": conv(3, 8), "b": conv(16, 8)}, (2, 3, 28, 28), "in-channels", "b", ("argument", "in_channels", 8)),
    (two, {"a": nn.Conv1d(4, 8, 3), "b": nn.Conv1d(4, 8, 3)}, (2, 4, 20),
     "in-channels", "b", ("argument", "in_channels", 8)),
    (two, {"a": conv(3, 8), "b": conv(16, 8, groups=2)}, (2, 3, 28, 28),
     "in-channels", "b", ("argument", "in_channels", 8)),
    (two, {"a": conv(3, 8), "b": conv(8, 8)}, (2, 28, 28, 3),
     "channels-last", "a", ("input", "layout", (2, 3, 28, 28))),
    (two, {"a": conv(1, 8), "b": conv(8, 8)}, (5, 28, 28),
     "missing-channel", "a", ("input", "channel", (5, 1, 28, 28))),
    (two, {"a": conv(1, 8), "b": conv(8, 8)}, (28, 28), "missing-batch", "a", ("input", "batch", (1, 1, 28, 28))),
    (flat_head, {"conv": conv(1, 8), "fc": nn.Linear(8 * 26 * 26, 10)}, (1, 28, 28),
     "missing-batch", "fc", ("input", "batch", (1, 1, 28, 28))),
    (two, {"a": conv(3, 8), "b": nn.BatchNorm2d(16)}, (2, 3, 9, 9),
     "num-features", "b", ("argument", "num_features", 8)),
    (two, {"a": nn.Linear(3, 8), "b": nn.BatchNorm1d(16)}, (2, 3),
     "num-features", "b", ("argument", "num_features", 8)),
    (two, {"a": nn.Linear(3, 8), "b": nn.LayerNorm(16)}, (2, 3),
     "num-features", "b", ("argument", "normalized_shape", (8,))),
    (two, {"a": conv(3, 8), "b": nn.GroupNorm(4, 16)}, (2, 3, 9, 9),
     "num-features", "b", ("argument", "num_channels", 8)),
    (two, {"a": conv(3, 8), "b": conv(8, 8, 5)}, (2, 3, 5, 5),
     "kernel-too-large", "b", ("input", "size", (2, 3, 7, 7))),
    (skip, {"a": conv(4, 4)}, (2, 4, 9, 9), "residual", "", ("argument", "padding", (1, 1))),
    (skip, {"a": conv(4, 8, padding=1)}, (2, 4, 9, 9), "residual", "", ("argument", "out_channels", 4)),
    (both, {"a": conv(4, 8, padding=1), "b": conv(4, 8)}, (2, 4, 9, 9),
     "residual", "", ("argument", "padding", (1, 1))),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case[3]}" for n, case in enumerate(CASES)])
def test_the_code_the_line_and_the_first_edit_are_a_good_engineers(case):
    forward, layers, shape, code, module, first = case
    model = Net(forward, **layers).eval()
    before = copy.deepcopy(model.state_dict())
    found = sp.derive(model, shape).diagnosis
    assert (found.code, found.step.module) == (code, module)
    line = forward.__code__.co_firstlineno + 1
    assert found.step.source == f"{__file__}:{line}"
    fix = found.fixes[0]
    assert (fix.kind, fix.attribute, fix.new) == first
    assert fix.proved
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case[3]}" for n, case in enumerate(CASES)])
def test_every_proved_edit_really_runs(case):
    forward, layers, shape, *_ = case
    for fix in sp.derive(Net(forward, **layers).eval(), shape).diagnosis.fixes:
        if (
            not fix.proved or fix.also or fix.attribute in ("shortcut", "interpolate")
        ):  # more than one place: tests/test_failing.py
            continue
        model = copy.deepcopy(Net(forward, **layers).eval())
        x = torch.rand(fix.new if fix.kind == "input" else shape)
        if fix.kind == "insert":
            setattr(model, fix.module, nn.Sequential(nn.Flatten(), getattr(model, fix.module)))
        elif fix.kind == "argument":
            setattr(model, fix.module, remade(getattr(model, fix.module), fix.attribute, fix.new))
        model(x)


def remade(layer, attribute, new):
    """The layer, constructed again as a user would with the one argument changed."""
    names = {
        nn.Linear: ("in_features", "out_features"),
        nn.BatchNorm1d: ("num_features",),
        nn.BatchNorm2d: ("num_features",),
        nn.LayerNorm: ("normalized_shape",),
        nn.GroupNorm: ("num_groups", "num_channels"),
    }
    convolution = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
    kept = {name: getattr(layer, name) for name in names.get(type(layer), convolution)}
    return type(layer)(**{**kept, attribute: new}).eval()


class Written(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 2)

    def forward(self, x):
        return self.fc(x)


def test_the_fix_names_the_line_of_the_constructor_and_shows_in_text_and_markdown():
    d = sp.derive(Written(), (3, 4))
    line = Written.__init__.__code__.co_firstlineno + 2
    expected = f"In {__file__}:{line}, change in_features of fc (Linear) from 5 to 4."
    assert d.diagnosis.fixes[0].text == expected
    assert "fix 1: " in d.to_text()
    assert "fix 1: " in d.to_markdown()


def test_an_edit_that_moves_the_failure_is_offered_with_the_edit_that_follows():
    found = sp.derive(Net(plain_head, conv=conv(1, 8), fc=nn.Linear(77, 10)), (2, 1, 28, 28)).diagnosis
    assert "Then change in_features of fc (Linear) from 77 to 5408" in found.fixes[0].text
    assert found.fixes[0].proved


def test_a_view_with_fixed_sizes_becomes_a_flatten():
    def forward(m, x):
        return m.fc(m.conv(x).view(64, 5408))

    found = sp.derive(Net(forward, conv=conv(1, 8), fc=nn.Linear(5408, 10)), (7, 1, 28, 28)).diagnosis
    assert found.code == "view-size"
    assert [(fix.kind, fix.new, fix.proved) for fix in found.fixes][:1] == [("call", "torch.flatten(x, 1)", True)]


def test_a_concatenation_along_the_wrong_dim_is_given_the_right_one():
    def forward(m, x):
        return torch.cat([m.a(x), m.b(x)], dim=0)

    found = sp.derive(Net(forward, a=nn.Linear(4, 5), b=nn.Linear(4, 6)), (3, 4)).diagnosis
    fix = found.fixes[0]
    assert (found.code, fix.kind, fix.attribute, fix.new, fix.proved) == ("concat", "call", "dim", 1, True)


def test_a_product_without_its_transpose_is_given_one():
    def scores(q, k):
        return q @ k

    found = sp.derive(scores, (2, 5, 8), (2, 6, 8)).diagnosis
    fix = found.fixes[0]
    assert (found.code, fix.kind, fix.new, fix.proved) == ("matmul", "call", "b.transpose(-2, -1)", True)


def test_a_recurrent_layer_is_given_the_size_that_comes():
    found = sp.derive(Net(lambda m, x: m.a(x)[0], a=nn.LSTM(10, 20, batch_first=True)), (2, 7, 12)).diagnosis
    fix = found.fixes[0]
    assert (found.code, fix.attribute, fix.old, fix.new, fix.proved) == ("hidden-size", "input_size", 10, 12, True)


def test_attention_is_given_the_size_that_comes():
    layer = nn.MultiheadAttention(32, 4, batch_first=True)
    found = sp.derive(Net(lambda m, x: m.a(x, x, x)[0], a=layer), (2, 7, 24)).diagnosis
    fix = found.fixes[0]
    assert (found.code, fix.attribute, fix.old, fix.new, fix.proved) == ("embed-dim", "embed_dim", 32, 24, True)


def test_targets_of_another_batch_are_named():
    def loss(x, y):
        return nn.functional.cross_entropy(x, y)

    found = sp.derive(loss, (4, 10), "int64[5]").diagnosis
    fix = found.fixes[0]
    assert (found.code, fix.kind, fix.new, fix.proved) == ("target-batch", "input", (4,), True)


def test_one_hot_targets_wider_than_the_predictions_ask_for_more_classes_first():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(20, 10)

        def forward(self, x, y):
            return nn.functional.cross_entropy(self.fc(x), y)

    model = Wide()
    found = sp.derive(model, torch.rand(4, 20), torch.eye(12)[:4]).diagnosis
    assert (found.code, found.fixes[0].attribute, found.fixes[0].new) == ("num-classes", "out_features", 12)
    indices = sp.derive(model, torch.rand(4, 20), torch.eye(10)[:4].long()).diagnosis
    assert indices.code == "one-hot"


@pytest.mark.parametrize(
    ("does", "op"),
    [
        (lambda y: y.mean((2, 3)), "mean"),
        (lambda y: y.permute(0, 2, 3, 1), "permute"),
        (lambda y: y[:, :, 0, :], "getitem"),
        (lambda y: y.view(y.size(0), -1, y.size(3)), "size"),
    ],
)
def test_a_picture_that_the_convolution_took_for_a_batch_of_none_lacks_one(does, op):
    layer = nn.Conv2d(3, 8, 3)
    d = sp.derive(lambda x: does(layer(x)), (3, 8, 8))
    fix = d.diagnosis.fixes[0]
    assert (d.diagnosis.code, d.steps[-1].op, fix.proved, fix.new) == ("missing-batch", op, True, (1, 3, 8, 8))
