"""The command line on targets and inputs that cannot be used: what to do is said in the user's own lines."""

import pytest

from shapeproof.cli import main

MODELS = """
import torch
from torch import nn

class Plain(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc = nn.Linear(4, width)

    def forward(self, x):
        return self.fc(x)

class Arguments(Plain):
    def __init__(self, width, depth):
        super().__init__()

class Raises(Plain):
    def __init__(self):
        super().__init__()
        configured()

def configured():
    raise ValueError("bad config")

class Two(Plain):
    def forward(self, x, mask, scale=1):
        return self.fc(x) * mask["of a kind that no layer tells"]

class Own(Plain):
    def forward(self, x):
        return {}[str(self.fc(x).shape)]

class NoMemory(Plain):
    def forward(self, x):
        raise MemoryError

class Table(Plain):
    def __init__(self):
        super().__init__()
        self.fc = nn.Embedding(10, 4)

class Chatty(Plain):
    def __init__(self):
        super().__init__()
        print("making")

    def forward(self, x, mask=None):
        print("running")
        return self.fc(x) if mask is None else self.fc(x) * mask

class NoSuper(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(4, 4)

class Named(Plain):
    def __init__(self, **config):
        super().__init__(config["width"])

class Half(Plain):
    def __init__(self):
        super().__init__()
        self.half()

class Late(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.conv = nn.Linear(8, 2), nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))

class Stopped(Plain):
    def forward(self, x):
        for _ in range(5):
            x = self.fc(x)
        raise KeyboardInterrupt

number = 5
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "syntax.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "imports.py").write_text("def load():\n    import not_there\nload()\n")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "part.py").write_text("from . import other\n")
    (tmp_path / "notes.txt").write_text("a note")
    (tmp_path / "exits.py").write_text("raise SystemExit(4)\n")


def run(capsys, line):
    with pytest.raises(SystemExit) as ended:
        main(["derive", *line.split()])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("models.py:Arguments --set width=3", 2, ["needs depth; give --set depth=..."]),
        ("models.py:Raises", 2, ["ValueError: bad config", "models.py:20 in __init__: configured()", "in configured"]),
        ("models.py:Two", 2, ["takes 2 inputs (x, mask)"]),
        ("models.py:Two --input N,4", 2, ["forward(x, mask, scale=1)", "'mask'"]),
        ("models.py:Plain --input N,4 --input 3", 2, ["forward(x)", "too many"]),
        ("models.py:Own --input N,4", 1, ["KeyError", "models.py:31 in forward: return {}[str(self.fc(x).shape)]"]),
        ("models.py:NoMemory --input N,4", 1, ["out of memory; a smaller batch"]),
        ("models.py:Table --input N,4", 1, ["whole numbers that rows", "'int64[N,4]' instead of 'N,4'"]),
        ("models.py:Half --input N,4", 1, ["float16 as its weights are", "'float16[N,4]' instead"]),
        ("models.py:number", 2, ["is an int"]),
        ("models.py:NoSuper", 2, ["cannot be made: AttributeError", "call super().__init__() first"]),
        ("models.py:Named", 2, ["KeyError: 'width'", "give --set width=..."]),
        ("models.py:Plain --set width=wide", 2, ["cannot be made with width='wide': TypeError"]),
        ("models.py:Chatty --input N,4 --input other:N,4", 2, ["forward(x, mask=None)", "'other'", "mask:N,5"]),
        ("models.py:Chatty --input x:N,4 --input x:N,4", 2, ["x is given twice"]),
        ("models.py:Chatty --input x=2,4", 0, ["x=2 is a letter", "for the input called x write x:2,4"]),
        ("models.py:Plain --input (2,4)", 2, ["write it as '2,4'"]),
        ("models.py:Plain --input 2x4", 2, ["write it as '2,4'"]),
        ("models.py:Plain --input 99999999999999999999,4", 2, ["more than PyTorch can count to"]),
        ("inside:Net", 2, ["inside is a folder"]),
        ("notes.txt:Net", 2, ["notes.txt is no file of Python"]),
        ("inside/part.py:Net", 2, ["it is part of a package", "derive it as inside.part:NAME"]),
        ("models.py:", 2, ["give models.py:Plain, models.py:Arguments"]),
        ("models.py", 2, ["give models.py:Plain, models.py:Arguments"]),
        ("models.py:Nothing", 2, ["nothing called 'Nothing'; it has Plain"]),
        ("syntax.py:X", 2, ["does not import: SyntaxError", "syntax.py:2: def f(:"]),
        (
            "imports.py:X",
            2,
            ["No module named 'not_there'", "imports.py:3 in <module>: load()", "imports.py:2 in load"],
        ),
        ("exits.py:X", 2, ["it called sys.exit(4)"]),
        ("four-stage --columns size", 2, ["no column is called size"]),
        ("four-stage --depth 0", 2, ["at least 1"]),
        ("four-stage --input N,1,28,28 --only none", 2, ["no module or operation matches"]),
        ("four-stage --format json --depth 1", 2, ["--format json shows everything"]),
    ],
)
def test_it_says_what_to_do(capsys, line, status, said):
    code, _, err = run(capsys, line)
    assert code == status
    assert all(text in err for text in said), err
    assert "Traceback" not in err
    assert "site-packages" not in err


def test_without_an_input_what_runs_is_found_and_said(capsys):
    code, out, err = run(capsys, "models.py:Late")
    assert code == 0
    assert "trying N,3,H,W (not N,8: the model does not run on that)" in err
    assert "(N, 2)" in out


def test_a_run_that_is_stopped_shows_its_last_steps(capsys):
    code, _, err = run(capsys, "models.py:Stopped --input N,4")
    assert code == 130
    assert "stopped after 5 steps" in err
    assert err.count("fc  linear") == 5


TRAINS_WHEN_IMPORTED = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 2)

    def forward(self, x):
        return self.fc(x)


Net()(torch.zeros(4, 12))
"""


def test_a_script_that_fails_when_it_is_imported_still_gives_its_class(capsys, tmp_path):
    (tmp_path / "train.py").write_text(TRAINS_WHEN_IMPORTED)
    status, out, err = run(capsys, "train.py:Net --input N,12")
    assert status == 1
    assert "train.py:14" in err
    assert "Net was defined before that" in err
    assert "in_features of fc (Linear) from 10 to 12" in " ".join(out.split())


def test_what_the_model_prints_is_told_once_and_apart(capsys):
    status, out, err = run(capsys, "models.py:Chatty --input N,4 --input mask:N,4 --format json")
    assert (status, out[0], "running" in out) == (0, "{", False)
    assert err.split() == ["making", "running"]
