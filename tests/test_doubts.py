"""Warnings: each on a network that runs and is wrong, and silent on its nearest neighbours that are right."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeproof as sp
from shapeproof.doubts import unused
from shapeproof.files import near


class Net(nn.Module):
    """Layers by name, and what is done with them."""

    def __init__(self, body, **layers):
        super().__init__()
        self.body = body
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *x):
        return self.body(self, *x)


def conv(channels):
    return nn.Conv2d(1, channels, 3, padding=1)


def thrown_away(m, x):
    x.permute(0, 2, 1)
    return m.fc(x)


def named_and_not_read(m, x):
    y = x.flatten(1)  # noqa: F841  # that it is not read is what is tested
    return m.fc(x)


def in_place(m, x):
    x.squeeze_(1)
    return m.fc(x)


def asked_for_its_size(m, x):
    rows = x.flatten(1).shape[0]
    return m.fc(x) * rows


class Forgets(nn.Module):
    def __init__(self):
        super().__init__()
        self.used = nn.Linear(3, 3)
        self.forgotten = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
        self.idle = nn.ReLU()

    def forward(self, x):
        return self.used(x)


class Chooses(nn.Module):
    def __init__(self):
        super().__init__()
        self.used = nn.Linear(3, 3)
        self.auxiliary = nn.Linear(3, 3)

    def forward(self, x):
        return self.auxiliary(x) if self.training else self.used(x)


class Lists(nn.Module):
    def __init__(self):
        super().__init__()
        for n in range(3):
            setattr(self, f"layer{n}", nn.Linear(3, 3))

    def forward(self, x):
        return getattr(self, "layer0")(x)  # noqa: B009  # reached by a name that is a text


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.tied = nn.Linear(3, 3)
        self.tied.weight = self.fc.weight
        self.tied.bias = self.fc.bias

    def forward(self, x):
        return F.linear(x, self.fc.weight, self.fc.bias)


def lstm(**named):
    return nn.LSTM(5, 6, **named)


def last_step(m, x):
    return m.fc(m.rnn(x)[0][:, -1])


VIEW = Net(lambda m, x: m.fc(m.c(x).view(-1, 784)), c=conv(4), fc=nn.Linear(784, 10))
SOFTMAX = nn.Linear(3, 4)
# name -> (code, model, inputs, words of the message, what the first fix says; "" where none can be told)
WRONG = {
    "pixels in the batch": ("batch-reshaped", VIEW, ["N,1,28,28"], "(4*N, 784)", "flatten(1)"),
    "pixels in a batch of 8": ("batch-reshaped", VIEW, [(8, 1, 28, 28)], "the batch is 32 instead of 8", "flatten(1)"),
    "reshape": (
        "batch-reshaped", Net(lambda m, x: m.fc(x.reshape(-1, 14)), fc=nn.Linear(14, 2)), ["N,28"], "2*N", "flatten(1)"
    ),
    "all flattened": (
        "batch-flattened", Net(lambda m, x: m.fc(x.flatten()), fc=nn.Linear(56, 2)), [(2, 28)], "one row", "flatten(1)"
    ),
    "all flattened, letters": (
        "batch-flattened", Net(lambda m, x: m.fc(x.view(-1)), fc=nn.Linear(56, 2)), ["N,28"], "one row", "flatten(1)"
    ),
    "squeezed": (
        "squeeze-batch", Net(lambda m, x: m.pool(x).squeeze(), pool=nn.AdaptiveAvgPool2d(1)), ["N,3,8,8"], "(3,)",
        "flatten(1)",
    ),
    "squeezed column": ("squeeze-batch", Net(lambda m, x: torch.squeeze(m.fc(x)), fc=nn.Linear(3, 1)), [(4, 3)],
                        "the batch is gone", "squeeze(1)"),
    "softmax layer": ("softmax-batch", nn.Sequential(SOFTMAX, nn.Softmax(dim=0)), ["N,3"], "over dim 0", "dim of 1"),
    "softmax call": (
        "softmax-batch", Net(lambda m, x: F.softmax(m.fc(x), dim=0), fc=SOFTMAX), [(5, 3)], "over dim 0", "dim=-1"
    ),
    "softmax method": (
        "softmax-batch", Net(lambda m, x: m.fc(x).log_softmax(0), fc=SOFTMAX), ["N,3"], "over dim 0", "dim=-1"
    ),
    "time": ("batch-as-time", Net(last_step, rnn=lstm(), fc=nn.Linear(6, 2)), ["N,T,5"], "(time, batch, features)",
             "batch_first of rnn"),
    "time in numbers": ("batch-as-time", Net(last_step, rnn=lstm(), fc=nn.Linear(6, 2)), [(4, 7, 5)],
                        "the batch of 4", "batch_first of rnn"),
    "loss": ("outer-broadcast", lambda p, t: F.mse_loss(p, t), ["N,1", "N"], "(N, N)", "p.squeeze(1)"),
    "loss the other way": ("outer-broadcast", lambda p, t: F.l1_loss(p, t), [(8,), (8, 1)], "(8, 8)", "t.squeeze(1)"),
    "difference": ("outer-broadcast", lambda p, t: ((p - t) ** 2).mean(), ["N,1", "N"], "(N, N)", "p.squeeze(1)"),
    "loss of maps": ("outer-broadcast", nn.MSELoss(), [(8, 1, 4, 4), (8, 4, 4)], "do not belong together", ""),
    "swapped": ("swapped-axes", lambda x: x.view(x.size(0), 7, 5), ["N,5,7"], "(N, 7, 5)", "x.transpose(1, 2)"),
    "thrown away": ("unused-result", Net(thrown_away, fc=nn.Linear(4, 2)), ["N,4,4"], "permute is not kept",
                    "x = x.permute"),
    "named, not read": ("unused-result", Net(named_and_not_read, fc=nn.Linear(4, 2)), ["N,4,4"], "flatten is not", ""),
    "softmax of one": ("one-value", nn.Sequential(nn.Linear(3, 1), nn.Softmax(dim=1)), ["N,3"], "always gives 1", ""),
    "one class": ("one-value", nn.CrossEntropyLoss(), [torch.rand(4, 1), torch.zeros(4).long()], "loss is 0", ""),
    "never called": ("never-called", Forgets(), ["N,3"], "forgotten (Sequential) is made and never called", ""),
}  # fmt: skip
RIGHT = {
    "one channel": (Net(lambda m, x: m.fc(m.c(x).view(-1, 784)), c=conv(1), fc=nn.Linear(784, 10)), ["N,1,28,28"]),
    "tokens in a row": (Net(lambda m, x: m.fc(x.view(-1, 5)).view(x.size(0), -1, 2), fc=nn.Linear(5, 2)), ["N,T,5"]),
    "tokens that stay in a row": (Net(lambda m, x: m.fc(x.view(-1, 5)), fc=nn.Linear(5, 2)), ["N,T,5"]),
    "windows and back": (lambda x: x.view(-1, 7, 7).mean(2).view(x.size(0), -1), ["N,49,4"]),
    "one sample of its own": (Net(lambda m, x: m.fc(x.flatten()), fc=nn.Linear(784, 2)), [(1, 28, 28)]),
    "a flat loss": (lambda x: x.flatten().sum(), ["N,5"]),
    "squeezed by name": (lambda x: x.squeeze(1), ["N,1,5"]),
    "squeezed weights": (Net(lambda m, x: x * m.w.squeeze(), w=nn.Parameter(torch.rand(5, 1))), ["N,5"]),
    "softmax over classes": (nn.Sequential(SOFTMAX, nn.Softmax(dim=1)), ["N,3"]),
    "softmax over branches": (lambda a, b: torch.stack([a, b]).softmax(0).sum(0), ["N,5", "N,5"]),
    "softmax over time first": (lambda x: x.softmax(0), ["T,N,5"]),
    "one row": (lambda x: x.softmax(0), ["N"]),
    "batch first": (Net(last_step, rnn=lstm(batch_first=True), fc=nn.Linear(6, 2)), ["N,T,5"]),
    "time first": (Net(lambda m, x: m.fc(m.rnn(x)[0][-1]), rnn=lstm(), fc=nn.Linear(6, 2)), ["T,N,5"]),
    "transposed before": (Net(lambda m, x: m.rnn(x.transpose(0, 1))[0], rnn=lstm()), ["N,T,5"]),
    "time first in numbers": (Net(lambda m, x: m.fc(m.rnn(x)[0][-1]), rnn=lstm(), fc=nn.Linear(6, 2)), [(7, 4, 5)]),
    "same shapes": (lambda p, t: F.mse_loss(p, t), ["N,1", "N,1"]),
    "positions": (lambda x: x + (torch.arange(x.size(0))[:, None] - torch.arange(x.size(0))), ["N,N"]),
    "all pairs on purpose": (lambda x: x[:, None] - x[None, :], ["N"]),
    "a mean taken off": (lambda x: x - x.mean(1, keepdim=True), ["N,5"]),
    "reshape into heads": (lambda x: x.view(x.size(0), x.size(1), 4, 2).transpose(1, 2), ["N,T,8"]),
    "reshape after a transpose": (lambda x: x.transpose(1, 2).reshape(x.size(0), 7, 5), ["N,5,7"]),
    "square": (lambda x: x.reshape(x.size(0), 5, 5), ["N,5,5"]),
    "written in place": (Net(in_place, fc=nn.Linear(4, 2)), ["N,1,4"]),
    "asked for its size": (Net(asked_for_its_size, fc=nn.Linear(4, 2)), ["N,4,4"]),
    "called in training only": (Chooses().eval(), ["N,3"]),
    "reached by name": (Lists(), ["N,3"]),
    "weights that are tied": (Functional(), ["N,3"]),
    "layer norm": (nn.LayerNorm(5), ["N,5"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_runs_and_is_wrong_is_warned_of_with_a_mend_that_runs(name):
    code, model, inputs, words, mend = WRONG[name]
    found = sp.derive(model, *inputs)
    assert found.verdict in ("proved", "incomplete")
    (warning,) = found.warnings
    assert warning.code == code
    assert words in warning.message
    assert warning.step in found.steps
    if not mend:
        assert not warning.fixes
        return
    assert mend in warning.fixes[0].text
    assert warning.fixes[0].proved
    text = " ".join(found.to_text().split())
    assert f"warning {code}: " in text
    assert f"fix 1: {near(warning.fixes[0].text)} (tried: the model then runs)" in text


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_not_warned_of(name):
    model, inputs = RIGHT[name]
    found = sp.derive(model, *inputs)
    assert found.verdict in ("proved", "incomplete"), found.to_text()
    assert not found.warnings


def test_a_mend_that_needs_another_says_both():
    fix = sp.derive(VIEW, "N,1,28,28").warnings[0].fixes[0]
    assert "Then change in_features of fc (Linear) from 784 to 3136" in fix.text
    assert VIEW.fc.in_features == 784, "the user's model is as it was"


def test_one_line_in_a_loop_is_told_once():
    class Twice(nn.Module):
        def forward(self, x):
            for _ in range(3):
                x = x.softmax(0)
            return x

    assert len(sp.derive(Twice(), "N,5").warnings) == 1


@pytest.mark.parametrize("name", ["two-stage", "four-stage"])
def test_the_documents_networks_give_no_warning(name):
    from shapeproof.models.target import load

    for inputs in ("N,1,28,28", (8, 1, 28, 28)):
        assert not sp.derive(load(name), inputs).warnings


def test_pytorchs_own_warning_of_a_loss_is_told_once_and_as_ours(recwarn):
    for a, b in (((8, 1), (8,)), ((8, 3), (3,)), ((4, 2, 3), (2, 3))):
        found = sp.derive(lambda a, b: nn.functional.mse_loss(a, b), a, b)
        assert [warning.code for warning in found.warnings] == ["outer-broadcast"], (a, b)
    assert not [w for w in recwarn if "target size" in str(w.message)]


class ForgetsToo(Forgets):
    """Inherits what forgets, and forgets a layer of its own."""

    def __init__(self):
        super().__init__()
        self.more = nn.ModuleList([Forgets(), nn.Linear(2, 2)])


def test_a_file_is_read_once_for_all_the_layers_that_its_classes_forget():
    unused._classes.cache_clear()
    warnings = sp.derive(ForgetsToo(), "N,3").warnings
    assert {w.message.split(" ")[0] for w in warnings} == {"forgotten", "more"}
    assert unused._classes.cache_info().misses == 1
