"""Which windows map one size to another: complete, and the conventional ones first."""

import itertools
import subprocess
import sys

import pytest
import torch

import shapeproof as sp


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
