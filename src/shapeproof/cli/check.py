"""``shapeproof check``: for continuous integration, every target of ``pyproject.toml``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shapeproof.checks.check import Result

FORMATS = ("text", "json", "sarif", "github")


@click.command("check")
@click.argument("targets", nargs=-1)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file instead of the terminal.")
@click.option("--config", type=click.Path(path_type=Path), help="The pyproject.toml; without it the nearest one.")
@click.option("--strict", is_flag=True, help="A warning counts as a failure.")
def command(targets: tuple[str, ...], form: str, output: Path | None, config: Path | None, strict: bool) -> int:
    """Derive the TARGETs of [tool.shapeproof.targets] in pyproject.toml, all of them where none is named.

    One line each. Exit status 1 if a model does not run, or its output or the sizes that it works for are not those
    that the table expects; 2 if the table or a model cannot be used.
    """
    # imported here, so that --help loads no torch
    from shapeproof.checks.check import check
    from shapeproof.checks.table import chosen, find, is_model, read

    if output is not None and not output.parent.is_dir():
        raise click.UsageError(f"--output {output}: the folder {output.parent} does not exist")
    bare = config is None and all(map(is_model, targets)) and bool(targets)
    path = Path.cwd() / "pyproject.toml" if bare else config or find(Path.cwd())
    listed = [] if bare and not path.is_file() else read(path)
    results = [check(target, path.resolve()) for target in chosen(listed, targets)]
    _show(_written(form)(results), output)
    return _status(results, strict)


def _written(form: str) -> Callable[[Sequence[Result]], str]:
    from shapeproof.checks import formats

    width = max(60, shutil.get_terminal_size((110, 24)).columns)
    forms = {"json": formats.as_json, "sarif": formats.as_sarif, "github": formats.as_github}
    return forms.get(form, lambda results: formats.as_text(results, width))


def _status(results: Sequence[Result], strict: bool) -> int:
    if any(result.status == "unusable" for result in results):
        return 2
    return int(any(result.status == "failed" or (strict and result.problems) for result in results))


def _show(text: str, output: Path | None) -> None:
    from shapeproof.files import write_whole

    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
