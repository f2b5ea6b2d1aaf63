"""train, evaluate and runs as a user types them: good input, bad input, exit statuses."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from shapeproof.cli import main

TINY = ["--data", "digits", "--recipe", "reference", "--epochs", "0.2", "--threads", "1"]


def status(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run"
    assert status("train", "two-stage", "--data", "digits", "--epochs", "3", "--threads", "1", "--output", path) == 0
    return path


def test_a_run_directory_has_every_part(trained):
    names = {file.name for file in trained.iterdir()}
    assert {"run.json", "metrics.jsonl", "model.safetensors", "state", "report.html"} == names
    record = json.loads((trained / "run.json").read_text())
    assert (record["status"], record["data"]["name"], record["recipe"]["name"]) == ("finished", "digits", "fast")
    assert record["final"]["test_accuracy"] > 0.8


def test_repeat_gives_the_same_bits(trained, tmp_path):
    assert status("train", "--repeat", trained, "--output", tmp_path / "again") == 0
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_repeat_refuses_what_is_not_the_same_and_tells_what_may_differ(trained, tmp_path, capsys):
    import shutil

    import shapeproof as sp
    from training_data import small, stripes

    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    record = json.loads((copy / "run.json").read_text())
    record["machine"]["processor"] = "another one"
    (copy / "run.json").write_text(json.dumps(record))
    again = sp.repeat(copy, output=tmp_path / "again")
    assert any("processor was another one in the run to repeat" in note for note in again.record["notes"])
    record["data"]["sha256"] = "0" * 64
    (copy / "run.json").write_text(json.dumps(record))
    assert status("train", "--repeat", copy, "--output", tmp_path / "b") == 2
    assert "another content of digits" in capsys.readouterr().err
    sp.train(small(0), stripes(), "reference", output=tmp_path / "own", threads=1)
    assert status("train", "--repeat", tmp_path / "own", "--output", tmp_path / "c") == 2
    assert "no record holds its first weights" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_repeat_refuses_a_network_whose_file_has_changed(tmp_path, capsys):
    file = tmp_path / "net.py"
    file.write_text(NETWORKS)
    assert status("train", f"{file}:Flat", *TINY, "--output", tmp_path / "run") == 0
    file.write_text(NETWORKS + "# changed")
    assert status("train", "--repeat", tmp_path / "run", "--output", tmp_path / "again") == 2
    assert "has changed since" in capsys.readouterr().err


def test_a_run_that_is_too_short_says_so(tmp_path, capsys):
    assert status("train", "two-stage", "--data", "digits", "--batch-size", "2000", "--output", tmp_path / "run") == 0
    out = capsys.readouterr().out
    assert "the batch size is 1,437 instead of 2,000" in out
    assert "1 step in all are few" in out


def test_a_run_on_a_directory_is_evaluated_from_another_place(tmp_path, monkeypatch, capsys):
    from test_data_folders import tree

    tree(tmp_path / "there" / "set", size=(28, 28))
    monkeypatch.chdir(tmp_path / "there")
    (tmp_path / "there" / "net.py").write_text(NETWORKS)
    words = [f"{tmp_path}/there/net.py:Flat", "--set", "classes=3", "--data", "set", "--threads", "1"]
    assert status("train", *words, "--output", "run") == 0
    monkeypatch.chdir(tmp_path)
    assert status("evaluate", tmp_path / "there" / "run", "--json") == 0
    assert '"count": 30' in capsys.readouterr().out


def test_every_field_of_a_recipe_is_an_option(capsys):
    from shapeproof.cli.recipe import FIELDS, described

    words = ["--betas", "0.5", "0.6", "--flip", "--no-normalise", "--optimizer", "adamw", "--margin", "1"]
    assert status("train", "--show-recipe", *words) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert told["betas"] == "(0.5, 0.6)"
    assert (told["flip"], told["normalise"], told["optimiser"], told["margin"]) == ("True", "False", "adamw", "1")
    assert all(described().values())
    assert status("train", "--help") == 0
    out = capsys.readouterr().out
    assert all(f"--{field.name.replace('_', '-')}" in out for field in FIELDS)


def test_reference_prints_the_documents_lines(tmp_path, capsys, monkeypatch):
    from shapeproof.training import loop

    monkeypatch.setattr(loop, "LINES_EVERY", 1)
    assert status("train", "two-stage", *TINY, "--output", tmp_path / "run") == 0
    out = capsys.readouterr().out
    assert "Epoch [1/1], Iter [2/15] Loss: " in out
    assert "images/s" in out
    assert "test accuracy" in out


def test_quiet_is_quiet(tmp_path, capsys):
    assert status("train", "two-stage", *TINY, "--quiet", "--output", tmp_path / "run") == 0
    assert capsys.readouterr().out == ""


def test_evaluate_tells_and_requires(trained, tmp_path, capsys):
    assert status("evaluate", trained, "--require", "50", "--pictures", tmp_path / "worst.png") == 0
    out = capsys.readouterr().out
    for words in ("accuracy", "95 % interval", "calibration", "Confusion", "recall"):
        assert words in out
    assert (tmp_path / "worst.png").stat().st_size > 500
    assert status("evaluate", trained, "--require", "99.99") == 1
    assert "is under the required 99.99 %" in capsys.readouterr().err
    assert status("evaluate", trained, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 360
    assert len(found["confusion"]) == 10
    assert len(found["mistakes"]) == round(360 * (1 - found["accuracy"]))


def test_runs_lists_side_by_side(trained, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert status("runs", trained.parent) == 0
    out = capsys.readouterr().out
    assert "two-stage" in out
    assert "finished" in out
    assert status("runs", trained.parent, "--json") == 0
    assert str(trained) in json.loads(capsys.readouterr().out)


def test_runs_leaves_columns_out_rather_than_cut_words(trained, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    assert status("runs", trained.parent) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if "finished" in line)
    assert row.split()[0] == trained.name
    assert row.rstrip().endswith("%")
    assert "no room for images/s, epochs" in out
    assert "images/s" not in out.splitlines()[1]


def test_show_recipe(capsys):
    assert status("train", "--recipe", "best", "--epochs", "2", "--show-recipe") == 0
    out = capsys.readouterr().out
    assert "rotation" in out
    assert ["epochs", "2.0"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["three-stage"], "three-stage"),
        (["two-stage", "--epochs", "0"], "--epochs 0: give more than 0"),
        (["two-stage", "--epochs", "-1"], "--epochs -1"),
        (["two-stage", "--recipe", "quick"], "no recipe 'quick'"),
        (["two-stage", "--batch-size", "0"], "batch_size = 0"),
        (["two-stage", "--learning-rate", "nan"], "learning_rate = nan"),
        (["two-stage", "--validation", "1"], "--validation 1"),
        (["two-stage", "--threads", "0"], "--threads 0"),
        (["two-stage", "--patience", "3"], "add --validation"),
        (["two-stage", "--optimiser", "sgd"], "one of adam, adamw, muon"),
        (["two-stage", "--data", "no-such-set"], "no-such-set"),
        (["--resume", "nowhere"], "not a run directory"),
        (["--repeat", "nowhere", "--epochs", "2"], "leave out --epochs"),
        (["two-stage", "--resume", "nowhere"], "leave out MODEL"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(words, told, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = [] if {"--data", "--resume", "--repeat"} & set(words) else ["--data", "digits"]
    output = [] if {"--resume", "--repeat"} & set(words) else ["--output", "run"]
    assert status("train", *words, *data, *output) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert status("train", "two-stage", *TINY, "--output", tmp_path / "file") == 2
    assert status("train", "two-stage", *TINY, "--output", tmp_path / "file" / "run") == 2
    assert "give another --output" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    assert status("train", "two-stage", *TINY, "--output", tmp_path / "mine", "--overwrite") == 2
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"


def test_a_run_is_not_overwritten_unasked(trained, capsys):
    assert status("train", "two-stage", *TINY, "--output", trained) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert (trained / "model.safetensors").is_file()


def test_evaluating_what_is_no_run_or_other_weights(trained, tmp_path, capsys):
    assert status("evaluate", tmp_path) == 2
    assert "is not a run directory" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.json").write_text((trained / "run.json").read_text())
    assert status("evaluate", other) == 2
    save_file({"fc.weight": torch.ones(2, 2)}, other / "model.safetensors")
    assert status("evaluate", other) == 2
    err = capsys.readouterr().err
    assert "another network's" in err
    (other / "model.safetensors").write_bytes(b"no weights")
    assert status("evaluate", other) == 2
    assert "not a whole safetensors file" in capsys.readouterr().err


NETWORKS = """
from torch import nn
class Flat(nn.Module):
    def __init__(self, classes=10, inside=28 * 28):
        super().__init__()
        self.fc = nn.Linear(inside, classes)
    def forward(self, x):
        return self.fc(x.view(x.size(0), -1))
"""


def test_a_users_own_network(tmp_path, capsys):
    file = tmp_path / "net.py"
    file.write_text(NETWORKS)
    assert status("train", f"{file}:Flat", *TINY, "--output", tmp_path / "run") == 0
    assert status("evaluate", tmp_path / "run") == 0
    capsys.readouterr()
    assert status("train", f"{file}:Flat", "--set", "inside=700", *TINY, "--output", tmp_path / "a") == 1
    err = capsys.readouterr().err
    assert "784" in err
    assert "Traceback" not in err
    assert status("train", f"{file}:Flat", "--set", "classes=7", *TINY, "--output", tmp_path / "b") == 1
    assert "tells 7 classes apart, but digits has 10" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir() and path.name != "__pycache__") == ["run"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_command_leaves_a_usable_run(tmp_path, number, code):
    words = ["train", "two-stage", "--data", "digits", "--recipe", "reference", "--epochs", "900", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "shapeproof", *words, "--output", str(tmp_path / "run")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for _ in range(1200):
        if (tmp_path / "run" / "metrics.jsonl").exists():
            break
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "continue with `shapeproof train --resume" in err
    assert "Traceback" not in err
    assert load_file(tmp_path / "run" / "model.safetensors")
    assert status("evaluate", tmp_path / "run", "--json") == 0


def test_training_does_not_load_the_compiler(tmp_path):
    code = "import sys; from shapeproof.cli import main\ntry: main()\nfinally: print('torch._dynamo' in sys.modules)"
    words = ["train", "two-stage", *TINY, "--recipe", "fast", "--quiet", "--output", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False"], done.stderr
