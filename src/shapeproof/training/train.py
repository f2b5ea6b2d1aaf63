"""``shapeproof.train``: from a model and a data set to a run."""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, nn

from shapeproof.data.reading import Reading
from shapeproof.errors import UsageError
from shapeproof.models import target as targets
from shapeproof.training import checkpoint, kernels, recipes, session
from shapeproof.training import record as records
from shapeproof.training.batches import held_back, plan
from shapeproof.training.distributed import World, joined
from shapeproof.training.fit import explained_in_training, fitted, suited
from shapeproof.training.preparation import Preparation, give_lazy_layers_sizes
from shapeproof.training.progress import Callback, Screen
from shapeproof.training.recipes import Recipe
from shapeproof.training.record import Asked
from shapeproof.training.run import METRICS, STATE, Run, put_weights, read_record

if TYPE_CHECKING:
    from shapeproof.data.dataset import DataSet

FEW_STEPS = 50


def train(
    model: nn.Module | str,
    data: DataSet | str = "auto",
    recipe: Recipe | str | Path = "fast",
    *,
    output: str | Path | None = None,
    seed: int = 0,
    validation: float = 0.0,
    callback: Callback | None = None,
    threads: int | None = None,
    device: str | None = None,
    checkpoint_seconds: float = 30.0,
    quiet: bool = True,
    **more: Any,
) -> Run:
    """Train a classifier.

    Args:
        model: A module, trained in place; or a target such as ``"four-stage"``, made from the seed.
        data: A data set, or its name or directory.
        recipe: A recipe, its name, or a TOML file.
        output: The run directory to make; by default a new one under ``runs``.
        seed: Decides the order, every random choice, and the first weights of a model that is made here.
        validation: Share of the training pictures held back to measure on and to keep the best weights by, in [0, 1).
        callback: Called with an :class:`~shapeproof.training.progress.Event` every hundred steps and each epoch.
        threads: Number of threads; by default the quicker of one and all is found by timing.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``; by default the best there is.
        checkpoint_seconds: Seconds between checkpoints, at least 0 (then one each step).
        quiet: Show nothing.
        more: ``settings`` (of a target's constructor), ``reading`` (a :class:`~shapeproof.data.reading.Reading`: size
            and colours of the pictures, what to do with unreadable ones), ``data_root``, ``overwrite``,
            ``tensorboard``, ``screen``.

    Returns:
        The run; ``run.record["status"]`` is ``"finished"``, or ``"stopped"`` after Ctrl-C or SIGTERM.

    Raises:
        UsageError: If something asked for cannot be used.
        DoesNotFitError: If the model cannot run on the data, or has another number of classes.
        DivergedError: If the loss becomes infinite or no number.
    """
    chosen = recipes.find(recipe)
    screen = more.pop("screen", None) or Screen(quiet=quiet)
    place = _Place(output, more.pop("data_root", None), more.pop("overwrite", False))
    repeats = more.pop("repeats", None)
    plain = {"seed": seed, "validation": validation, "threads": threads, "device": device}
    asked = _asked(model, data, chosen, more, checkpoint_seconds=checkpoint_seconds, **plain)
    with _alone(asked) as world:
        return _begun(model, data, chosen, asked, place, world, screen, callback, repeats)


@dataclass(frozen=True)
class _Place:
    """Where a run is written and where its data lies."""

    output: str | Path | None
    data_root: Path | None
    overwrite: bool


def _begun(
    model: nn.Module | str,
    data: DataSet | str,
    recipe: Recipe,
    asked: Asked,
    place: _Place,
    world: World,
    screen: Screen,
    callback: Callback | None,
    repeats: dict[str, Any] | None,
) -> Run:
    """Read the data, derive the network on it, make the run directory, and go through the first sitting."""
    made = _made(asked) if isinstance(model, str) else model
    found = _loaded(data, place.data_root, world, asked)
    if repeats:
        records.same_data(found, repeats)
    fit = fitted(made, found, recipe)
    give_lazy_layers_sizes(made, fit.preparation, asked.seed)
    recipe, changes = suited(made, fit.preparation, recipe)
    path = Path(place.output) if place.output is not None else _default_output(asked, recipe)
    undo = session.new_folder(path, overwrite=place.overwrite) if world.leads else None
    notes = [
        *found.notes,
        *fit.notes,
        *changes,
        *_few_steps(found, recipe, asked),
        *_launched(world),
        *_noticed(found, screen, world),
    ]
    try:
        sitting = session.Session(path, made, found, recipe, asked, fit.preparation, world, screen, callback, notes, {})
        with explained_in_training(made, fit.preparation, _counts(found, recipe, asked, world)):
            trainer = sitting.start()
            if repeats:
                sitting.tell(records.differences(repeats, sitting.record))
            return _sit(sitting, trainer)
    finally:
        if undo:
            undo()


def _counts(data: DataSet, recipe: Recipe, asked: Asked, world: World) -> list[int]:
    """How many pictures the steps of an epoch have on this process: most of them, and the last one."""
    count = len(data.train_labels) - held_back(len(data.train_labels), asked.validation)
    whole = plan(count, recipe).batch_size
    last = 0 if recipe.drop_last else count % whole
    return [math.ceil(size / world.size) for size in (whole, last) if size]


def _few_steps(data: DataSet, recipe: Recipe, asked: Asked) -> list[str]:
    """What to say of a batch size larger than the set, and of a run too short to learn much."""
    count = len(data.train_labels) - held_back(len(data.train_labels), asked.validation)
    steps = plan(count, recipe)
    notes = []
    if recipe.batch_size > count:
        notes.append(f"the batch size is {count:,} instead of {recipe.batch_size:,}: there are no more pictures")
    if steps.total < FEW_STEPS:
        many = "step" if steps.total == 1 else "steps"
        notes.append(
            f"{steps.total} {many} in all are few to learn from: more --epochs, or a smaller --batch-size, train longer"
        )
    return notes


def _launched(world: World) -> list[str]:
    """What a user should know who may have asked a launcher for several processes and got one."""
    if world.size == 1 and "ACCELERATE_MIXED_PRECISION" in os.environ:
        return ["accelerate has started one process (WORLD_SIZE is not set); torchrun --nproc-per-node N starts N"]
    return []


def _noticed(data: DataSet, screen: Screen, world: World) -> list[str]:
    """What must be said of the data, after saying it."""
    if data.notice and world.leads:
        screen.note(data.notice, always=True)
    return [data.notice] if data.notice else []


def _asked(model: nn.Module | str, data: DataSet | str, recipe: Recipe, more: dict[str, Any], **plain: Any) -> Asked:
    """What was asked for, checked; takes its part out of ``more``."""
    asked = Asked(
        target=model if isinstance(model, str) else f"{type(model).__module__}:{type(model).__qualname__}",
        settings=dict(more.pop("settings", None) or {}),
        data=data if isinstance(data, str) else data.name,
        given=not isinstance(model, str),
        tensorboard=more.pop("tensorboard", False),
        reading=_reading(more.pop("reading", None)),
        **plain,
    )
    if more:
        raise TypeError(f"train() got an unexpected argument {next(iter(more))!r}")
    _check(asked, recipe)
    return asked


def _reading(given: Reading | dict[str, Any] | None) -> dict[str, Any]:
    """How to read the data, as plain values, whichever way it was given."""
    if isinstance(given, dict):
        given = Reading.from_dict(given)
    return (given or Reading()).to_dict()


def resume(
    path: str | Path,
    *,
    model: nn.Module | None = None,
    data: DataSet | None = None,
    callback: Callback | None = None,
    quiet: bool = True,
    data_root: Path | None = None,
    screen: Screen | None = None,
) -> Run:
    """Continue an interrupted run to the weights that it would have reached without the interruption, bit for bit.

    Args:
        path: The run directory.
        model: The network, where its class cannot be found by its name.
        data: The data set, where it was not loaded by name.
        callback: As in :func:`train`.
        quiet: Show nothing.
        data_root: Where data sets lie.
        screen: Shows the run.

    Raises:
        UsageError: If it is no run directory, its state is broken, or the data is not what it was trained on.
    """
    path = Path(path)
    record = read_record(path)
    asked = Asked(**record["asked"])
    if record["status"] == "finished":
        return Run(path, record, model)
    # Bits repeat for the same number of threads only.
    asked = replace(asked, threads=record["machine"]["threads"])
    screen = screen or Screen(quiet=quiet)
    with _alone(asked) as world:
        made = model if model is not None else _made(asked)
        found = data if data is not None else _loaded(asked.data, data_root, world, asked)
        if found.checksum != record["data"]["sha256"]:
            raise UsageError(
                f"{path} was trained on another content of {record['data']['name']}; find it with --data-root"
            )
        tensors, progress = checkpoint.load(path / STATE)
        recipe, preparation = recipes.from_dict(record["recipe"]), Preparation.from_dict(record["preparation"])
        give_lazy_layers_sizes(made, preparation)
        put_weights(made, checkpoint.part(tensors, "model"), path / STATE)
        sitting = session.Session(path, made, found, recipe, asked, preparation, world, screen, callback, [], record)
        trainer = sitting.start()
        trainer.restore(tensors, progress)
        if world.leads:
            session.cut_metrics(path / METRICS, progress.step)
            screen.note(f"continuing {path} after step {progress.step:,} of {trainer.plan.total:,}")
        return _sit(sitting, trainer)


def repeat(
    path: str | Path,
    *,
    output: str | Path | None = None,
    callback: Callback | None = None,
    quiet: bool = True,
    **more: Any,
) -> Run:
    """Do again what the record of a run says: on the same kind of machine, the same weights bit for bit.

    Args:
        path: The run directory; only its ``run.json`` is read.
        output: The run directory to make; by default a new one under ``runs``.
        callback: As in :func:`train`.
        quiet: Show nothing.
        more: ``data_root``, ``overwrite``, ``screen``.

    Returns:
        The new run; what is different here (versions, processor, arithmetic) is among ``run.record["notes"]``.

    Raises:
        UsageError: If it is no run directory, the network was a module of the caller's own, or the data or the
            network's file is no longer what it was.
    """
    record = read_record(Path(path))
    asked = {**record["asked"], "threads": record["machine"]["threads"]}
    target = asked.pop("target")
    if asked.pop("given", False):
        raise UsageError(f"{path} trained a module that its caller had made; no record holds its first weights")
    records.same_source(target, record, Path(path))
    recipe = recipes.from_dict(record["recipe"])
    options: dict[str, Any] = {**asked, **more, "repeats": record}
    return train(target, recipe=recipe, output=output, callback=callback, quiet=quiet, **options)


def _sit(sitting: session.Session, trainer: Any) -> Run:
    """Go through one sitting, with the model's layout and the caller's random state put back at its end."""
    devices = [sitting.world.device] if sitting.world.device.type == "cuda" else []
    with torch.random.fork_rng(devices), sitting.screen:
        try:
            sitting.go(trainer)
        finally:
            if sitting.board:
                sitting.board.close()
            sitting.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return Run(sitting.path, sitting.record, sitting.model.cpu())


def _check(asked: Asked, recipe: Recipe) -> None:
    if not 0 <= asked.validation < 1:
        raise UsageError(f"--validation {asked.validation}: give a share from 0 to less than 1, such as 0.1")
    if recipe.patience and not asked.validation:
        raise UsageError(
            f"--patience {recipe.patience} stops by the accuracy on pictures held back, and none are: "
            "add --validation, such as --validation 0.1"
        )
    if asked.threads is not None and asked.threads < 1:
        raise UsageError(f"--threads {asked.threads}: give at least 1")
    if not asked.checkpoint_seconds >= 0:
        raise UsageError(f"--checkpoint-seconds {asked.checkpoint_seconds}: give at least 0")


@contextmanager
def _alone(asked: Asked) -> Iterator[World]:
    """The processes of a run, on the device asked for."""
    device = kernels.best_device() if asked.device is None else torch.device(asked.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: this PyTorch sees no CUDA device; leave --device out, or give cpu")
    with joined(device) as world:
        yield world


def _made(asked: Asked) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(asked.seed)
        model = targets.load(asked.target, asked.settings)
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{asked.target} is a plain function; training needs an nn.Module, whose weights it can change"
        )
    return model


def _loaded(data: DataSet | str, root: Path | None, world: World, asked: Asked) -> DataSet:
    """The data set; rank 0 goes first, so that a download happens once."""
    if not isinstance(data, str):
        return data
    from shapeproof.data import load

    if world.size > 1 and not world.leads:
        distributed.barrier()
    found = load(data, root=root, reading=Reading.from_dict(asked.reading))
    if world.size > 1 and world.leads:
        distributed.barrier()
    return found


def _default_output(asked: Asked, recipe: Recipe) -> Path:
    name = asked.target.rpartition(":")[2] if ":" in asked.target else asked.target
    moment = datetime.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{name}-{recipe.name}-{moment}-{os.getpid()}"
