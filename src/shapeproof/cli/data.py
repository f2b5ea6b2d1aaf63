"""``shapeproof data``: which data sets there are, where they lie, whether they are whole."""

from __future__ import annotations

from pathlib import Path

import click

ROOT = click.option(
    "--data-root", type=click.Path(path_type=Path), help="Where data sets lie; else SHAPEPROOF_DATA, else the cache."
)


@click.group("data")
def command() -> None:
    """Which data sets there are, where they lie, whether they are whole."""


@command.command("list")
@ROOT
def list_sets(data_root: Path | None) -> None:
    """Name every data set and where it lies."""
    from shapeproof.data.known import KNOWN
    from shapeproof.data.places import data_root as where
    from shapeproof.data.places import found_folder

    root = where(data_root)
    click.echo("digits  ships with shapeproof: 1,797 digits of 28x28 (UCI optical recognition set, CC BY 4.0)")
    for known in KNOWN.values():
        folder = found_folder(known, root)
        fetched = f"run: shapeproof data fetch {known.name}"
        wanted = fetched if known.mirrors else f"read from {known.folder}/raw, once you have put it there"
        place = f"in {folder}" if folder else f"not under {root}; {wanted}"
        click.echo(f"{known.name}  {place}")


@command.command("fetch")
@click.argument("name", default="mnist")
@ROOT
def fetch_set(name: str, data_root: Path | None) -> None:
    """Download what is missing of a data set."""
    from shapeproof.data.fetch import fetch
    from shapeproof.data.known import KNOWN
    from shapeproof.data.places import data_root as where
    from shapeproof.data.places import found_folder
    from shapeproof.errors import UsageError

    if name not in KNOWN:
        raise UsageError(f"there is nothing to fetch called {name!r}; known are {', '.join(KNOWN)}")
    root = where(data_root)
    if not KNOWN[name].mirrors and not found_folder(KNOWN[name], root):
        place = root / KNOWN[name].folder / "raw"
        raise UsageError(f"{name} is read where it lies, and not downloaded; put its four files into {place}")
    folder = found_folder(KNOWN[name], root) or fetch(KNOWN[name], root)
    click.echo(f"{name} is in {folder}")


@command.command("check")
@click.argument("name", default="mnist")
@ROOT
def check_set(name: str, data_root: Path | None) -> int:
    """Read a data set and compare its checksums; exit status 1 where its content is another."""
    import hashlib

    from shapeproof.data import idx, load
    from shapeproof.data.known import KNOWN
    from shapeproof.data.places import data_root as where
    from shapeproof.data.places import found_file, found_folder

    data = load(name, root=data_root, download=False)
    click.echo(f"{data.name}: {len(data.train_images):,} pictures to train on, {len(data.test_images):,} to test on")
    known = KNOWN.get(name)
    folder = found_folder(known, where(data_root)) if known else None
    wrong = []
    for file, checksum in zip(known.files, known.sha256, strict=True) if known and folder else ():
        path = found_file(folder, file) if folder else None
        if path and hashlib.sha256(idx.unpacked(path)).hexdigest() != checksum:
            wrong.append(str(path))
    for path_text in wrong:
        click.echo(f"{path_text} is readable, but its content is not that of {name}", err=True)
    click.echo(f"sha256 {data.checksum}" + (" whole" if not wrong else " NOT whole"))
    return 1 if wrong else 0
