"""Fast to start: importing the package and asking for help load neither torch nor numpy."""

import resource
import subprocess
import sys

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


def processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_takes_less_than_a_fifth_of_a_second():
    """Of the processor's time: what else the machine is doing is not measured."""
    times = []
    for _ in range(7):
        began = processor_time()
        subprocess.run([sys.executable, "-m", "shapeproof", "--help"], capture_output=True, check=True)
        times.append(processor_time() - began)
    assert min(times) < 0.2
