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


@pytest.mark.parametrize("line", sorted({line for text in TEXTS for line in commands(text)} - ELSEWHERE.keys()))
def test_a_documented_command_works(line):
    done = run(line)
    assert done.returncode == 0, done.stderr


def test_the_readmes_table_is_real_output():
    shown = re.search(r"```console\n\$ (.*?)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert run(shown[1]).stdout.strip() == shown[2].strip()


def test_the_commands_left_out_are_still_documented():
    documented = {line for text in TEXTS for line in commands(text)}
    assert documented >= ELSEWHERE.keys()


def test_the_domain_line_is_real():
    assert "works exactly for 16 <= H <= 31, 16 <= W <= 31, N >= 1" in run(
        "shapeproof derive four-stage --input N,1,H,W"
    ).stdout  # fmt: skip
