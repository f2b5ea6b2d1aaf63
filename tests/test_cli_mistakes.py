"""A command line that cannot be used: exit status 2 and one line that says what is wrong, whichever command it is."""

import pytest
from click.testing import CliRunner

from shapeproof import cli

WRONG = [
    ["deriv"],
    ["--colour"],
    *([name, "--no-such-option"] for name in cli.COMMANDS if name != "run"),
    ["derive"],
    ["diff"],
    ["diff", "two-stage"],
    ["run"],
    ["evaluate"],
    ["predict"],
    ["predict", "pretrained"],
    ["export", "pretrained"],
    ["solve", "--in", "many"],
    ["derive", "four-stage", "--format", "word"],
    ["derive", "four-stage", "--depth", "deep"],
    ["derive", "four-stage", "--columns", "colour"],
    ["derive", "four-stage", "--input"],
    ["derive", "four-stage", "--output", "no/such/folder/file.txt"],
    ["train", "four-stage", "--recipe", "slow"],
    ["train", "four-stage", "--epochs", "some"],
    ["data", "bring"],
    ["data", "check"],
]


@pytest.mark.parametrize("line", WRONG, ids=" ".join)
def test_one_line(line, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SHAPEPROOF_DATA", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        cli.main(line)
    out, told = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert told.startswith("shapeproof: ")
    assert told.count("\n") == 1
    assert "Usage" not in told


def test_it_says_where_the_help_is(capsys):
    with pytest.raises(SystemExit):
        cli.main(["derive", "--inputs", "1"])
    assert capsys.readouterr().err.rstrip().endswith("(shapeproof derive --help tells more)")


def test_without_a_command_the_help_is_shown():
    assert "Commands:" in CliRunner().invoke(cli.cli, []).output
