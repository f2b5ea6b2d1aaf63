"""``shapeproof train``: train a network; the run directory holds all that repeats it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shapeproof.cli.reading import READING, reading_options, without_nothing
from shapeproof.cli.recipe import FIELDS, RecipeCommand, recipe_options
from shapeproof.training.waiting import wait_briefly

if TYPE_CHECKING:
    from shapeproof.training.recipes import Recipe
    from shapeproof.training.run import Run


@dataclass(frozen=True)
class Options:
    """The command line as given; see the options' help."""

    model: str | None
    data: str
    data_root: Path | None
    reading: dict[str, Any]
    recipe: str
    changes: dict[str, Any]
    settings: tuple[str, ...]
    seed: int
    output: Path | None
    overwrite: bool
    resume: Path | None
    repeat: Path | None
    validation: float
    threads: int | None
    device: str | None
    checkpoint_seconds: float
    tensorboard: bool
    quiet: bool
    show_recipe: bool


@click.command("train", cls=RecipeCommand)
@click.argument("model", required=False)
@click.option(
    "--data", default="auto", show_default=True, metavar="NAME|DIR", help="mnist, digits, a directory, or auto."
)
@click.option("--data-root", type=click.Path(path_type=Path), help="Where data sets lie.")
@reading_options
@click.option("--recipe", default="fast", show_default=True, help="reference, fast, best, or a TOML file.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A constructor argument of the model.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="The run directory to make; else a new one under runs.")
@click.option("--overwrite", is_flag=True, help="Replace the run that --output holds.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Continue an interrupted run.")
@click.option("--repeat", type=click.Path(path_type=Path), metavar="RUN", help="Do again what a run's record says.")
@click.option(
    "--validation", type=float, default=0.0, metavar="SHARE", help="Hold back a share; keep the best weights."
)
@click.option("--threads", type=int, help="Number of threads; else the quickest is found by timing.")
@click.option("--device", type=click.Choice(["cpu", "cuda", "mps"]), help="Else the best there is.")
@click.option("--checkpoint-seconds", type=float, default=30.0, show_default=True, help="Seconds between checkpoints.")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard's files into the run directory too.")
@click.option("--quiet", is_flag=True, help="Say only what must not be missed.")
@click.option("--show-recipe", is_flag=True, help="Print the recipe with all changes, and stop.")
@recipe_options
@click.pass_context
def command(context: click.Context, /, **given: Any) -> int:
    """Train MODEL (two-stage, four-stage, FILE.py:NAME or PACKAGE.MODULE:NAME; four-stage if left out)."""
    changes = {field.name: given.pop(field.name) for field in FIELDS}
    reading = {name: given.pop(name) for name in READING}
    options = Options(changes=without_nothing(changes), reading=without_nothing(reading), **given)
    _check(context, options)
    wait_briefly()
    if options.show_recipe:
        click.echo(str(_recipe(options)))
        return 0
    return _outcome(options)


def _check(context: click.Context, options: Options) -> None:
    """Refuse what contradicts itself, before anything is loaded."""
    for name in ("resume", "repeat"):
        allowed = {name, "data_root", "quiet", *(("output", "overwrite") if name == "repeat" else ())}
        if getattr(options, name) is None:
            continue
        given = {p for p in context.params if context.get_parameter_source(p) == click.core.ParameterSource.COMMANDLINE}
        if extra := sorted(given - allowed):
            flags = ", ".join("MODEL" if p == "model" else f"--{p.replace('_', '-')}" for p in extra)
            raise click.UsageError(f"--{name} takes everything from the run's record; leave out {flags}")
    if (epochs := options.changes.get("epochs")) is not None and not epochs > 0:
        raise click.UsageError(f"--epochs {epochs:g}: give more than 0, such as 1 or 0.3")


def _recipe(options: Options) -> Recipe:
    from shapeproof.training import recipes

    return recipes.find(options.recipe).with_changes(**options.changes)


def _outcome(options: Options) -> int:
    """Train, and turn how it went into words and an exit status."""
    from shapeproof.training.distributed import ProcessLostError, launched_size
    from shapeproof.training.fit import DoesNotFitError
    from shapeproof.training.loop import DivergedError

    leads = launched_size() == 1 or os.environ.get("RANK") == "0"
    try:
        run = _trained(options)
    except (DoesNotFitError, DivergedError, ProcessLostError) as problem:
        if leads or isinstance(problem, ProcessLostError):
            click.echo(f"shapeproof: {problem}", err=True)
        return 1
    return _told(run, options.quiet) if leads else _status(run)


def _trained(options: Options) -> Run:
    from shapeproof.data.reading import Reading
    from shapeproof.models.target import settings_of
    from shapeproof.training import kernels
    from shapeproof.training.progress import Screen
    from shapeproof.training.train import repeat, resume, train

    kernels.leave_compiler_unloaded()
    screen = Screen(quiet=options.quiet)
    if options.resume is not None:
        return resume(options.resume, data_root=options.data_root, screen=screen)
    common: dict[str, Any] = {"output": options.output, "overwrite": options.overwrite, "data_root": options.data_root}
    if options.repeat is not None:
        return repeat(options.repeat, screen=screen, **common)
    return train(
        options.model or "four-stage",
        options.data,
        _recipe(options),
        settings=settings_of(options.settings),
        reading=Reading(**options.reading),
        seed=options.seed,
        validation=options.validation,
        threads=options.threads,
        device=options.device,
        checkpoint_seconds=options.checkpoint_seconds,
        tensorboard=options.tensorboard,
        screen=screen,
        **common,
    )


def _status(run: Run) -> int:
    """0, or 128 and the signal that stopped the run: the shell's convention."""
    return 128 + int(run.record["signal"]) if run.record["status"] == "stopped" else 0


def _told(run: Run, quiet: bool) -> int:
    record = run.record
    if record["status"] == "stopped":
        click.echo(
            f"stopped after step {record['step']:,}; {run.path} holds the weights so far: "
            f"continue with `shapeproof train --resume {run.path}`",
            err=True,
        )
        return _status(run)
    final = record["final"]
    if not quiet:
        click.echo(
            f"{final['steps']:,} steps in {final['train_seconds']:.1f} s, {final['images_per_second']:,.0f} images/s"
        )
        if run.accuracy is not None:
            click.echo(f"test accuracy {100 * run.accuracy:.2f} % on {record['split']['test']:,} pictures")
        click.echo(f"the run is in {run.path}")
    return 0
