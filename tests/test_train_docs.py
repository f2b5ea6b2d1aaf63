"""docs/training.md works as it stands: its commands and its Python are run in order, on a folder of small pictures."""

import re
import shlex
from pathlib import Path

import pytest

import shapeproof as sp
from shapeproof.cli import main
from test_data_folders import NETWORK, picture

TEXT = (Path(__file__).parent.parent / "docs" / "training.md").read_text()


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    for part, count in (("train", 8), ("test", 3)):
        for name, value in (("cat", 40), ("dog", 200)):
            for i in range(count):
                picture(tmp_path / "pictures" / part / name / f"{i}.png", value, size=(28, 28))
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "mine.toml").write_text(blocks("toml")[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_and_the_python_run_in_order(place, capsys):
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(lines) > 10
    for line in lines:
        with pytest.raises(SystemExit) as end:
            main(shlex.split(line)[1:])
        assert end.value.code == 0, (line, capsys.readouterr().err)
    assert (place / "worst.png").is_file()
    for code in blocks("python"):
        exec(compile(code, "training.md", "exec"), {})
    assert sp.load_run(place / "runs" / "mine").recipe.rotation == 10.0
    same = [(place / "runs" / name / "model.safetensors").read_bytes() for name in ("pets", "again")]
    assert same[0] == same[1]
