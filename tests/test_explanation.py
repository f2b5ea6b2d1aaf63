"""What is shown of a failure: the line with its operands, where the number was born, a patch that mends the file."""

import json
import subprocess
import sys

import pytest
from torch import nn

import shapeproof as sp
from test_docs import NET


def shapeproof(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "shapeproof", *words], capture_output=True, text=True, cwd=folder, timeout=120
    )  # fmt: skip


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


@pytest.mark.parametrize("command", [["patch", "-p0"], ["git", "apply", "-p0"]])
def test_the_patch_is_accepted_and_the_patched_file_is_proved(net, command):
    done = shapeproof(net, "derive", "net.py:Net", "--input", "N,1,28,28", "--format", "diff")
    assert done.returncode == 1
    applied = subprocess.run(command, input=done.stdout, cwd=net, text=True, capture_output=True)
    assert applied.returncode == 0, applied.stderr
    assert "nn.Linear(3136, 10)" in (net / "net.py").read_text()
    again = shapeproof(net, "derive", "net.py:Net", "--input", "N,1,28,28", "--format", "json")
    assert json.loads(again.stdout)["verdict"] == "proved"


def test_where_there_is_no_patch_one_line_says_why(net):
    done = shapeproof(net, "derive", "net.py:Net", "--input", "N,1,14,14", "--format", "diff")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (0, "", 1)
    (net / "net.py").write_text(NET.replace("7 * 7 * 16", "14 * 14 * 16"))
    done = shapeproof(net, "derive", "net.py:Net", "--input", "28,28", "--format", "diff")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)


LONG = """import torch
from torch import nn


class Long(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(30)])
        self.last = nn.Linear(5, 2)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.last(x)
"""


def loaded(tmp_path, text):
    (tmp_path / "long.py").write_text(text)
    names = {}
    exec(compile(text, str(tmp_path / "long.py"), "exec"), names)
    return names


def test_a_long_derivation_is_collapsed_above_the_part_that_matters(tmp_path):
    d = sp.derive(loaded(tmp_path, LONG)["Long"](), "N,4")
    text = d.to_text()
    assert "... 53 steps before, in which the rules and PyTorch agree" in " ".join(text.split())
    assert sum("linear" in line for line in text.splitlines() if "✓" in line or "✗" in line) == 4
    assert len(json.loads(d.to_json())["steps"]) == 61


def test_each_operand_stands_under_its_name(tmp_path):
    d = sp.derive(loaded(tmp_path, LONG)["Long"](), "N,4")
    found = d.diagnosis
    assert found.line.strip() == "return self.last(x)"
    named = found.operands[0]
    assert (named.name, str(named.shape[0]), named.shape[1]) == ("x", "N", 4)
    assert found.line[named.column :].startswith("x)")
    assert f"in_features = 5 of last is written at {tmp_path / 'long.py'}:9" in found.born
    shown = d.to_text().splitlines()
    below = shown.index("  14 | return self.last(x)") + 1
    assert shown[below] == "     |                  (N, 4)"


def test_markdown_keeps_the_line_as_source(tmp_path):
    text = sp.derive(loaded(tmp_path, LONG)["Long"](), "N,4").to_markdown()
    assert "  ```text\n  14 | return self.last(x)\n     |                  (N, 4)\n  ```\n" in text


def test_json_has_the_edits_with_what_is_needed_besides(tmp_path):
    model = loaded(tmp_path, LONG.replace("x = torch.relu(layer(x))", "x = torch.relu(layer(x)).view(-1, 2)"))["Long"]()
    found = json.loads(sp.derive(model, (3, 4)).to_json())["diagnosis"]
    assert found["fixes"]
    assert {"also", "patch", "source", "proved"} <= found["fixes"][0].keys()


def test_nothing_of_the_trials_is_left(tmp_path):
    names = loaded(tmp_path, LONG.replace("self.last(x)", "self.last(x.view(7, 7))"))
    model = names["Long"]()
    code = names["Long"].forward.__code__
    assert sp.derive(model, (3, 4)).diagnosis is not None
    assert names["Long"].forward.__code__ is code
    assert "forward" not in vars(model)


def test_no_warning_of_an_edit_that_was_tried_reaches_the_user(recwarn):
    sp.derive(lambda x, y: nn.functional.mse_loss(x, y), (4, 3), (5, 3))
    told = [w for w in recwarn if "target size" in str(w.message)]
    assert len(told) <= 1  # by the run of the user's own call


HEADS = """from torch import nn


class Net(nn.Module):
    def __init__(self, width=100):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, num_heads=3, batch_first=True)

    def forward(self, x):
        return self.attn(x, x, x)[0]
"""


def test_a_layer_that_refuses_to_be_made_is_explained_and_patched(tmp_path):
    (tmp_path / "heads.py").write_text(HEADS)
    done = shapeproof(tmp_path, "derive", "heads.py:Net", "--input", "2,5,100", "--format", "json")
    found = json.loads(done.stdout)["diagnosis"]
    assert (done.returncode, found["code"]) == (1, "heads")
    fix = found["fixes"][0]
    assert (fix["kind"], fix["attribute"], fix["new"], fix["proved"]) == ("argument", "num_heads", 2, True)
    assert found["line"].strip().startswith("self.attn = nn.MultiheadAttention")
    patch = shapeproof(tmp_path, "derive", "heads.py:Net", "--input", "2,5,100", "--format", "diff").stdout
    assert "num_heads=2" in patch
    subprocess.run(["patch", "-p0"], input=patch, cwd=tmp_path, text=True, check=True, capture_output=True)
    assert shapeproof(tmp_path, "derive", "heads.py:Net", "--input", "2,5,100").returncode == 0


def test_places_are_written_from_the_current_folder(net):
    done = shapeproof(net, "derive", "net.py:Net", "--input", "N,1,28,28", "--format", "text")
    assert done.returncode == 1
    assert "at net.py:" in done.stdout
    assert "fix 1: In net.py:" in done.stdout
    assert str(net) not in done.stdout
