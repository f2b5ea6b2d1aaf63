"""Fast to start: importing the package and asking for help load neither torch nor numpy."""

import subprocess
import sys
import time

import pytest

from shapeproof.cli import COMMANDS

CHECK = "import sys; {}; print([m for m in ('torch', 'numpy') if m in sys.modules])"


def test_import_loads_neither_torch_nor_numpy():
    code = CHECK.format("import shapeproof; shapeproof.SpecError")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_no_torch(command):
    call = f"from shapeproof.cli import cli; cli.main({[*command.split(), '--help']}, standalone_mode=False)"
    done = subprocess.run([sys.executable, "-c", CHECK.format(call)], capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr
    assert "Usage" in done.stdout


def test_help_answers_within_a_fifth_of_a_second():
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "shapeproof", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.2
