"""The pages of the codes: every example fails as its page says, every mended one runs, and no code is without words."""

import ast
import linecache
import re
from pathlib import Path

import pytest

import shapeproof as sp
from shapeproof.render.words import UNPAGED

ROOT = Path(__file__).parent.parent
EVERY = sorted(path for path in (ROOT / "docs" / "codes").glob("*.md") if path.stem != "README")
PAGES = [path for path in EVERY if "A warning" not in path.read_text()]  # those are run by tests/test_doubts.py
CODE = {"Violation": 0, "require": 3, "require_rank": 2, "broadcast": 1}  # which argument of a rule's check is the code


def derived(text, tmp_path, name):
    """The derivation of a page's block, from a file, as a user's is."""
    file = tmp_path / f"{name}.py"
    file.write_text(text)
    linecache.checkcache()
    names = {}
    exec(compile(text, str(file), "exec"), names)
    model = names["model"]
    if hasattr(model, "eval") and ".train()" not in text:
        model.eval()
    return sp.derive(model, *names["inputs"])


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_example_fails_and_the_mended_one_runs(page, tmp_path):
    bad, good = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    d = derived(bad, tmp_path, "bad")
    assert d.verdict == "failed"
    assert d.diagnosis.code == page.stem
    assert derived(good, tmp_path, "good").verdict in ("proved", "incomplete")


def stated():
    """Every code that a rule states."""
    for path in (ROOT / "src" / "shapeproof" / "rules").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            place = CODE.get(name)
            if place is not None and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                yield node.args[place].value


def test_every_code_of_a_rule_is_told_of():
    index = (ROOT / "docs" / "codes" / "README.md").read_text()
    assert not [code for code in sorted(set(stated())) if f"`{code}`" not in index]


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "codes" / "README.md").read_text()
    assert not [page.name for page in EVERY if f"]({page.name})" not in index]


def test_a_code_without_a_page_is_known_to_be_without():
    stems = {page.stem for page in EVERY}
    assert {code for code in stated() if code not in stems} <= UNPAGED
    assert not UNPAGED & stems
