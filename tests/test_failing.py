"""A collection of models that fail: the line is found on all, the first edit is right, and what is proved runs."""

import importlib
import importlib.util
import inspect
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.capture.spec import parse

HERE = Path(__file__).parent / "failing"
FILES = [path.stem for path in sorted(HERE.glob("*.py")) if path.stem != "__init__"]
TRAINING = {"OneValue"}
RIGHT = 0.95  # of the first edits

ALL = [
    (file, *case) for file in FILES for case in importlib.import_module(f"failing.{file}").CASES
]  # fmt: skip


def spec_list(given):
    return [given] if isinstance(given, str) else given


def example(spec):
    parsed = parse(spec)
    shape = tuple(entry.size for entry in parsed.entries)
    dtype = getattr(torch, parsed.dtype)
    return torch.rand(shape) if dtype.is_floating_point else torch.zeros(shape, dtype=dtype)


def mode(model, name):
    return model.train(name in TRAINING)


_found = {}


def derivation(file, name, given):
    if (file, name) not in _found:
        kind = getattr(importlib.import_module(f"failing.{file}"), name)
        _found[file, name] = sp.derive(mode(kind(), name), *spec_list(given))
    return _found[file, name]


def failing_line(kind):
    """The line marked in the class, or in another class of the file where the class has none."""
    lines, first = inspect.getsourcelines(kind)
    marked = [first + n for n, line in enumerate(lines) if "# fails" in line]
    if not marked:
        text = Path(inspect.getsourcefile(kind)).read_text().splitlines()
        marked = [n for n, line in enumerate(text[: first - 1], 1) if "# fails" in line][-1:]
    return marked[0]


def said(fix):
    """An edit as the collection writes it."""
    parts = (fix, *fix.also)
    return " + ".join(f"{p.kind} {p.module or '-'} {p.attribute or '-'} {p.new}" for p in parts)


def right(fix, accepted):
    """Whether an edit is one of those; ``*`` stands for any text."""
    return any(fnmatchcase(said(fix), wanted.replace("[", "[[]")) for wanted in accepted)


@pytest.mark.parametrize("case", ALL, ids=[f"{c[0]}-{c[1]}" for c in ALL])
def test_the_failing_line_is_found(case):
    file, name, given, code, _ = case
    module = importlib.import_module(f"failing.{file}")
    d = derivation(file, name, given)
    assert d.verdict == "failed"
    assert d.diagnosis.step.source == f"{module.__file__}:{failing_line(getattr(module, name))}"
    assert fnmatchcase(d.diagnosis.code, code)


def test_the_first_edit_is_right_on_nearly_all():
    wrong = {}
    for file, name, given, _code, accepted in ALL:
        fixes = derivation(file, name, given).diagnosis.fixes
        if not fixes or not fixes[0].proved or not right(fixes[0], accepted):
            wrong[file, name] = [(said(fix), fix.proved) for fix in fixes] or "none"
    assert len(wrong) <= (1 - RIGHT) * len(ALL), wrong


@pytest.mark.parametrize("case", ALL, ids=[f"{c[0]}-{c[1]}" for c in ALL])
def test_every_proved_edit_really_runs(case, tmp_path):
    file, name, given, *_ = case
    source = HERE / f"{file}.py"
    for number, fix in enumerate(derivation(file, name, given).diagnosis.fixes):
        if not fix.proved:
            continue
        target = tmp_path / f"{name}_{number}.py"
        target.write_text(source.read_text())
        if fix.patch:
            patched(target, fix.patch)
        kind = getattr(loaded(target), name)
        inputs = [example(spec) for spec in spec_list(given)]
        model = kind()
        for part in (fix, *fix.also):
            if part.kind == "input":
                places = [n for n, x in enumerate(inputs) if tuple(x.shape) == tuple(part.old)]
                old = inputs[places[-1]]
                inputs[places[-1]] = old.new_zeros(part.new) if not old.is_floating_point() else torch.rand(part.new)
            elif not fix.patch:
                by_hand(model, part)
        mode(model, name)(*inputs)


def patched(target, patch):
    """Apply the patch as a person would, with the patch command."""
    lines = [
        f"{line.split()[0]} {target.name}" if line[:4] in ("--- ", "+++ ") else line for line in patch.splitlines()
    ]
    done = subprocess.run(
        ["patch", "-p0"], input="\n".join(lines) + "\n", cwd=target.parent, text=True, capture_output=True
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr + patch


def by_hand(model, fix):
    """An edit whose place is not plain enough for a patch."""
    held = getattr(model.get_submodule(fix.module), fix.attribute, None) if fix.kind == "argument" else None
    if isinstance(held, torch.Tensor):
        new = torch.zeros(fix.new)
        setattr(
            model.get_submodule(fix.module), fix.attribute, nn.Parameter(new) if isinstance(held, nn.Parameter) else new
        )
    elif fix.kind == "insert" and fix.attribute == "flatten":
        old = model.get_submodule(fix.module)
        model.set_submodule(fix.module, nn.Sequential(nn.Flatten(), old))
    elif fix.kind == "insert" and fix.attribute == "view":
        old = model.get_submodule(fix.module)
        sizes = [int(s) for s in fix.new.partition("-1, ")[2].rstrip(")").split(", ")]
        model.set_submodule(fix.module, nn.Sequential(nn.Unflatten(1, sizes), old))
    elif fix.kind == "argument":
        old = model.get_submodule(fix.module)
        names = [n for n in inspect.signature(type(old)).parameters if n not in ("device", "dtype", "bias")]
        model.set_submodule(fix.module, type(old)(**{n: getattr(old, n) for n in names} | {fix.attribute: fix.new}))
    else:
        pytest.fail(f"no patch for {said(fix)}")


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
