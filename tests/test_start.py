"""Fast to start: importing the package and asking for help load neither torch nor numpy."""

import ast
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


LOADED = "print(sorted(name for name in sys.modules if name.startswith('shapeproof')))"


def loaded(code):
    done = subprocess.run([sys.executable, "-c", f"import sys; {code}"], capture_output=True, text=True, check=True)
    return [ast.literal_eval(line) for line in done.stdout.splitlines()]


def test_where_torch_is_loaded_derive_is_loaded_with_the_package():
    without, along = loaded(f"import shapeproof; {LOADED}; shapeproof.derive; {LOADED}")
    assert "shapeproof.derivation.derive" not in without
    assert loaded(f"import torch, shapeproof; {LOADED}") == [along]


@pytest.mark.parametrize("network", ["FourStage()", "torch.nn.Sequential(torch.nn.Linear(784, 9), torch.nn.Dropout())"])
def test_a_first_call_at_numbers_loads_nothing_more(network):
    made = f"import torch, shapeproof; from shapeproof.models.document import FourStage; model = {network}"
    call = "shapeproof.derive(model, (2, 784) if len(list(model.parameters())) < 3 else (2, 1, 28, 28)).verdict"
    before, after = loaded(f"{made}; {LOADED}; assert {call} == 'proved'; {LOADED}")
    assert before == after


def test_a_torch_that_cannot_be_used_is_no_matter_until_it_is_needed():
    assert loaded(f"sys.modules['torch'] = None; import shapeproof; {LOADED}")[0]
