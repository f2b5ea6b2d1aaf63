"""``install``, ``explain``, notebooks and the pytest plugin, each in a process of its own, as users have them."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

HEAD = "import shapeproof as sp\nimport torch\nfrom torch import nn\nlayer = nn.Linear(3, 2)\n"
RULE = "-- shapeproof: this is a shape error"


def python(cwd, *args):
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *map(str, args)], capture_output=True, text=True, cwd=cwd, timeout=120, env=environment
    )


def script(cwd, body):
    (cwd / "job.py").write_text(HEAD + body)
    return python(cwd, "job.py")


def test_installed_an_uncaught_shape_error_ends_with_its_explanation(tmp_path):
    done = script(tmp_path, "sp.install()\nsp.install()\nlayer(torch.rand(4, 5))\n")
    assert done.returncode == 1
    traceback, _, below = done.stderr.partition(RULE)
    assert traceback.rstrip().endswith("mat1 and mat2 shapes cannot be multiplied (4x5 and 3x2)")
    assert "at job.py:7" in below
    assert "change in_features of layer (Linear) from 3 to 5" in " ".join(below.replace("Change", "change").split())
    assert done.stderr.count(RULE) == 1


def test_installed_a_threads_shape_error_is_explained_too(tmp_path):
    work = "t = threading.Thread(target=lambda: layer(torch.rand(4, 5)))\nt.start()\nt.join()\n"
    done = script(tmp_path, f"import threading\nsp.install()\n{work}")
    assert done.returncode == 0
    assert "Exception in thread" in done.stderr.partition(RULE)[0]
    assert RULE in done.stderr


def test_installed_or_not_an_error_of_another_kind_reads_the_same(tmp_path):
    body = "sp.{}\nopen('nothing-such')\n"
    (tmp_path / "job.py").write_text(HEAD + body.format("install()"))
    installed = python(tmp_path, "job.py")
    (tmp_path / "job.py").write_text(HEAD + body.format("derive"))
    plain = python(tmp_path, "job.py")
    assert installed.stderr.replace("sp.install()", "") == plain.stderr.replace("sp.derive", "")
    assert installed.returncode == plain.returncode == 1


def test_a_block_explains_and_the_error_goes_on(tmp_path):
    done = script(
        tmp_path,
        "try:\n    with sp.explain():\n        layer(torch.rand(4, 5))\n"
        "except RuntimeError as error:\n    print(type(error).__name__)\n",
    )
    assert (done.returncode, done.stdout) == (0, "RuntimeError\n")
    assert RULE in done.stderr


IPYTHON = pytest.importorskip("IPython", reason="needs IPython")


def test_in_a_notebooks_shell_a_cell_is_explained_below_its_error(tmp_path):
    cells = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_cell('%load_ext shapeproof')\n"
        "shell.run_cell('import torch\\nfrom torch import nn\\nlayer = nn.Linear(3, 2)')\n"
        "result = shell.run_cell('x = torch.rand(4, 5)\\ny = layer(x)')\n"
        "print('RESULT', type(result.error_in_exec).__name__)\n"
        "other = shell.run_cell('1 / 0')\n"
        "print('OTHER', type(other.error_in_exec).__name__)\n"
        "shell.run_cell('%unload_ext shapeproof')\n"
        "shell.run_cell('layer(x)')\n"
    )
    (tmp_path / "cells.py").write_text(cells)
    done = python(tmp_path, "cells.py")
    assert done.returncode == 0, done.stderr
    assert "RESULT RuntimeError" in done.stdout
    assert "OTHER ZeroDivisionError" in done.stdout
    assert done.stdout.count("mat1 and mat2 shapes cannot be multiplied") >= 2
    assert done.stderr.count(RULE) == 1
    assert "y = layer(x)" in done.stderr
    assert "x (4, 5)" in done.stderr


TESTS = """import torch
from torch import nn
import pytest


def test_model():
    model = nn.Sequential(nn.Flatten(), nn.Linear(10, 2))
    assert model(torch.rand(2, 1, 8, 8)).shape == (2, 2)


def test_other():
    assert 1 == 2


@pytest.fixture
def made():
    return torch.rand(3, 4) @ torch.rand(5, 6)


def test_of_a_fixture(made):
    pass
"""


# an installed package registers the plugin itself; a source tree on the path does not
REGISTERED = any(point.value == "shapeproof.postmortem.plugin" for point in entry_points(group="pytest11"))
LOADED = () if REGISTERED else ("-p", "shapeproof.postmortem.plugin")


def test_the_pytest_plugin_explains_only_when_it_is_asked_to(tmp_path):
    (tmp_path / "test_mine.py").write_text(TESTS)
    call = ("-m", "pytest", "-q", *LOADED, "-p", "no:cacheprovider", "test_mine.py")
    asked = python(tmp_path, *call, "--shapeproof")
    plain = python(tmp_path, *call)
    assert asked.returncode == plain.returncode == 1
    assert RULE not in plain.stdout
    assert asked.stdout.count(RULE) == 2
    assert "expected in_features = 10, got 64" in " ".join(asked.stdout.split())
    assert "at test_mine.py:17" in asked.stdout


def test_the_plugin_loads_no_torch(tmp_path):
    (tmp_path / "test_mine.py").write_text("import sys\n\n\ndef test_it():\n    assert 'torch' not in sys.modules\n")
    done = python(tmp_path, "-m", "pytest", "-q", *LOADED, "--shapeproof", "test_mine.py")
    assert done.returncode == 0, done.stdout
