"""``shapeproof check`` as a job in continuous integration calls it."""

import json
import os
import subprocess
import sys

import pytest

from shapeproof.checks.table import read
from shapeproof.errors import UsageError

NET = """from torch import nn


class Net(nn.Module):
    def __init__(self, width=16, features=3136):
        super().__init__()
        self.conv = nn.Conv2d(1, width, kernel_size=5, padding=2)
        self.fc = nn.Linear(features, 10)

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


class Raises(nn.Module):
    def forward(self, x):
        return {}["nothing"]
"""
GOOD = """
[tool.shapeproof.targets]
two-stage = "N,1,28,28"

[tool.shapeproof.targets.mnist]
model = "four-stage"
inputs = ["N,1,H,W"]
output = ["N", 10]
domain = "N >= 1, 16 <= W <= 31,16 <= H <= 31"
max-parameters = 271178
proved = true

[tool.shapeproof.targets.net]
model = "net.py:Net"
inputs = { x = "N,1,28,28" }
set = { width = 4 }
output = "(N, 10)"
"""
BAD = """
[tool.shapeproof.targets.fits]
model = "four-stage"
inputs = ["N,1,28,28"]

[tool.shapeproof.targets.output]
model = "four-stage"
inputs = ["N,1,H,W"]
output = "(N, 100)"
domain = "H >= 1"
max-parameters = 1000

[tool.shapeproof.targets.net]
model = "net.py:Net"
inputs = ["N,1,28,28"]

[tool.shapeproof.targets.raises]
model = "net.py:Raises"
inputs = ["N,1,28,28"]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def check(folder, *args, cwd=None):
    command = [sys.executable, "-m", "shapeproof", "check", *map(str, args)]
    environment = {**os.environ, "COLUMNS": "300"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd or folder, timeout=200, env=environment)


def test_targets_that_are_as_expected_are_a_line_each_and_status_0(folder):
    (folder / "pyproject.toml").write_text(GOOD)
    (folder / "below").mkdir()
    done = check(folder, cwd=folder / "below")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["ok", "two-stage"],
        ["ok", "mnist"],
        ["ok", "net"],
    ]
    assert "works exactly for 16 <= H <= 31, 16 <= W <= 31, N >= 1" in done.stdout


def test_what_failed_or_changed_is_told_with_status_1(folder):
    (folder / "pyproject.toml").write_text(BAD)
    done = check(folder)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["ok", "fits"], ["failed", "output"], ["failed", "net"], ["failed", "raises"],
    ]  # fmt: skip
    assert "expected output (N, 100), got (N, 10)" in lines[1]
    assert "expected to work for H >= 1, works for 16 <= H <= 31" in done.stdout
    assert "271,178 parameters, more than 1,000" in done.stdout
    assert "raises KeyError: 'nothing'" in done.stdout
    told = " ".join(done.stdout.split())
    assert "In net.py:5, change features of the model" in told, "paths are written from the working folder"
    one = check(folder, "fits")
    assert (one.returncode, len(one.stdout.splitlines())) == (0, 1)


def test_github_and_json_and_a_file(folder):
    (folder / "pyproject.toml").write_text(BAD)
    done = check(folder, "--format", "github", "output", "net")
    assert done.returncode == 1
    assert (
        "::error file=pyproject.toml,line=6,title=output::output: expected output (N, 100), got (N, 10)" in done.stdout
    )
    assert "::error file=net.py,line=11,title=in-features::net: fc (linear)" in done.stdout
    assert all("\n" not in line for line in done.stdout.splitlines() if line.startswith("::"))
    assert check(folder, "--format", "json", "--output", "out.json").returncode == 1
    data = json.loads((folder / "out.json").read_text())
    assert [row["status"] for row in data] == ["ok", "failed", "failed", "failed"]
    assert data[2]["derivation"]["diagnosis"]["code"] == "in-features"


def test_sarif_has_what_the_standard_requires(folder):
    (folder / "pyproject.toml").write_text(BAD)
    done = check(folder, "--format", "sarif")
    log = json.loads(done.stdout)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "shapeproof"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    assert len(run["results"]) == 5
    for result in run["results"]:
        assert result["ruleId"] in ids
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        (place,) = result["locations"]
        assert not place["physicalLocation"]["artifactLocation"]["uri"].startswith(("/", "file:"))
        assert place["physicalLocation"]["region"]["startLine"] >= 1


def test_a_model_may_be_named_that_no_table_lists(folder):
    done = check(folder, "four-stage", "net.py:Net")
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["ok", "four-stage"], ["ok", "net.py:Net"]]
    assert "H = 14, W = 14" in done.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no [tool.shapeproof.targets]"),
        ("[tool.shapeproof.targets]\n", "no [tool.shapeproof.targets]"),
        ("[tool.shapeproof.targets\n", "cannot be read"),
        ("[tool.shapeproof.targets.a]\nmodel = 'two-stage'\n", "has no inputs"),
        ("[tool.shapeproof.targets.a]\ninput = ['N']\n", "did you mean inputs?"),
        ("[tool.shapeproof.targets.a]\nzzz = 1\n", "known are model, inputs"),
        ("[tool.shapeproof.targets.a]\ninputs = [3]\n", "inputs are specs"),
        ("[tool.shapeproof.targets.a]\ninputs = []\n", "inputs are specs"),
        ("[tool.shapeproof.targets.a]\ninputs = 'N'\ntrain = 'yes'\n", "train is true or false"),
        ("[tool.shapeproof.targets.a]\ninputs = 'N'\nmax-parameters = true\n", "max-parameters is a number"),
        ("[tool.shapeproof.targets]\na = 3\n", "write it as a table"),
    ],
)
def test_a_table_that_makes_no_sense_names_what_to_change(text, told, tmp_path):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        read(tmp_path / "pyproject.toml")
    assert told in str(error.value)


@pytest.mark.parametrize("args", [(), ("nothing-such",), ("--format", "poem"), ("--config", "no.toml")])
def test_what_cannot_be_used_is_status_2(args, folder):
    (folder / "pyproject.toml").write_text(GOOD if args else "")
    done = check(folder, *args)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_one_model_that_does_not_import_is_told_and_the_others_go_on(folder):
    table = '[tool.shapeproof.targets]\n"no.py:Net" = "N"\nfour-stage = "N,1,28,28"\n'
    (folder / "pyproject.toml").write_text(table)
    done = check(folder)
    assert done.returncode == 2
    assert "there is no such file" in done.stdout
    assert "ok       four-stage" in done.stdout
