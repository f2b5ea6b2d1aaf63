"""``shapeproof evaluate``: how good a run's network is on the test pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from shapeproof.data.dataset import DataSet
    from shapeproof.training.evaluate import Evaluation
    from shapeproof.training.run import Run

SHOWN = 10  # mistakes on the terminal
WIDEST = 20  # classes in a confusion matrix on the terminal


@click.command("evaluate")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--data", metavar="NAME|DIR", help="Another data set than the run's own.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Where data sets lie.")
@click.option("--moved", is_flag=True, help="Mean over each picture and its four neighbours a pixel away.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--pictures", type=click.Path(path_type=Path), metavar="FILE.png", help="Write a sheet of the worst mistakes."
)
@click.option("--require", type=float, metavar="PERCENT", help="Exit with status 1 if the accuracy is under this.")
def command(
    runs: tuple[Path, ...],
    data: str | None,
    data_root: Path | None,
    moved: bool,
    as_json: bool,
    pictures: Path | None,
    require: float | None,
) -> int:
    """Evaluate RUN, a run directory, on the test pictures; several runs as one, by the mean of what they say."""
    from shapeproof.training.evaluate import evaluate, write_sheet
    from shapeproof.training.run import load_run

    if require is not None and not 0 <= require <= 100:
        raise click.UsageError(f"--require {require:g}: give per cent, from 0 to 100")
    opened = [load_run(path) for path in runs]
    models = [run.model for run in opened]  # weights of another network are refused before the data is read
    found = opened[0].load_data(data, data_root)
    _same_classes(opened, found)
    told = sum(run.predict(found.test_images, moved=moved) for run in opened) / len(opened)
    assert not isinstance(told, float)
    result = evaluate(told, found.test_labels, found.classes)
    shown = write_sheet(pictures, found.test_images, result) if pictures else 0
    if as_json:
        click.echo(json.dumps({"run": [str(path) for path in runs], "data": found.name, **result.to_dict()}, indent=2))
    else:
        many = f", {len(runs)} runs together" if len(runs) > 1 else ""
        _show(result, f"{opened[0].record['model']['target']} ({type(models[0]).__name__}) on {found.name}{many}")
        if pictures:
            click.echo(f"{shown} worst mistakes are in {pictures}")
    return _verdict(result.accuracy, require, as_json)


def _same_classes(opened: list[Run], data: DataSet) -> None:
    from shapeproof.errors import UsageError

    for run in opened:
        if len(run.classes) != len(data.classes):
            raise UsageError(
                f"{run.path} tells {len(run.classes)} classes apart, but {data.name} has {len(data.classes)}"
            )


def _verdict(accuracy: float, require: float | None, quiet: bool) -> int:
    if require is None:
        return 0
    enough = 100 * accuracy >= require
    if not enough or not quiet:
        word = "meets" if enough else "is under"
        click.echo(f"accuracy {100 * accuracy:.2f} % {word} the required {require:g} %", err=not enough)
    return 0 if enough else 1


def _show(result: Evaluation, title: str) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    low, high = (100 * end for end in result.interval)
    console.print(f"[bold]{title}[/]")
    console.print(
        f"accuracy {100 * result.accuracy:.2f} % of {result.count:,} pictures (95 % interval {low:.2f} to {high:.2f} %)"
    )
    console.print(f"loss {result.loss:.4f}, expected calibration error {100 * result.calibration_error:.2f} %")
    tables = [("Classes", _classes(result)), ("How often it is right, by how sure it is", _reliability(result))]
    if len(result.classes) <= WIDEST:
        tables.append(("Confusion (rows: what it is, columns: what it was told to be)", _confusion(result)))
    elif result.mistakes:
        tables.append(("What was most often taken for what", _confused(result)))
    if result.mistakes:
        tables.append(("The worst mistakes", _mistakes(result)))
    for name, table in tables:
        console.print(f"\n[bold]{name}[/]")  # above, since a title within would be broken to the table's width
        console.print(table)
    if len(result.mistakes) > SHOWN:
        console.print(
            f"and {len(result.mistakes) - SHOWN} more mistakes; --pictures FILE.png shows the worst, --json all"
        )


def _table(left: int, *names: str) -> Table:
    """A table whose first ``left`` columns are words and the others numbers."""
    from rich.table import Table

    table = Table()
    for at, name in enumerate(names):
        table.add_column(name, justify="left" if at < left else "right")
    return table


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _classes(result: Evaluation) -> Table:
    table = _table(1, "class", "pictures", "recall", "precision")
    for score in result.classes:
        table.add_row(score.name, str(score.count), _share(score.recall), _share(score.precision))
    return table


def _reliability(result: Evaluation) -> Table:
    table = _table(0, "sure from", "to", "pictures", "mean confidence", "accuracy")
    for one in result.reliability:
        if one.count:
            ends = (f"{100 * one.low:.0f} %", f"{100 * one.high:.0f} %")
            table.add_row(*ends, str(one.count), _share(one.confidence), _share(one.accuracy))
    return table


def _confusion(result: Evaluation) -> Table:
    table = _table(1, "", *[score.name for score in result.classes])
    for i, row in enumerate(result.confusion):
        cells = [f"[bold]{n}[/]" if i == j else f"[red]{n}[/]" if n else "." for j, n in enumerate(row)]
        table.add_row(result.classes[i].name, *cells)
    return table


def _confused(result: Evaluation) -> Table:
    from shapeproof.training.evaluate import confused

    table = _table(2, "it is", "told", "pictures")
    for true, told, count in confused(result)[:SHOWN]:
        table.add_row(true, told, str(count))
    return table


def _mistakes(result: Evaluation) -> Table:
    table = _table(0, "picture", "it is", "told", "confidence")
    for mistake in result.mistakes[:SHOWN]:
        true, told = result.classes[mistake.true].name, result.classes[mistake.told].name
        table.add_row(str(mistake.index), true, told, _share(mistake.confidence))
    return table
