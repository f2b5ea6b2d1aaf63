"""Imports run one way, from the sizes up to the command line; and a test of that test."""

import ast
from pathlib import Path

import pytest

import shapeproof

ROOT = Path(shapeproof.__file__).parent
# lowest first; what stands together may use one another
LAYERS = [
    {"collector", "errors", "files", "records"}, {"dims"}, {"rules"}, {"models"}, {"data"}, {"capture"}, {"derivation"},
    {"diagnosis"}, {"doubts"}, {"render"}, {"postmortem", "checks"}, {"training"}, {"serving"}, {"cli"}, {"__main__"},
]  # fmt: skip
WITHOUT_TORCH = {"dims", "rules", "render", "collector", "errors", "files", "records"}
# the ways up, each loaded only when it is called for
UPWARD = {
    # a failed derivation asks for its diagnosis, which derives again to try each edit
    ("derivation", "shapeproof.diagnosis.edits"),
    ("derivation", "shapeproof.diagnosis.diagnose"),
    # and a call that is refused for a dtype for what is noted with its exception
    ("derivation", "shapeproof.diagnosis.dtypes"),
    # what came through is looked at for what is wrong all the same
    ("derivation", "shapeproof.doubts.find"),
    ("derivation", "shapeproof.doubts.mend"),
    # a derivation shows itself: on the terminal, and through to_text() and its like
    ("derivation", "shapeproof.render.text"),
    ("derivation", "shapeproof.render."),
    ("derivation", "shapeproof.render.html"),
}


def part(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree):
    """Every module that a file may load: written out, from the package itself, or by name at run time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written from the package's name, so that their direction can be seen"
            if node.module == "shapeproof":
                yield from (exported(alias.name) for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "import_module":
            yield fixed_part(node.args[0])


def fixed_part(name):
    """The text of a name, or as much of it as stands before the first value put in at run time."""
    first = name.values[0] if isinstance(name, ast.JoinedStr) else name
    return first.value if isinstance(first, ast.Constant) else ""


def exported(name):
    return shapeproof._EXPORTS.get(name, f"shapeproof.{name}")


def wrong(name, tree):
    """Imports of one file that go upward, or that load torch where no torch belongs."""
    level = next(i for i, layer in enumerate(LAYERS) if name in layer)
    above = {p for layer in LAYERS[level + 1 :] for p in layer}
    found = []
    for module in imported(tree):
        pieces = module.split(".")
        if pieces[0] == "shapeproof" and len(pieces) > 1 and pieces[1] in above and (name, module) not in UPWARD:
            found.append(module)
        if pieces[0] in ("torch", "numpy") and name in WITHOUT_TORCH:
            found.append(module)
    return found


def test_imports_run_one_way():
    found = {}
    for path in ROOT.rglob("*.py"):
        if path != ROOT / "__init__.py":
            bad = wrong(part(path), ast.parse(path.read_text()))
            if bad:
                found[str(path.relative_to(ROOT))] = bad
    assert not found


def test_the_test_sees_a_wrong_import():
    assert wrong("dims", ast.parse("import torch")) == ["torch"]
    assert wrong("rules", ast.parse("from shapeproof.cli import main")) == ["shapeproof.cli"]
    assert wrong("rules", ast.parse("from shapeproof import cli")) == ["shapeproof.cli"]
    assert wrong("rules", ast.parse("from shapeproof import derive")) == ["shapeproof.derivation.derive"]
    assert wrong("rules", ast.parse("importlib.import_module('shapeproof.cli')")) == ["shapeproof.cli"]
    assert wrong("rules", ast.parse("importlib.import_module(f'shapeproof.cli.{x}')")) == ["shapeproof.cli."]
    with pytest.raises(AssertionError, match="package's name"):
        wrong("rules", ast.parse("from ..cli import main"))
    assert wrong("cli", ast.parse("import torch\nfrom shapeproof.dims import Dim")) == []


def test_files_and_functions_stay_small():
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") < 500, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno - node.lineno <= 60, (path, node.name)
