"""``shapeproof run`` as a user types it: shape errors explained on the right line, everything else as it was."""

import os
import signal
import subprocess
import sys

import pytest

TORCH = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"
NET = (
    TORCH
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 5, padding=2)
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        x = self.conv(x)
        x = torch.relu(x).flatten(1)
        print("in forward")
        return self.fc(x)  # FAILS
"""
)


def python(*args, cwd, **more):
    environment = {**os.environ, "COLUMNS": "100", **more}
    return subprocess.run(
        [sys.executable, *map(str, args)], capture_output=True, text=True, cwd=cwd, timeout=120, env=environment
    )


def run(source, cwd, *args, **more):
    (cwd / "job.py").write_text(source)
    return python("-m", "shapeproof", "run", "job.py", *args, cwd=cwd, **more)


def explanation(done):
    """What stands below the traceback, and the first place that it names."""
    above, rule, below = done.stderr.partition("-- shapeproof: ")
    assert rule, done.stderr
    assert "Traceback" in above
    return below, next(line for line in below.splitlines() if line.startswith("at "))


def marked(source):
    """``file:line`` of the line that is marked as the failing one."""
    return f"job.py:{next(n for n, line in enumerate(source.splitlines(), 1) if '# FAILS' in line)}"


def test_a_models_shape_error_is_explained_below_its_own_traceback(tmp_path):
    source = NET + "\nmodel = Net()\nfor step in range(3):\n    out = model(torch.rand(8, 1, 28, 28))\n"
    plain = python("job.py", cwd=tmp_path) if (tmp_path / "job.py").write_text(source) else None
    done = run(source, tmp_path)
    assert done.returncode == plain.returncode == 1
    assert done.stdout == plain.stdout == "in forward\n", "derived again without a word"
    assert done.stderr.startswith(plain.stderr), "the original traceback stands first, unchanged"
    below, place = explanation(done)
    assert place == f"at {marked(source)}, in Net.forward"
    assert "x (8, 12544)" in below
    assert "expected in_features = 784, got 12544" in below
    assert "change in_features of fc (Linear) from 784 to 12544" in " ".join(below.split())


def test_the_script_is_main_with_its_arguments_its_folder_and_its_files(tmp_path):
    (tmp_path / "beside.py").write_text("value = 7\n")
    (tmp_path / "data.txt").write_text("read")
    (tmp_path / "job.py").write_text(
        "import sys, os, inspect, beside\n"
        "def f():\n    return 1\n"
        "print(sys.argv, __name__, __file__, __package__, __spec__, beside.value, open('data.txt').read())\n"
        "print(os.path.basename(sys.path[0]), sys.modules['__main__'].f is f, inspect.getsource(f))\n"
    )
    args = ("--lr", "0.1", "-m", "--help", "x")
    plain = python("job.py", *args, cwd=tmp_path)
    done = python("-m", "shapeproof", "run", "job.py", *args, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (plain.stdout, plain.stderr, 0)


def test_a_module_runs_as_with_python_m(tmp_path):
    package = tmp_path / "tool"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text("value = 3\n")
    (package / "__main__.py").write_text(
        "import sys\nfrom .other import value\nprint(__name__, __package__, sys.argv, value, sys.path[0])\n"
    )
    plain = python("-m", "tool", "-x", "1", cwd=tmp_path)
    done = python("-m", "shapeproof", "run", "-m", "tool", "-x", "1", cwd=tmp_path)
    assert done.stderr == plain.stderr == ""
    assert done.stdout == plain.stdout


OTHERS = {
    "a key": "x = {}\nx['a']\n",
    "a status": "import sys\nsys.exit(3)\n",
    "a last word": "import sys\nsys.exit('that was all')\n",
    "a click exception": "import click\nraise click.UsageError('mine')\n",
    "syntax": "def f(:\n    pass\n",
    "a chain": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('outer') from e\n",
    "a missing import": "import nothing_such\n",
    "a value error beside a tensor": "import torch\nx = torch.rand(2, 3)\nraise ValueError('no')\n",
    "a dtype": "import torch\nfrom torch import nn\nnn.Linear(3, 2)(torch.zeros(4, 3, dtype=torch.float64))\n",
    "a layer's dtype": "import torch\nfrom torch import nn\nnn.LSTM(3, 2)(torch.rand(4, 1, 3).double())\n",
    "no forward": "import torch\nfrom torch import nn\nnn.Module()(torch.rand(4, 3))\n",
    "no gradient": "import torch\nx = torch.rand(3)\nx.sum().backward()\n",
    "a hook of its own": "import sys\nsys.excepthook = lambda *a: print('mine', a[0].__name__)\n1 / 0\n",
    "a matrix that has no root": "import torch\ntorch.linalg.cholesky(-torch.eye(3))\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_end_is_exactly_as_without_us(name, tmp_path):
    (tmp_path / "job.py").write_text(OTHERS[name])
    plain = python("job.py", cwd=tmp_path)
    done = python("-m", "shapeproof", "run", "job.py", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_an_interrupt_ends_it_as_an_interrupt(tmp_path):
    source = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n"
    plain = python("job.py", cwd=tmp_path) if (tmp_path / "job.py").write_text(source) else None
    done = run(source, tmp_path)
    assert done.returncode == plain.returncode == -signal.SIGINT
    assert done.stderr == plain.stderr


@pytest.mark.parametrize("args", [("nothing.py",), ("-m", "nothing_such"), ()])
def test_what_cannot_be_run_is_one_line_and_status_2(args, tmp_path):
    done = python("-m", "shapeproof", "run", *args, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
