"""Networks of a user's own that training meets: lazy layers, nothing to train, failures in training mode only."""

import os
import signal

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.cli import main
from shapeproof.errors import UsageError
from shapeproof.training.fit import DoesNotFitError
from shapeproof.training.recipes import REFERENCE
from shapeproof.training.run import load_run
from shapeproof.training.train import resume
from training_data import stripes

RECIPE = REFERENCE.with_changes(epochs=2, batch_size=30, learning_rate=0.01)


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.fc = nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.LazyLinear(3)

    def forward(self, x):
        return self.fc(self.norm(self.conv(x)).relu().flatten(1))


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(144, 3), nn.BatchNorm1d(3)

    def forward(self, x):
        return self.norm(self.fc(x.flatten(1)))


class WrongInTraining(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.more = nn.Linear(144, 3), nn.Linear(5, 3)

    def forward(self, x):
        y = self.fc(x.flatten(1))
        return y + self.more(y) if self.training else y


class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(144, 3).requires_grad_(False)

    def forward(self, x):
        return self.fc(x.flatten(1))


class Own(Exception):
    """An exception of the network's own."""


class Raises(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(144, 3)

    def forward(self, x):
        if self.training:
            raise Own
        return self.fc(x.flatten(1))


@pytest.mark.parametrize("recipe", ["reference", "fast"])
def test_lazy_layers_take_their_sizes_and_train_to_the_same_bits(tmp_path, recipe):
    for name in ("a", "b"):
        sp.train(Lazy(), stripes(), recipe, output=tmp_path / name, threads=1, seed=3)
    contents = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert contents[0] == contents[1]
    opened = load_run(tmp_path / "a", Lazy())
    assert opened.predict(stripes().test_images).shape == (60, 3)
    assert opened.model.fc.in_features == 4 * (opened.preparation.shape[1] - 2) ** 2


def test_a_run_of_lazy_layers_is_resumed(tmp_path):
    def stop(event):
        if event.epoch == 1 and event.kind == "epoch":
            os.kill(os.getpid(), signal.SIGINT)

    sp.train(Lazy(), stripes(), RECIPE, output=tmp_path / "whole", threads=1)
    assert sp.train(Lazy(), stripes(), RECIPE, output=tmp_path / "cut", threads=1, callback=stop).record["step"] < 12
    resume(tmp_path / "cut", model=Lazy(), data=stripes())
    contents = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert contents[0] == contents[1]


def test_a_network_that_only_fails_in_training_is_met_with_its_explanation(tmp_path):
    with pytest.raises(DoesNotFitError, match=r"cannot be trained on a batch of \(30, 1, 12, 12\)") as error:
        sp.train(WrongInTraining(), stripes(), RECIPE, output=tmp_path / "run", threads=1)
    assert "in-features: more (linear)" in str(error.value)


def test_a_last_batch_of_one_picture_is_told(tmp_path):
    recipe = RECIPE.with_changes(batch_size=179)  # of 180 pictures
    with pytest.raises(DoesNotFitError, match="single picture: give --drop-last"):
        sp.train(Normalised(), stripes(), recipe, output=tmp_path / "run", threads=1)
    sp.train(Normalised(), stripes(), recipe.with_changes(drop_last=True), output=tmp_path / "run2", threads=1)


def test_nothing_to_train_is_told_and_leaves_nothing(tmp_path):
    with pytest.raises(UsageError, match="Frozen has no weights that can be trained"):
        sp.train(Frozen(), stripes(), RECIPE, output=tmp_path / "run", threads=1)
    assert not (tmp_path / "run").exists()


def test_a_networks_own_exception_passes_through(tmp_path):
    with pytest.raises(Own):
        sp.train(Raises(), stripes(), RECIPE, output=tmp_path / "run", threads=1)


def test_lazy_layers_from_the_command_line(tmp_path, capsys):
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net():\n"
        "    return nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(10))\n"
    )
    words = ["train", f"{tmp_path / 'net.py'}:net", "--data", "digits", "--threads", "1", "--output", tmp_path / "run"]
    for command in (words, ["evaluate", tmp_path / "run", "--json"]):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in command])
        assert end.value.code == 0, capsys.readouterr().err
    assert torch.is_tensor(load_run(tmp_path / "run").model[2].weight)


class NeverFits(nn.Module):
    """Its linear layer fits no picture near; three colours would need one more edit besides."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 8, 5), nn.Linear(100, 3)

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


def test_other_pictures_are_named_only_where_they_alone_mend_it(tmp_path):
    with pytest.raises(DoesNotFitError, match="change in_features of fc") as error:
        sp.train(NeverFits(), stripes(size=28), RECIPE, output=tmp_path / "run", threads=1)
    assert "change the pictures" not in str(error.value)
