"""An exported network says what PyTorch says, at every size that the domain allows."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shapeproof.cli import main
from shapeproof.data import load
from shapeproof.errors import UsageError
from shapeproof.serving.exporting import OPSET, DifferentError, export
from shapeproof.serving.opening import open_run
from shapeproof.training.run import Run

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def run():
    return open_run(None)


@pytest.fixture(scope="module")
def pictures():
    return load("digits").test_images


@pytest.fixture(scope="module")
def written(run, pictures, tmp_path_factory):
    return export(run, tmp_path_factory.mktemp("onnx") / "model.onnx", pictures, "digits")


def test_onnx_takes_every_size_of_the_domain_and_no_other(run, written):
    session = onnxruntime.InferenceSession(str(written.path))
    for size in ((1, 1, 16, 16), (3, 1, 16, 31), (7, 1, 31, 31), (2, 1, 28, 28)):
        x = torch.rand(size)
        with torch.no_grad():
            ours = run.model(x)
        theirs = session.run(None, {"pictures": x.numpy()})[0]
        assert torch.allclose(ours, torch.from_numpy(theirs), atol=1e-4)
    with pytest.raises(Exception, match=r"(?i)dimension|shape"):
        session.run(None, {"pictures": torch.rand(1, 1, 32, 32).numpy()})


def test_the_files_own_words(run, written):
    model = onnx.load(str(written.path))
    axes = [axis.dim_param or axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["N", 1, "H", "W"]
    assert [axis.dim_param or axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim][1] == 10
    assert model.opset_import[0].version == OPSET
    facts = {item.key: item.value for item in model.metadata_props}
    assert json.loads(facts["classes"]) == list("0123456789")
    assert json.loads(facts["mean"]) == list(run.preparation.mean)
    assert json.loads(facts["sizes"]) == {"H": [16, 31], "W": [16, 31]}
    assert len(facts["weights_sha256"]) == 64
    assert written.checked == len(load("digits").test_images)
    assert written.difference < 1e-4


def test_the_archive_of_torch_export(run, pictures, tmp_path):
    done = export(run, tmp_path / "model.pt2", pictures[:200], "digits")
    found = torch.export.load(str(done.path)).module()
    x = torch.rand(5, 1, 20, 30)
    with torch.no_grad():
        assert torch.allclose(found(x), run.model(x), atol=1e-5)


def test_another_answer_is_found_and_nothing_written(run, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("shapeproof.serving.exporting._archive_use", lambda _: lambda x: -run.model(x))
    with pytest.raises(DifferentError, match="nothing was written"):
        export(run, tmp_path / "model.pt2", pictures[:50], "digits")
    assert not list(tmp_path.iterdir())


class Branching(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(784, 10)

    def forward(self, x):
        if x.sum() > 0:
            x = x + 1
        return self.fc(x.flatten(1))


def test_a_network_that_cannot_be_captured_is_one_line(run, pictures, tmp_path):
    with pytest.raises(UsageError, match=r"torch.export cannot capture Branching") as caught:
        export(Run(run.path, run.record, Branching().eval()), tmp_path / "model.pt2", pictures[:10], "digits")
    assert "\n" not in str(caught.value)


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code, capsys.readouterr()


@pytest.mark.parametrize("output", ["model.txt", "nowhere/model.onnx", "model"])
def test_a_bad_output_is_one_line(output, tmp_path, capsys):
    status, shown = call(capsys, "export", "pretrained", "--output", tmp_path / output)
    assert (status, shown.out) == (2, "")


def test_the_command_is_quiet_but_for_its_lines(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("shapeproof.training.run.Run.load_data", lambda *_: load("digits"))
    status, shown = call(capsys, "export", "pretrained", "--output", tmp_path / "model.onnx")
    assert (status, shown.err) == (0, "")
    assert len(shown.out.splitlines()) == 4
    assert "16 <= H <= 31" in shown.out


def test_a_missing_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    status, shown = call(capsys, "export", "pretrained", "--output", tmp_path / "model.onnx")
    assert (status, "pip install 'shapeproof[onnx]'" in shown.err) == (2, True)


@pytest.mark.mnist
@pytest.mark.parametrize("text", ["README.md", "README.zh-CN.md"])
def test_the_three_commands_of_the_readme(text, tmp_path):
    if not os.environ.get("SHAPEPROOF_DATA"):
        pytest.skip("needs the real MNIST under SHAPEPROOF_DATA")
    shown = (Path(__file__).parent.parent / text).read_text()
    block = re.search(r'```bash\npip install "shapeproof\[onnx\]"\n(.*)\n(.*)\n```', shown)
    for line in block.groups():
        arguments = [sys.executable, *shlex.split(line)[1:]]
        if line.startswith("shapeproof"):
            arguments.insert(1, "-m")
            arguments.insert(2, "shapeproof")
        done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 10)"
