"""Two derivations lined up: alike, on another input, made with other arguments, and of two models."""

import pytest
from torch import nn

import shapeproof as sp
from shapeproof.cli import main
from shapeproof.derivation.compare import lined_up, parting
from shapeproof.models.document import FourStage, TwoStage


def run(capsys, *args):
    with pytest.raises(SystemExit) as ended:
        main(["diff", *args])
    return ended.value.code, *capsys.readouterr()


def test_the_same_is_alike():
    a, b = (sp.derive(FourStage().eval(), "N,1,28,28") for _ in range(2))
    pairs = lined_up(a, b)
    assert len(pairs) == len(a.steps)
    assert parting(pairs) is None


def test_they_part_at_the_first_step_that_differs():
    def net(width):
        return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, width), nn.ReLU())

    apart = parting(lined_up(sp.derive(net(5), (2, 3)), sp.derive(net(6), (2, 3))))
    assert (apart.first.module, apart.first.output, apart.second.output) == ("2", (2, 5), (2, 6))


def test_a_step_that_only_one_has_stands_alone():
    a = sp.derive(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (2, 3))
    b = sp.derive(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Softmax(1)), (2, 3))
    last = lined_up(a, b)[-1]
    assert (last.first, last.second.op) == (None, "softmax")


def test_models_without_a_name_in_common_are_lined_up_by_operations():
    pairs = lined_up(sp.derive(TwoStage().eval(), (2, 1, 28, 28)), sp.derive(nn.ReLU(), (2, 16, 28, 28)))
    assert [(p.first.op, p.second.op) for p in pairs if p.first and p.second] == [("relu", "relu")]


def test_the_command_says_where_two_inputs_part(capsys):
    code, out, _ = run(capsys, "two-stage", "--input", "N,1,28,28", "--input-b", "N,1,32,32")
    assert code == 1
    assert "they part at conv1.0 (conv2d)" in out
    assert "verdict: proved in A, failed in B" in out


def test_the_command_on_two_targets_and_on_alike_ones(capsys):
    code, out, _ = run(capsys, "two-stage", "four-stage", "--input", "N,1,28,28")
    assert code == 1
    assert "parameters: 29,002 in A, 271,178 in B" in out
    code, out, _ = run(capsys, "four-stage", "four-stage", "--input", "N,1,28,28")
    assert code == 0
    assert "alike: all 17 steps" in out
    code, _, err = run(capsys, "four-stage")
    assert code == 2
    assert "nothing to compare" in err
