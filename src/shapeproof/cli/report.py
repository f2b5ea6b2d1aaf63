"""``shapeproof report``: a run on one page, or several side by side."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="The file to write; else RUN/report.html.")
@click.option("--data", metavar="NAME|DIR", help="Another data set than the run's own.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Where data sets lie.")
def command(runs: tuple[Path, ...], output: Path | None, data: str | None, data_root: Path | None) -> int:
    """Write the report of RUN, a run directory; of several, one page that compares them (comparison.html)."""
    from shapeproof.files import write_whole
    from shapeproof.training import compare, report
    from shapeproof.training.run import REPORT, load_run

    if output is not None and not output.parent.is_dir():
        raise click.UsageError(f"--output {output}: the folder {output.parent} does not exist")
    opened = [load_run(path) for path in dict.fromkeys(runs)]
    known = [report.measure(run, data, data_root) for run in opened]
    for run, tested in zip(opened, known, strict=True):
        if tested.why:
            click.echo(f"{run.path}: not measured on test pictures: {tested.why}", err=True)
    if len(opened) == 1:
        run = opened[0]
        target = output or run.path / REPORT
        text = report.made(run.path, run.record, run.metrics, known[0])
    else:
        target = output or Path("comparison.html")
        text = compare.made(opened, known)
    write_whole(target, text)
    click.echo(str(target))
    return 0
