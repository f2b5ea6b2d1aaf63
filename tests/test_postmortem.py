"""Explanations after the fact, in this process: the line of the user's, the cause, and nothing of theirs changed."""

import contextlib
import io
import sys
import threading
import types

import pytest
import torch
from torch import nn

import shapeproof as sp
from scripts_of_other_errors import SCRIPTS as OTHERS
from scripts_that_fail import HEAD, SCRIPTS
from scripts_with_own_models import SCRIPTS as OWN
from shapeproof.postmortem.explain import explained
from shapeproof.postmortem.words import text

FAILING = SCRIPTS | OWN


def run(source, path):
    """Run a script's text as a file of its own, and give back what it raises."""
    path.write_text(source)
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            exec(compile(source, str(path), "exec"), module.__dict__)
        except Exception as error:  # noqa: BLE001  # whatever a script raises is what is asked for
            return error
    raise AssertionError("the script ran through")


@pytest.mark.parametrize("name", FAILING)
def test_each_script_is_explained_on_the_users_line(name, tmp_path, monkeypatch):
    code, body = FAILING[name]
    source = HEAD + body
    monkeypatch.setattr(sys, "argv", ["job.py"])
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    wanted = next(n for n, line in enumerate(source.splitlines(), 1) if "# FAILS" in line)
    found = explained(run(source, tmp_path / "job.py"))
    assert found is not None
    assert found.lines[0].place == f"{tmp_path / 'job.py'}:{wanted}"
    if not code:
        assert found.derivation is None
        assert found.word
    else:
        assert found.derivation.verdict == "failed"
        assert code in ("*", found.derivation.diagnosis.code)


@pytest.mark.parametrize("name", OTHERS)
def test_an_error_of_another_kind_is_not_explained(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    assert explained(run(HEAD + OTHERS[name], tmp_path / "job.py")) is None


def net():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(10, 2))


def failing(call):
    try:
        call()
    except Exception as error:  # noqa: BLE001  # as above
        return error
    raise AssertionError("it ran through")


def test_nothing_of_the_users_is_changed():
    model, x = net(), torch.rand(2, 1, 8, 8)
    with contextlib.suppress(RuntimeError):
        model(x)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    before, held = x.clone(), dict(model.__dict__)
    error = failing(lambda: model(x))
    moved = {k: v.clone() for k, v in model.state_dict().items()}
    random = torch.get_rng_state()
    assert explained(error).derivation.diagnosis.code == "in-features"
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(x, before)
    assert model.__dict__ == held
    assert model.training
    assert all(torch.equal(value, moved[key]) for key, value in model.state_dict().items())
    assert any(not torch.equal(state[key], moved[key]) for key in state), "the failed call itself had moved them"


def test_the_same_exception_leaves_the_block_and_is_explained_once(capsys):
    model = nn.Linear(3, 2)
    with pytest.raises(RuntimeError) as caught, sp.explain(), sp.explain():
        model(torch.rand(4, 5))
    assert caught.type is RuntimeError
    told = capsys.readouterr().err
    assert "in_features" in told
    assert told.count("explained below") == 1


def test_an_error_of_another_kind_leaves_the_block_without_a_word(capsys):
    with pytest.raises(KeyError), sp.explain():
        {}["x"]
    with pytest.raises(ValueError, match="mine"), sp.explain():
        raise ValueError("mine")
    assert capsys.readouterr() == ("", "")


def test_what_could_not_be_recovered_is_said():
    def build(make):
        x = make()
        del make
        return helper(x.pop())

    def helper(x):
        x = x.reshape(2, 6)
        return x @ torch.rand(5, 3)

    found = explained(failing(lambda: build(lambda: [torch.rand(12)])))
    assert found.derivation.verdict == "failed"
    assert any("helper" in lost for lost in found.lost)


def test_installing_twice_is_installing_once_and_uninstalling_puts_back():
    before = sys.excepthook, threading.excepthook
    sp.install()
    once = sys.excepthook, threading.excepthook
    sp.install()
    assert (sys.excepthook, threading.excepthook) == once != before
    sp.uninstall()
    assert (sys.excepthook, threading.excepthook) == before
    sp.uninstall()
    assert (sys.excepthook, threading.excepthook) == before


BEFORE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(self.conv(x).view(-1, 784))

model, criterion = Net(), nn.CrossEntropyLoss()
images, labels = torch.rand(8, 1, 28, 28), torch.zeros(8).long()
out = model(images)
loss = criterion(out, labels)  # FAILS
"""


def test_a_loss_that_fails_tells_what_is_wrong_in_the_model_before_it(tmp_path):
    found = explained(run(HEAD + BEFORE, tmp_path / "job.py"))
    assert found.derivation.diagnosis.code == "target-batch"
    (warning,) = found.before
    assert warning.code == "batch-reshaped"
    assert "in_features of fc (Linear) from 784 to 3136" in warning.fixes[0].text
    assert "warning batch-reshaped" in text(found)


def test_a_failure_that_moves_when_it_runs_again_is_not_explained(tmp_path):
    source = """
import itertools
turns = itertools.count()

def first(x):
    return x @ torch.rand(5, 2)

def second(x):
    return x.view(7, 7)

def choose(x):
    return first(x) if next(turns) == 0 else second(x)
""".replace("next(turns)", "turns.__next__()")
    found = explained(run(HEAD + source + "choose(torch.rand(3, 4))\n", tmp_path / "job.py"))
    assert found.derivation.diagnosis.code == "matmul"
    assert found.derivation.model == "first"


def test_a_full_device_is_left_alone():
    def forward(x):
        x @ torch.rand(3, 3)
        raise torch.OutOfMemoryError("no room")

    assert explained(failing(lambda: forward(torch.rand(2, 3)))) is None


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("model = nn.Sequential(\n    nn.Flatten(),\n    nn.Linear(10, 2),\n)\nmodel(torch.rand(2, 12))\n",
         (8, "nn.Linear(10, 2)")),
        ("layer = nn.Linear(10, 2)\nlayer(torch.rand(2, 12))\n", (6, "nn.Linear(10, 2)")),
        ("class Net:\n    def __init__(self):\n        self.f = nn.Linear(10, 2)\n\n"
         "    def __call__(self, x):\n        return self.f(x * 2)\n\nNet()(torch.rand(2, 12))\n",
         (8, "nn.Linear(10, 2)")),
    ],
)  # fmt: skip
def test_a_layer_of_no_class_is_found_where_it_is_made(source, made, tmp_path):
    found = explained(run(HEAD + "\n" + source, tmp_path / "job.py"))
    line, call = made
    assert found.made[1:] == (f"{tmp_path / 'job.py'}:{line}", call)
    assert "in_features" in found.derivation.diagnosis.fixes[0].text
    assert found.derivation.diagnosis.fixes[0].proved
