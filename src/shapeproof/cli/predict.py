"""``shapeproof predict``: a person's own picture of a digit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shapeproof.serving.reading import Reading

WORDS = {
    "no-ink": "nothing stands out from the ground of this picture",
    "no-digit": "this does not look like a digit",
    "between": "it may as well be {other}",
    "other-digit": "a second look says {other}",
}


@click.command("predict")
@click.argument("run", metavar="[RUN]", default="pretrained")
@click.argument("images", nargs=-1, metavar="IMAGE...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--save-seen", type=click.Path(path_type=Path), metavar="DIR", help="Write what the network was shown as PNG files."
)
@click.option("--quiet", is_flag=True, help="No pictures in letters.")
def command(run: str, images: tuple[Path, ...], as_json: bool, save_seen: Path | None, quiet: bool) -> int:
    """Say which digit each IMAGE shows, and how sure that is.

    RUN is a run directory, or `pretrained` for the network that shapeproof ships, which is also taken where RUN is
    left out. An IMAGE may have any size and colour, ink dark on light or light on dark.
    """
    from shapeproof.errors import UsageError
    from shapeproof.serving.opening import PRETRAINED, need, open_run

    need("train", "numpy", "PIL", "safetensors")
    given, images = _sorted_out(run, images)
    if not images:
        known = run == PRETRAINED or Path(run).is_dir()
        raise UsageError(
            f"name the pictures: shapeproof predict {run} IMAGE..." if known else f"there is no file {run}"
        )
    opened = open_run(given)
    readings, wrong = [], 0
    for path in images:
        try:
            readings.append(_read(opened, path, save_seen))
        except UsageError as error:
            click.echo(f"shapeproof: {error}", err=True)
            wrong += 1
            continue
        if not as_json:
            _show(path, readings[-1][1], quiet)
    if as_json:
        click.echo(json.dumps([_plain(path, reading) for path, reading in readings], indent=2))
    return 2 if wrong else 0


def _sorted_out(run: str, images: tuple[Path, ...]) -> tuple[str | None, tuple[Path, ...]]:
    """A first argument that is a file is a picture, and the shipped network is meant."""
    return (None, (Path(run), *images)) if Path(run).is_file() else (run, images)


def _read(run: Any, path: Path, save_seen: Path | None) -> tuple[Path, Reading]:
    from shapeproof.serving.reading import read_picture, save

    reading = read_picture(run, path)
    if save_seen:
        save(reading, save_seen, path.stem)
    return path, reading


def _show(path: Path, reading: Reading, quiet: bool) -> None:
    answer = reading.answer
    if answer.label is None:
        click.echo(f"{path}: no digit; {WORDS[answer.reason]}")
        return
    chance = f"{100 * answer.probability:.1f} %"
    why = "" if answer.sure else f"; {WORDS[answer.reason].format(other=answer.other)}"
    click.echo(f"{path}: {answer.name}, {'sure' if answer.sure else 'not sure'} ({chance}{why})")
    if not quiet:
        click.echo(reading.letters)


def _plain(path: Path, reading: Reading) -> dict[str, Any]:
    answer = reading.answer
    return {
        "file": str(path),
        "label": answer.label,
        "name": answer.name,
        "probability": round(answer.probability, 6),
        "sure": answer.sure,
        "reason": answer.reason,
        "other": answer.other,
        "probabilities": [round(p, 6) for p in answer.probabilities],
        "seen": reading.seen.tolist(),
    }
