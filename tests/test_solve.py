"""Which windows map one size to another: complete, and the conventional ones first."""

import itertools
import json
import subprocess
import sys

import pytest
import torch

import shapeproof as sp
from letter_networks import LeNet
from shapeproof.cli import main
from shapeproof.derivation.wanted import arrives, wanted
from shapeproof.errors import UsageError
from shapeproof.models.document import FourStage


def test_28_to_14_begins_with_what_people_write():
    found = sp.solve(28, 14)
    first = {(w.kernel_size, w.stride, w.padding) for w in found[:3]}
    assert {(2, 2, 0), (3, 2, 1)} <= first
    assert found[0].arithmetic.endswith("= 14")


def test_every_window_and_only_those():
    found = {(w.kernel_size, w.stride, w.padding) for w in sp.solve(11, 4)}
    for k, s, p in itertools.product(range(1, 8), range(1, 5), range(4)):
        try:
            out = torch.nn.functional.conv1d(torch.zeros(1, 1, 11), torch.zeros(1, 1, k), stride=s, padding=p).shape[2]
        except RuntimeError:
            out = None
        assert ((k, s, p) in found) is (out == 4), (k, s, p)


def test_pooling_allows_half_the_kernel_as_padding():
    assert all(2 * w.padding <= w.kernel_size for w in sp.solve(28, 14, pool=True))


@pytest.mark.parametrize("bad", [{"size_in": 0}, {"kernel_size": 0}, {"stride": []}, {"padding": -1}])
def test_nonsense_is_refused(bad):
    with pytest.raises(ValueError, match="at least"):
        sp.solve(**{"size_in": 28, "size_out": 14, **bad})


def test_the_command():
    def solve(*args):
        command = [sys.executable, "-m", "shapeproof", "solve", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    done = solve("--in", "28", "--out", "14", "--kernel", "1-3")
    assert done.returncode == 0
    assert "kernel_size=2 stride=2 padding=0   floor((28 + 2*0 - 2)/2) + 1 = 14" in done.stdout
    assert solve("--in", "5", "--out", "50").returncode == 1
    assert solve("--in", "5", "--out", "3", "--kernel", "x").returncode == 2


def test_every_transposed_window_and_only_those():
    choices = {"kernel_size": range(1, 6), "stride": range(1, 4), "padding": range(3), "output_padding": range(2)}
    found = sp.solve(7, 14, **choices, transposed=True)
    rows = {(w.kernel_size, w.stride, w.padding, w.output_padding) for w in found}
    assert (found[0].kernel_size, found[0].stride, found[0].padding) == (2, 2, 0)
    assert found[0].arithmetic == "(7 - 1)*2 - 2*0 + 1*(2 - 1) + 0 + 1 = 14"
    for k, s, p, o in itertools.product(*choices.values()):
        try:
            layer = torch.nn.functional.conv_transpose1d
            out = layer(torch.zeros(1, 1, 7), torch.zeros(1, 1, k), stride=s, padding=p, output_padding=o).shape[2]
        except RuntimeError:
            out = None
        assert ((k, s, p, o) in rows) is (out == 14), (k, s, p, o)


def test_input_sizes_that_make_a_layer_fit():
    found = wanted(LeNet(), "fc", 400, "N,1,H,W")
    assert str(found.domain).startswith("(32 <= H <= 35, 32 <= W <= 35, N >= 1) or (16 <= H <= 19, 112 <= W <= 115")
    assert found.domain.exact
    assert found.factorings[0] == (16, 5, 5)
    assert set(found.factorings) == {(16, 5, 5), (16, 1, 25), (16, 25, 1)}
    assert str(found.arriving) == "16*floor((H - 12)/4)*floor((W - 12)/4)"


def test_another_number_of_features_than_the_layer_has():
    found = wanted(LeNet(), "fc", 256, "N,1,H,W")
    assert found.domain.contains(H=28, W=28)
    for h, w in itertools.product((27, 28, 31, 32, 20, 44), repeat=2):
        assert found.domain.contains(H=h, W=w) is (arrives(LeNet(), "fc", ["N,1,H,W"], {"N": 2, "H": h, "W": w}) == 256)
    assert not wanted(LeNet(), "fc", 401, "N,1,H,W").domain.parts


@pytest.mark.parametrize(
    ("layer", "spec", "says"),
    [("head", "N,1,H,W", "calls fc"), ("fc", "8,1,28,28", "give letters"), ("fc", "N,3,H,W", "not reached")],
)
def test_what_cannot_be_answered_says_why(layer, spec, says):
    with pytest.raises(UsageError, match=says):
        wanted(LeNet(), layer, 400, spec)


def test_the_command_with_a_target(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(864, 2))\n"
    )

    def solve(*args):
        command = [sys.executable, "-m", "shapeproof", "solve", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    done = solve("--target", "net.py:net", "--want", "3=864", "--format", "json")
    data = json.loads(done.stdout)
    assert (done.returncode, data["exact"], [6, 12, 12] in data["factorings"]) == (0, True, True)
    assert "28 <= H <= 29" in data["sizes"]
    for bad in (
        ("--want", "3=864"),
        ("--target", "net.py:net"),
        ("--in", "3"),
        ("--target", "net.py:net", "--want", "3=x"),
    ):
        done = solve(*bad)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "begins", "key"),
    [
        ([], "kernel_size=3 stride=1 padding=1   floor((7 + 2*1 - 3)/1) + 1 = 7", "ceil_mode"),
        (["--transposed"], "kernel_size=1 stride=1 padding=0   (7 - 1)*1", "output_padding"),
    ],
)
def test_the_command_tells_windows_of_both_kinds_in_words_and_as_json(words, begins, key, capsys):
    def told(*more):
        with pytest.raises(SystemExit) as ended:
            main(["solve", "--in", "7", "--out", "7", *words, *more])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert told().splitlines()[0].startswith(begins)
    first = json.loads(told("--format", "json"))[0]
    assert first.keys() == {
        "size_in", "kernel_size", "stride", "padding", "dilation", key, "size_out", "arithmetic"
    }  # fmt: skip
    assert first["size_out"] == 7


def test_plain_data_of_a_window_is_the_same_before_and_after_it_was_shown():
    derivation = sp.derive(FourStage().eval(), "1,1,28,28")
    before = [step["windows"] for step in derivation.to_dict()["steps"]]
    derivation.to_text()
    assert [step["windows"] for step in derivation.to_dict()["steps"]] == before
    assert before[0][0].keys() == {"size_in", "kernel_size", "stride", "padding", "dilation", "ceil_mode"}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"output_padding": 1}, "belongs to a transposed window"),
        ({"size_in": 28.5}, "size_in is a whole number, got 28.5"),
        ({"kernel_size": "3"}, "kernel_size is a whole number, got '3'"),
        ({"kernel_size": []}, "kernel_size is at least 1"),
        ({"stride": [1, 2.5]}, "stride is a whole number, got 2.5"),
    ],
)
def test_what_no_window_can_have(asked, says):
    with pytest.raises(ValueError, match=says):
        sp.solve(**{"size_in": 28, "size_out": 14, **asked})


def test_a_layer_that_takes_no_features():
    with pytest.raises(UsageError, match=r"conv1\.0 \(conv2d\) takes no in_features; what does: fc"):
        wanted(FourStage().eval(), "conv1.0", 4, "N,1,H,W")
