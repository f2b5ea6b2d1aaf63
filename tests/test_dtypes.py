"""A call that PyTorch refuses for a dtype: the exception passes, with a note on the tensor and on edits tried."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeproof as sp
from shapeproof.cli import main


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows, self.fc = nn.Embedding(7, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.rows(x))


class Looked(Table):
    def forward(self, x):
        return self.rows.weight[x]


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x)


class Classes(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x, y):
        return F.cross_entropy(self.fc(x), y)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3)

    def forward(self, x):
        return self.lstm(x)[0]


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.MultiheadAttention(4, 2)

    def forward(self, x):
        return self.heads(x, x, x)[0]


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, batch_first=True)

    def forward(self, x, mask):
        return self.layer(x, src_key_padding_mask=mask)


class Inside(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(x.half())


def noted(model, *inputs):
    with pytest.raises((RuntimeError, ValueError, IndexError, AssertionError)) as raised:
        sp.derive(model, *inputs)
    assert len(raised.value.__notes__) == 1
    return raised.value.__notes__[0]


RUNS = "(tried: the model then runs)"
CASES = {
    "floats to a table": (Table(), ["N,5"], [
        "dtype: rows (embedding) at",
        "expected int64, whole numbers that rows are looked up by, got float32 (x (2, 5))",
        f"fix 1: Give the input as 'int64[N,5]' instead of 'N,5'. {RUNS}", f"write x.long() instead of x. {RUNS}",
    ]),
    "floats as an index": (Looked(), ["3"], ["(getitem)", "'int64[3]' instead of '3'", "write x.long() instead of x."]),
    "bytes of a picture": (Pictures(), ["uint8[1,3,8,8]"], [
        "conv (conv2d) at", "expected float32 as its weights are, got uint8", "'float32[1,3,8,8]'",
        f"write x.float() / 255 instead of x. {RUNS}",
    ]),
    "doubles": (Inside(), ["float64[2,4]"], ["expected float32 as its weights are, got float16", "x.half().float()"]),
    "a model of doubles": (Pictures().double(), ["1,3,8,8"], [
        "expected float64 as its weights are, got float32 (x (1, 3, 8, 8))", "'float64[1,3,8,8]' instead of '1,3,8,8'",
        f"Make the model's weights float32: model.float(). {RUNS}",
    ]),
    "targets of floats": (Classes(), ["2,4", "2"], [
        "expected int64, classes as whole numbers, got float32 (y (2,))", "Give input 2 as 'int64[2]' instead of '2'.",
        "write y.long() instead of y.",
    ]),
    "two that are wrong": (Classes(), ["int64[2,4]", "2"], [
        f"Give input 1 as 'float32[2,4]' instead of 'int64[2,4]'. Then give input 2 as 'int64[2]' instead of '2'. "
        f"{RUNS}",
    ]),
    "a layer's own check": (Recurrent(), ["int64[2,1,4]"], [
        "lstm (LSTM) at", "expected float32 as its weights are, got int64", "write x.float() instead of x.",
    ]),
    "three operands at once": (Attends(), ["float64[2,1,4]"], [
        "heads (", f"'float32[2,1,4]' instead of 'float64[2,1,4]'. {RUNS}",
    ]),
    "a mask of whole numbers": (Masked(), ["2,5,8", "int64[2,5]"], [
        "expected bool, got int64 ((2, 5))", f"Give input 2 as 'bool[2,5]' instead of 'int64[2,5]'. {RUNS}",
    ]),
    "softmax of whole numbers": (lambda x: F.softmax(x, -1), ["int64[2,3]"], ["(softmax)", "expected float32", RUNS]),
    "a mean of whole numbers": (lambda x: x.mean(), ["int64[2,3]"], ["(mean)", "x.float()", RUNS]),
    "a condition of numbers": (lambda x: torch.where(x, x, 0.0), ["2,3"], ["expected bool", "'bool[2,3]'"]),
    "a product of two dtypes": (torch.matmul, ["float64[2,3]", "3,2"], ["expected float32, got float64", "input 1 as"]),
    "a tensor that was given": (Pictures(), [torch.zeros(1, 3, 8, 8, dtype=torch.float64)], [
        f"Give the input in float32: x.float(). {RUNS}",
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_tensor_and_what_to_do_are_noted(name):
    model, inputs, said = CASES[name]
    note = noted(model, *inputs)
    assert all(text in note for text in said), note


def test_an_edit_that_only_moves_the_failure_says_how_far():
    note = noted(nn.Sequential(Table(), nn.Linear(3, 1)), "5,4")
    assert (
        "fix 1: Give the input as 'int64[5,4]' instead of '5,4'. (tried: the model then gets further, to linear" in note
    )


def test_the_model_is_left_as_it_was():
    model = Pictures().double()
    weight = model.conv.weight
    before = weight.detach().clone()
    noted(model, "1,3,8,8")
    assert model.conv.weight is weight
    assert weight.dtype is torch.float64
    assert torch.equal(weight, before)


@pytest.mark.parametrize("error", [RuntimeError("licence"), ValueError("mode"), IndexError("none")])
def test_an_exception_of_another_kind_passes_without_a_note(error):
    def own(x):
        x.relu()
        raise error

    with pytest.raises(type(error)) as raised:
        sp.derive(own, "2,3")
    assert raised.value is error
    assert not hasattr(error, "__notes__")


VALUES = [
    (torch.linalg.inv, [torch.zeros(3, 3)]),
    (lambda x, i: x[i], [torch.zeros(5), torch.full((5,), 7)]),
    (lambda x, i: x.gather(0, i), [torch.zeros(5), torch.full((5,), 7)]),
    (lambda x: torch.distributions.Bernoulli(x, validate_args=True).mean, [torch.full((5,), 7.0)]),
    (lambda i: F.one_hot(i, 3), [torch.full((5,), 7)]),
]


@pytest.mark.parametrize(("model", "inputs"), VALUES)
def test_values_that_are_refused_get_no_note(model, inputs):
    with pytest.raises((RuntimeError, IndexError, ValueError)) as raised:
        sp.derive(model, *inputs)
    assert not hasattr(raised.value, "__notes__")


def test_the_command_line_shows_it_below_the_line_that_failed(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(4, 2)\n\n    def forward(self, x):\n        return self.fc(x)\n"
    )
    with pytest.raises(SystemExit) as ended:
        main(["derive", "net.py:Net", "--input", "int64[N,4]"])
    err = capsys.readouterr().err
    assert ended.value.code == 1
    assert "  net.py:10 in forward: return self.fc(x)\ndtype: fc (linear) at" in err
    assert "'float32[N,4]' instead of 'int64[N,4]'" in err
