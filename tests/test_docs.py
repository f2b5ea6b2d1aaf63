"""What the documents show is what the program does: every command is run, and the README's table is real output."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXTS = ("README.md", "README.zh-CN.md")
# run elsewhere, or not runnable as they stand
ELSEWHERE = {
    "shapeproof derive path/to/file.py:Net --input N,3,H,W --set width=64": "a place for the reader's own file",
    "shapeproof train four-stage --recipe reference --output runs/first": "minutes; tests/test_train_*.py train",
    "shapeproof evaluate runs/first": "needs the run above",
    "shapeproof derive four-stage --input N,1,H,W --format html --output four-stage.html": "it writes a file",
    "shapeproof run train.py --epochs 3": "the reader's own script; tests/test_docs_explain.py has one",
    "shapeproof check": "the reader's own targets; tests/test_docs_explain.py has some",
    "shapeproof serve": "does not end by itself; tests/test_serve.py starts it",
    "shapeproof predict pretrained photo.jpg": "the reader's own picture; tests/test_predict.py has some",
    "shapeproof export pretrained --output model.onnx": "writes a file; tests/test_export.py runs the three lines",
}


def commands(text):
    for block in re.findall(r"```(?:bash|console)\n(.*?)```", (ROOT / text).read_text(), re.DOTALL):
        for line in block.splitlines():
            line = line.removeprefix("$ ").split("  #")[0].strip()
            if line.startswith("shapeproof "):
                yield line


def run(line, width="96"):
    command = [sys.executable, "-m", *shlex.split(line)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "COLUMNS": width}
    )  # fmt: skip


# its line numbers are those that the documents show
NET = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, kernel_size=5, padding=2)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(7 * 7 * 16, 10)

    def forward(self, x):
        x = self.pool(self.conv(x))
        return self.fc(x.view(x.size(0), -1))
"""


@pytest.mark.parametrize("line", sorted({line for text in TEXTS for line in commands(text)} - ELSEWHERE.keys()))
def test_a_documented_command_works(line):
    done = run(line)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", TEXTS)
def test_the_explanation_is_real_output(text, tmp_path):
    shown = re.search(r"```text\n(.*?)```", (ROOT / text).read_text(), re.DOTALL)
    (tmp_path / "net.py").write_text(NET)
    done = run(f"shapeproof derive {tmp_path / 'net.py'}:Net --input N,1,28,28", "4000")
    assert done.returncode == 1
    assert " ".join(shown[1].split()) in " ".join(done.stdout.replace(f"{tmp_path}/", "").split())


@pytest.mark.parametrize("text", TEXTS)
def test_the_table_is_real_output(text):
    shown = re.search(r"```console\n\$ (.*?)\n(.*?)```", (ROOT / text).read_text(), re.DOTALL)
    assert run(shown[1]).stdout.strip() == shown[2].strip()


def test_the_commands_left_out_are_still_documented():
    documented = {line for text in TEXTS for line in commands(text)}
    assert documented >= ELSEWHERE.keys()


def test_the_domain_line_is_real():
    assert "works exactly for 16 <= H <= 31, 16 <= W <= 31, N >= 1" in run(
        "shapeproof derive four-stage --input N,1,H,W"
    ).stdout  # fmt: skip
