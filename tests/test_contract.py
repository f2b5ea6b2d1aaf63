"""The names, spellings and meanings that users script against, each used once as the contract words it."""

import dataclasses
import json
import subprocess
import sys

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.models.document import FourStage, TwoStage


@pytest.fixture(scope="module")
def free():
    return sp.derive(FourStage().eval(), "N,1,H,W")


@pytest.fixture(scope="module")
def failed():
    return sp.derive(TwoStage().eval(), "N,1,32,32")


def cli(*words, **options):
    command = [sys.executable, "-m", "shapeproof", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_the_ways_of_giving_an_input():
    class Masked(nn.Module):
        def forward(self, x, mask=None):
            return x if mask is None else x.masked_fill(mask, 0.0)

    net = FourStage().eval()
    for given in ("N,1,H,W", "N,1,H=28,W=28", (8, 1, 28, 28), torch.zeros(8, 1, 28, 28), "float32[N,1,28,28]"):
        assert sp.derive(net, given).verdict == "proved"
    d = sp.derive(Masked(), torch.zeros(2, 3), mask=torch.zeros(2, 3, dtype=torch.bool))
    assert [step.op for step in d.steps] == ["masked_fill"]
    assert sp.derive(lambda x: x + 1, (2, 3)).output == (2, 3)
    assert sp.derive(nn.Embedding(7, 5), "int64[N,T]").verdict == "proved"


@pytest.mark.parametrize("spec", ["1x28x", "N,-1,28,28", "strange[N]", "N,,28"])
def test_a_spec_without_sense_is_told(spec):
    with pytest.raises(sp.SpecError):
        sp.derive(FourStage(), spec)


def test_an_exception_of_the_models_own_passes_through():
    def broken(x):
        raise KeyError("not about shapes")

    with pytest.raises(KeyError, match="not about shapes"):
        sp.derive(broken, (2, 3))


def test_a_derivation_has_its_parts(free):
    assert dataclasses.is_dataclass(free)
    with pytest.raises(dataclasses.FrozenInstanceError):
        free.verdict = "failed"
    assert free.verdict == "proved"
    assert isinstance(free.steps, tuple)
    assert free.domain.contains(H=28, W=28)
    assert not free.domain.contains(H=32, W=28)
    assert free.domain.intervals["H"] == [(16, 31)]
    assert free.domain.intervals["N"] == [(1, None)]
    assert "16 <= H <= 31, 16 <= W <= 31, N >= 1" in str(free.domain)
    assert free.diagnosis is None
    assert isinstance(free.warnings, tuple)
    assert free.cost.parameters == 271_178
    assert free.cost.parameter_bytes == 4 * 271_178
    assert free.cost.activation_bytes > 0


def test_letters_become_numbers(free):
    numbers = free.at(N=8, H=28, W=28)
    assert numbers.output == (8, 10)
    assert numbers.cost.macs == 8 * 7_175_680
    with pytest.raises(sp.DomainError):
        free.at(N=8, H=32, W=28)


def test_a_step_has_its_parts(free):
    step = sp.derive(FourStage().eval(), (8, 1, 28, 28)).steps[0]
    assert (step.index, step.module, step.op, step.verdict) == (0, "conv1.0", "conv2d", "proved")
    assert step.source.rpartition(":")[0].endswith("document.py")
    assert step.inputs[0] == (8, 1, 28, 28)
    assert step.output == step.derived == (8, 16, 28, 28)
    assert step.formula == "floor((H + 2p - k)/s) + 1"
    assert step.arithmetic == "floor((28 + 2*2 - 5)/1) + 1 = 28"
    assert step.cost.macs == 8 * 16 * 28 * 28 * 25
    assert step.receptive_field.size == (5, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.op = "conv3d"


def test_dilation_has_its_own_formula():
    step = sp.derive(nn.Conv2d(1, 1, 3, dilation=2), (1, 1, 9, 9)).steps[0]
    assert step.formula == "floor((H + 2p - d(k - 1) - 1)/s) + 1"


@pytest.mark.parametrize("form", ["dict", "json", "markdown", "latex", "html", "text"])
def test_a_derivation_shows_itself(free, form):
    shown = getattr(free, f"to_{form}")()
    assert isinstance(shown, dict if form == "dict" else str)
    assert len(shown) > 5
    assert hasattr(free, "__rich_console__")


def test_a_failure_is_a_result(failed):
    assert failed.verdict == "failed"
    found = failed.diagnosis
    assert found.code == "in-features"
    assert found.step is failed.steps[-1] or found.step == failed.steps[-1]
    assert "1568" in found.expected
    assert "2048" in found.got
    assert found.fixes
    for fix in found.fixes:
        assert fix.kind in ("argument", "input", "insert", "call")
        assert fix.text
        assert isinstance(fix.proved, bool)
    argument = next(fix for fix in found.fixes if fix.kind == "argument")
    assert (argument.module, argument.attribute, argument.old, argument.new) == ("fc", "in_features", 1568, 2048)
    assert argument.proved


def test_solve_from_python():
    found = sp.solve(size_in=28, size_out=14, kernel_size=range(1, 8), stride=range(1, 4))
    assert isinstance(found, list)
    assert all(window.size_out == 14 for window in found)
    assert any((w.kernel_size, w.stride, w.padding) == (2, 2, 0) for w in found)


def test_the_explanations_are_to_be_had():
    assert callable(sp.install)
    with sp.explain():
        torch.zeros(2).sum()


COMMANDS = "derive check run solve train evaluate predict export serve data".split()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_loads_no_torch(command):
    words = f"import sys; sys.argv = ['shapeproof', '{command}', '--help']\n"
    words += "from shapeproof.cli import main\n"
    words += "try:\n    main()\nexcept SystemExit as end:\n    print('END', end.code)\n"
    words += "print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60)
    assert "Usage" in done.stdout
    assert done.stdout.split("END")[1].split() == ["0", "False", "False"]


def test_exit_status(tmp_path):
    assert cli("derive", "two-stage", "--input", "N,1,28,28").returncode == 0
    assert cli("derive", "two-stage", "--input", "N,1,32,32").returncode == 1
    for words in (["derive", "no-such"], ["derive", "two-stage", "--input", "1x28x"], ["solve"], ["nonsense"]):
        done = cli(*words)
        assert done.returncode == 2, words
        assert "Traceback" not in done.stderr
        assert done.stderr.strip()


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "json", "html"])
def test_a_derivation_goes_to_a_file(form, tmp_path):
    path = tmp_path / "out"
    done = cli("derive", "four-stage", "--input", "N,1,28,28", "--format", form, "--output", str(path))
    assert done.returncode == 0, done.stderr
    text = path.read_text(encoding="utf-8")
    assert "conv1.0" in text.replace("\\_", "_")
    if form == "json":
        assert json.loads(text)["verdict"] == "proved"


def test_a_target_takes_settings(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, width):\n"
        "        super().__init__(nn.Conv2d(3, width, 3))\n"
        "made = Net(4)\n"
        "def factory():\n"
        "    return Net(5)\n"
    )
    for name, width, settings in (("Net", 64, ["--set", "width=64"]), ("made", 4, []), ("factory", 5, [])):
        done = cli("derive", f"net.py:{name}", "--input", "N,3,8,8", *settings, "--format", "json", cwd=tmp_path)
        assert json.loads(done.stdout)["output"] == ["N", width, 6, 6]
    done = cli("derive", "net.py:Net", "--input", "N,3,8,8", cwd=tmp_path)
    assert done.returncode == 2
    assert "--set width=" in done.stderr


def test_a_run_directory_holds_what_repeats_it(tmp_path):
    done = cli("train", "two-stage", "--data", "digits", "--epochs", "0.2", "--output", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"run.json", "metrics.jsonl", "model.safetensors", "state", "report.html"} <= names
    for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines():
        assert {"step", "epoch", "loss", "accuracy", "images_per_second"} <= json.loads(line).keys()
    assert cli("evaluate", str(tmp_path / "run")).returncode == 0
    assert cli("evaluate", str(tmp_path / "run"), "--require", "100").returncode == 1
