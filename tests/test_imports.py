"""Imports run one way, from the sizes up to the command line; and a test of that test."""

import ast
from pathlib import Path

import shapeproof

ROOT = Path(shapeproof.__file__).parent
# lowest first; what stands together may use one another
LAYERS = [
    {"errors", "files"}, {"dims"}, {"rules"}, {"models"}, {"data"}, {"capture"}, {"derivation"}, {"diagnosis"},
    {"render"}, {"training"}, {"serving"}, {"cli"}, {"__main__"},
]  # fmt: skip
WITHOUT_TORCH = {"dims", "rules", "render", "errors", "files"}


def part(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def wrong(name, tree):
    """Imports of one file that go upward, or that load torch where no torch belongs."""
    level = next(i for i, layer in enumerate(LAYERS) if name in layer)
    above = {p for layer in LAYERS[level + 1 :] for p in layer}
    found = []
    for module in imported(tree):
        pieces = module.split(".")
        if pieces[0] == "shapeproof" and len(pieces) > 1 and pieces[1] in above:
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
    assert wrong("cli", ast.parse("import torch\nfrom shapeproof.dims import Dim")) == []


def test_files_and_functions_stay_small():
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") < 500, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno - node.lineno <= 60, (path, node.name)
