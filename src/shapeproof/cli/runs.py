"""``shapeproof runs``: the runs of a folder, side by side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from rich.table import Table

NUMBERS = frozenset(["epochs", "seed", "accuracy", "training", "images/s"])
GIVEN_UP = ("images/s", "epochs", "training", "seed", "data", "recipe", "model")  # in this order, on a narrow terminal


@click.command("runs")
@click.argument("folder", type=click.Path(path_type=Path), default="runs")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def command(folder: Path, as_json: bool) -> int:
    """List the runs under FOLDER (default: runs), best first."""
    from shapeproof.errors import UsageError

    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; `shapeproof train` makes runs under `runs`")
    found = _records(folder)
    if as_json:
        click.echo(json.dumps({str(path): record for path, record in found}, indent=2))
    elif found:
        _show(found)
    else:
        click.echo(f"no runs under {folder}")
    return 0


def _records(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Every run in a folder or one below it; one that cannot be read is named and left out."""
    from shapeproof.errors import UsageError
    from shapeproof.training.run import RECORD, read_record

    found = []
    for file in sorted([*folder.glob(RECORD), *folder.glob(f"*/{RECORD}")]):
        try:
            found.append((file.parent, read_record(file.parent)))
        except UsageError as error:
            click.echo(f"left out: {error}", err=True)
    return sorted(found, key=lambda pair: -pair[1].get("final", {}).get("test_accuracy", -1))


def _show(found: list[tuple[Path, dict[str, Any]]]) -> None:
    """The table, without the columns that a narrow terminal has no room for; these are named below it."""
    from rich.console import Console

    # a pipe has no width of its own: it gets every column
    console = Console(highlight=False, width=shutil.get_terminal_size((200, 24)).columns)
    unbounded = console.options.update(width=10_000)  # a narrower measure is cut down to its own width
    rows = [_cells(path, record) for path, record in found]
    names = list(rows[0])
    left_out = []
    for name in GIVEN_UP:
        if console.measure(_table(names, rows), options=unbounded).maximum <= console.width:
            break
        names.remove(name)
        left_out.append(name)
    console.print(_table(names, rows))
    if left_out:
        click.echo(f"no room for {', '.join(left_out)}: a wider terminal shows them, --json has everything")


def _cells(path: Path, record: dict[str, Any]) -> dict[str, str]:
    final, recipe = record.get("final", {}), record["recipe"]
    return {
        "run": path.name,
        "model": record["model"]["target"],
        "data": record["data"]["name"],
        "recipe": recipe["name"],
        "epochs": f"{recipe['epochs']:g}",
        "seed": str(record["seed"]),
        "state": record["status"],
        "accuracy": f"{100 * final['test_accuracy']:.2f} %" if "test_accuracy" in final else "-",
        "training": f"{final['train_seconds']:.1f} s" if final else "-",
        "images/s": f"{final['images_per_second']:,.0f}" if final else "-",
    }


def _table(names: list[str], rows: list[dict[str, str]]) -> Table:
    """A table whose cells stay whole, but for the run's name, which is folded where nothing else helps."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in names:
        justify: Literal["left", "right"] = "right" if name in NUMBERS else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != "run")
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table
