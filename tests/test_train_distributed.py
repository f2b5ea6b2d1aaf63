"""Several processes do what one does: the same losses within rounding, the same weights on every rank."""

import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.errors import UsageError
from shapeproof.training.distributed import launched_size
from training_data import small, stripes
from training_workers import together, train_small

OPTIONS = {"optimiser": "adamw", "learning_rate": 0.01, "drop_last": False, "batch_size": 25}


def losses(path):
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if line["kind"] == "step"}


def weights(path, rank=0):
    return torch.load(path / f"rank{rank}.pt", weights_only=True)


def test_two_and_three_processes_match_one_within_rounding(tmp_path):
    for size in (1, 2, 3):
        assert together(size, train_small, tmp_path / str(size), OPTIONS) == [0] * size
    one = losses(tmp_path / "1")
    assert len(one) == 18  # 144 pictures train, 25 a step, three epochs: the last batch of each holds 19
    for size in (2, 3):
        assert losses(tmp_path / str(size)) == pytest.approx(one, abs=2e-4)
        for rank in range(1, size):
            for name, value in weights(tmp_path / str(size)).items():
                assert torch.equal(value, weights(tmp_path / str(size), rank)[name]), name
        for name, value in weights(tmp_path / "1").items():
            assert torch.allclose(value, weights(tmp_path / str(size))[name], atol=2e-3), name
    records = [json.loads((tmp_path / str(size) / "run.json").read_text()) for size in (1, 2, 3)]
    assert [record["machine"]["processes"] for record in records] == [1, 2, 3]


def test_a_stopped_run_of_two_goes_on_with_three_and_one(tmp_path):
    assert together(1, train_small, tmp_path / "whole", OPTIONS) == [0]
    assert together(2, train_small, tmp_path / "run", OPTIONS, 5) == [0, 0]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["status"], record["step"]) == ("stopped", 6)
    assert together(3, train_small, tmp_path / "run", OPTIONS, 11) == [0, 0, 0]
    assert together(1, train_small, tmp_path / "run", OPTIONS) == [0]
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "whole"), abs=2e-4)


def test_a_process_that_dies_ends_the_run_and_it_can_be_resumed(tmp_path):
    codes = together(2, train_small, tmp_path / "run", OPTIONS, 0, 7)
    assert codes == [1, 9]  # rank 1 died; rank 0 says so instead of waiting
    assert together(1, train_small, tmp_path / "run", OPTIONS) == [0]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, nn.BatchNorm1d])
def test_normalisation_over_processes_is_that_of_the_whole_batch(kind, tmp_path):
    assert together(3, normalise_share, kind, tmp_path) == [0, 0, 0]


def normalise_share(kind, folder):
    """One process: compares output, running statistics and gradients with those of the whole batch at once."""
    from torch import distributed

    from shapeproof.training.distributed import joined, synced_normalisation

    torch.manual_seed(0)
    whole = (torch.randn(7, 5, 4, 3) if kind is nn.BatchNorm2d else torch.randn(7, 5)) * 3 + 2
    weight = torch.randn_like(whole)
    expected, norm = kind(5), kind(5)
    reference = whole.clone().requires_grad_()
    (expected(reference) * weight).sum().backward()
    with joined(torch.device("cpu")) as world, synced_normalisation(norm, world):
        mine = torch.arange(7).tensor_split(world.size)[world.rank]
        x = whole[mine].clone().requires_grad_()
        out = norm(x)
        (out * weight[mine]).sum().backward()
        assert torch.allclose(x.grad, reference.grad[mine], atol=1e-5)
        distributed.all_reduce(norm.weight.grad)
        assert torch.allclose(norm.weight.grad, expected.weight.grad, atol=1e-4)
        for name, value in expected.named_buffers():
            assert torch.allclose(value, dict(norm.named_buffers())[name], atol=1e-6), name


def test_contradicting_launcher_variables_are_one_clear_line(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(UsageError, match="WORLD_SIZE=2 needs RANK"):
        launched_size()
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.raises(UsageError, match="WORLD_SIZE is not"):
        launched_size()


@pytest.mark.slow
def test_torchrun_trains_with_one_voice(tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [
        "-m",
        "shapeproof",
        "train",
        "two-stage",
        "--data",
        "digits",
        "--epochs",
        "1",
        "--output",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(
        [*launcher, *command], capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1
    assert "2 processes" in done.stdout


def test_a_launcher_that_started_one_process_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    run = sp.train(small(0), stripes(), "reference", output=tmp_path / "run", threads=1, quiet=False)
    assert "accelerate has started one process" in capsys.readouterr().out
    assert run.record["machine"]["processes"] == 1
