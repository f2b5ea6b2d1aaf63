"""Layers that no class assigns to itself: the line that makes them is told, and the edit of it is proved."""

import importlib.util
import subprocess
import sys

import pytest

SOURCE = """\
import torch
from torch import nn

import shapeproof as sp


def explained(model):  # called here: this file is then the first that is searched
    return sp.derive(model, "2,1,28,28")


script = nn.Sequential(
    nn.Conv2d(1, 8, 3),
    nn.Flatten(),
    nn.Linear(8 * 28 * 28, 10),  # script
)


def factory(width=6):
    layers = [nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten()]
    layers.append(nn.Linear(width * 700, 10))  # factory
    return nn.Sequential(*layers)


short = lambda: nn.Sequential(nn.Flatten(), nn.Linear(700, 10))  # short


def closure():
    conv = nn.Conv2d(1, 4, 3)
    head = nn.Linear(100, 10)  # closure

    def forward(x):
        return head(conv(x).flatten(1))

    return forward


conv, fc = nn.Conv2d(1, 5, 3), nn.Linear(90, 10)  # around


def around(x):
    return fc(torch.flatten(conv(x), 1))


class Ready(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(8, classes))

    def forward(self, x):
        return self.classifier(self.features(x))


def transfer():
    model = Ready()
    model.classifier[1] = nn.Linear(512, 10)  # transfer
    return model


class Body(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, x):
        return self.features(x)


def passed():
    return Body(nn.Sequential(nn.Flatten(), nn.Linear(600, 10)))  # passed
"""
MODELS = {
    "script": 5408,
    "factory": 4056,
    "short": 784,
    "closure": 2704,
    "around": 3380,
    "transfer": 8,
    "passed": 784,
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    path = tmp_path / "loose_layers.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, found)
    # A patch keeps the file's size and second: compiled code of before would be taken for its own.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(found)
    return found


def made(module, name):
    held = getattr(module, name)
    return held if name in ("script", "around") else held()


def line_of(name):
    return next(n for n, line in enumerate(SOURCE.splitlines(), 1) if line.endswith(f"# {name}"))


@pytest.mark.parametrize("name", MODELS)
def test_the_line_that_makes_the_layer_is_told_and_its_edit_proved(module, name):
    diagnosis = module.explained(made(module, name)).diagnosis
    first = diagnosis.fixes[0]
    assert (first.attribute, first.new, first.proved) == ("in_features", MODELS[name], True)
    assert first.source == f"{module.__file__}:{line_of(name)}"
    assert f"is written at {first.source}" in diagnosis.born
    assert f"{first.source}, change in_features of" in first.text


@pytest.mark.parametrize("name", MODELS)
def test_the_patch_mends_the_file(module, name, tmp_path):
    patch = module.explained(made(module, name)).diagnosis.fixes[0].patch
    done = subprocess.run(["patch", "-p0", module.__file__], input=patch, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + patch
    module.__spec__.loader.exec_module(module)
    assert module.explained(made(module, name)).verdict == "proved"


def test_a_container_that_no_line_of_the_users_calls_is_told_by_the_line_that_makes_the_layer(module):
    diagnosis = module.explained(module.script).diagnosis
    assert diagnosis.step.source == f"{module.__file__}:{line_of('script')}"
    assert diagnosis.line.strip() == "nn.Linear(8 * 28 * 28, 10),  # script"


def test_a_function_is_left_with_its_own_layers(module):
    before = module.fc, module.around.__code__, module.fc.in_features
    module.explained(module.around)
    assert (module.fc, module.around.__code__, module.fc.in_features) == before
