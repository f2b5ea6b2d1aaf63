"""The command line's ``derive``, as a user types it."""

import json
import os
import subprocess
import sys

import pytest


def shapeproof(*args, cwd=None):
    command = [sys.executable, "-m", "shapeproof", *map(str, args)]
    environment = {**os.environ, "COLUMNS": "110"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, env=environment)


def test_the_table_shows_arithmetic_and_marks():
    done = shapeproof("derive", "four-stage", "--input", "N,1,28,28")
    assert done.returncode == 0
    assert "floor((28 + 2*2 - 5)/1) + 1 = 28" in done.stdout
    assert "the last row (7 -> 3)" in done.stdout
    assert "the last column (3 -> 1)" in " ".join(done.stdout.split()).replace("column (", "column (")
    assert "needs 128, has 128" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_failing_input_ends_with_status_1_and_says_what_was_expected():
    done = shapeproof("derive", "two-stage", "--input", "8,1,32,32")
    assert done.returncode == 1
    assert "expected in_features = 1568, got 2048" in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("derive", "nothing-such"),
        ("derive", "missing.py:Net", "--input", "1"),
        ("derive", "four-stage", "--input", "1x28x"),
        ("derive", "four-stage", "--input", "N,-1,28,28"),
        ("derive", "four-stage", "--set", "width"),
        ("derive", "four-stage", "--format", "poem"),
        ("derive", "four-stage", "--input", "1,1,28,28", "--output", "no/such/folder/out.md"),
        ("nonsense",),
    ],
)
def test_bad_input_is_one_clear_line_and_status_2(args, tmp_path):
    done = shapeproof(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    assert not list(tmp_path.iterdir())


def test_a_users_own_file_with_arguments(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(4, width)\n"
        "    def forward(self, x):\n"
        "        return self.fc(x)\n"
    )
    done = shapeproof("derive", "net.py:Net", "--input", "N,4", "--set", "width=64", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["output"] == ["N", 64]
    assert data["steps"][0]["source"].endswith("net.py:7")
    missing = shapeproof("derive", "net.py:Net", "--input", "N,4", cwd=tmp_path)
    assert missing.returncode == 2
    assert "--set width=" in missing.stderr
    (tmp_path / "broken.py").write_text("import nothing_of_the_kind\n")
    broken = shapeproof("derive", "broken.py:Net", "--input", "N,4", cwd=tmp_path)
    assert broken.returncode == 2
    assert "broken.py" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_output_goes_to_a_file_whole(tmp_path):
    target = tmp_path / "derivation.md"
    done = shapeproof("derive", "two-stage", "--input", "N,1,28,28", "--format", "markdown", "--output", target)
    assert done.returncode == 0
    assert target.read_text().startswith("## TwoStage on N,1,28,28")
    assert [p.name for p in tmp_path.iterdir()] == ["derivation.md"]


def test_a_function_on_tensors_is_a_target(tmp_path):
    (tmp_path / "ways.py").write_text(
        "import torch\n\ndef attend(q, k, scale=1.0):\n    return torch.softmax(scale * q @ k.mT, -1) @ k\n\n"
        "def make(width: int):\n    return torch.nn.Linear(width, 2)\n"
    )
    specs = ("--input", "2,5,8", "--input", "2,7,8", "--format", "json")
    done = shapeproof("derive", "ways.py:attend", *specs, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == [2, 5, 8]
    factory = shapeproof("derive", "ways.py:make", "--input", "3,4", cwd=tmp_path)
    assert factory.returncode == 2
    assert "give --set width=" in factory.stderr
