"""``shapeproof runs``: the runs of a folder, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


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
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in ("run", "model", "data", "recipe", "epochs", "seed", "state", "accuracy", "training", "images/s"):
        table.add_column(
            name,
            justify="right" if name in ("epochs", "seed", "accuracy", "training", "images/s") else "left",
            overflow="fold",
        )
    for path, record in found:
        final, recipe = record.get("final", {}), record["recipe"]
        figures = (
            (f"{100 * final['test_accuracy']:.2f} %" if "test_accuracy" in final else "-"),
            (f"{final['train_seconds']:.1f} s" if final else "-"),
            (f"{final['images_per_second']:,.0f}" if final else "-"),
        )
        table.add_row(
            path.name,
            record["model"]["target"],
            record["data"]["name"],
            recipe["name"],
            f"{recipe['epochs']:g}",
            str(record["seed"]),
            record["status"],
            *figures,
        )
    Console(highlight=False).print(table)
