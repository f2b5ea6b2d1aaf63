"""The pages on explaining, checking and warnings: what they show is run, and each warning's page warns and mends."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import shapeproof as sp
from shapeproof.doubts import batch, sizes, unused

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(
    path.stem
    for path in (DOCS / "codes").glob("*.md")
    if path.stem != "README" and "A warning: the model runs." in path.read_text()
)


def blocks(page, kind):
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def commands(page):
    lines = [line.removeprefix("$ ") for block in blocks(page, "(?:bash|console)") for line in block.splitlines()]
    return [line for line in lines if line.startswith("shapeproof ")]


def run(line, folder, width="96"):
    return subprocess.run(
        [sys.executable, "-m", *shlex.split(line)], capture_output=True, text=True, timeout=120, cwd=folder,
        env={**os.environ, "COLUMNS": width},
    )  # fmt: skip


def example(source, folder, name):
    """What an example gives to ``derive``; it is a module in a file, so that its source can be found."""
    (folder / f"{name}.py").write_text(source)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.model, *module.inputs


@pytest.mark.parametrize("code", PAGES)
def test_each_warnings_page_warns_and_its_mended_example_does_not(code, tmp_path):
    wrong, mended = blocks(f"codes/{code}.md", "python")
    (warning,) = sp.derive(*example(wrong, tmp_path, "wrong_example")).warnings
    assert warning.code == code
    found = sp.derive(*example(mended, tmp_path, "mended_example"))
    assert found.verdict == "proved"
    assert not found.warnings


def test_every_warning_has_its_page_and_every_page_is_listed():
    told = set()
    for module in (batch, sizes, unused):
        told |= set(re.findall(r'Doubt\(\s*"([a-z-]+)"', Path(module.__file__).read_text()))
    assert told == set(PAGES)
    listed = re.findall(r"\]\(codes/([a-z-]+)\.md\)", (DOCS / "warnings.md").read_text())
    assert sorted(listed) == PAGES


def test_the_warning_shown_is_real(tmp_path):
    (tmp_path / "net.py").write_text(blocks("codes/batch-reshaped.md", "python")[0])
    (shown,) = blocks("warnings.md", "console")
    command, told = shown.removeprefix("$ ").split("\n...\n")
    done = run(command, tmp_path, "110")
    assert done.returncode == 0, done.stderr
    assert " ".join(told.split()) in " ".join(done.stdout.replace(f"{tmp_path}/", "").split())


def test_the_explanation_shown_is_real(tmp_path):
    (tmp_path / "train.py").write_text(blocks("explain.md", "python")[0])
    shown = blocks("explain.md", "text")[0].split("...")[0]
    for line in commands("explain.md"):
        if " -m " not in line:
            done = run(line, tmp_path)
            assert done.returncode == 1
            assert shown in done.stderr


def test_the_check_shown_is_real(tmp_path):
    (tmp_path / "pyproject.toml").write_text(blocks("check.md", "toml")[0])
    (tmp_path / "net.py").write_text(blocks("check.md", "python")[0])
    done = run("shapeproof check", tmp_path)
    assert (done.returncode, done.stdout) == (0, blocks("check.md", "text")[0])
    assert run("shapeproof check mnist", tmp_path).returncode == 0
    assert "shapeproof check mnist" in commands("check.md")
