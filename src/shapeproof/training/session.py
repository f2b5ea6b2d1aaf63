"""One sitting of a run in its directory: from the first file written to the last."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shapeproof.data.dataset import IN_MEMORY, Chosen, Pictures
from shapeproof.errors import UsageError
from shapeproof.training import board, checkpoint, files, kernels, record, report, threads
from shapeproof.training.batches import Batches, split
from shapeproof.training.distributed import ProcessLostError, World, agree, synced_normalisation
from shapeproof.training.fit import sample
from shapeproof.training.loop import DivergedError, Trainer
from shapeproof.training.preparation import Preparation
from shapeproof.training.progress import Callback, Event, Screen
from shapeproof.training.recalibrate import recalibrate
from shapeproof.training.recipes import Recipe
from shapeproof.training.run import METRICS, RECORD, REPORT, STATE, WEIGHTS, predictions, put_weights, read_metrics
from shapeproof.training.stopping import Stop

if TYPE_CHECKING:
    from shapeproof.data.dataset import DataSet


@dataclass
class Session:
    """What one sitting works with.

    Attributes:
        path: The run directory, on rank 0 there already.
        model: The network, with its first weights; they are trained in place.
        data: Pictures and labels.
        recipe: How to train.
        asked: What else was asked.
        preparation: How pictures reach the network.
        world: The processes.
        screen: Shows the run.
        callback: Is given each event; ``None`` for none.
        notes: What the record and the user should know.
        record: What ``run.json`` holds.
        board: Writes for TensorBoard; ``None`` without.
    """

    path: Path
    model: nn.Module
    data: DataSet
    recipe: Recipe
    asked: record.Asked
    preparation: Preparation
    world: World
    screen: Screen
    callback: Callback | None
    notes: list[str]
    record: dict[str, Any]
    board: board.Board | None = None

    def start(self) -> Trainer:
        """Set threads, arithmetic and layout, write the first files, and make the trainer.

        Raises:
            UsageError: If the run directory cannot be written.
        """
        bfloat16 = self.recipe.precision == "auto" and kernels.quick_bfloat16(self.world.device)
        self.model.to(self.world.device)
        agree(self.model, self.world)
        layout = self._layout()
        self.model.to(memory_format=layout)  # type: ignore[call-overload]
        choice = self._threads(bfloat16, layout)
        kept = self.recipe.fast_kernels and self.world.device.type == "cpu" and kernels.keep_freed_memory()
        machine = record.machine(self.world.device, choice, self.world.size, bfloat16, kept)
        if not self.record:
            self.record = record.begun(
                self.asked, self.model, self.data, self.recipe, self.preparation, machine, self.notes
            )
        self.record.setdefault("sittings", []).append({"started": record.now(), "machine": machine})
        trainer = self._trainer(bfloat16, layout)
        self._announce(machine)
        if self.asked.tensorboard and self.world.leads:
            self.board = board.Board(self.path)
            self.board.network(self.model, sample(self.preparation, 2).to(self.world.device))
        return trainer

    def _layout(self) -> torch.memory_format:
        x = sample(self.preparation, 2).to(self.world.device)
        if self.recipe.fast_kernels and kernels.runs_channels_last(self.model, x):
            return torch.channels_last
        return torch.contiguous_format

    def _threads(self, bfloat16: bool, layout: torch.memory_format) -> threads.Choice:
        if self.world.device.type != "cpu":
            return threads.Choice(torch.get_num_threads(), "the work is done on the accelerator")
        asked = self.asked.threads
        if self.world.size > 1 and asked is None:
            asked = max(1, threads.available() // self.world.size)
        trial = copy.deepcopy(self.model).train()
        x = sample(self.preparation, min(self.recipe.batch_size, len(self.data.train_labels)))
        x = x.contiguous(memory_format=layout)

        def step() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                out = trial(x)
            out.float().square().mean().backward()

        return threads.choose(step, asked)

    def _trainer(self, bfloat16: bool, layout: torch.memory_format) -> Trainer:
        images, labels = self.data.train_images, self.data.train_labels
        held: tuple[Pictures, Tensor] | None = None
        device = self.world.device
        if self.asked.validation:
            mine, back = split(len(labels), self.asked.validation, self.asked.seed)
            held = self._some(back), labels[back]
            images, labels = self._some(mine), labels[mine]
        if device.type != "cpu" and isinstance(images, Tensor) and self.data.way == IN_MEMORY:
            images, labels = images.to(device), labels.to(device)
        batches = Batches(
            images, labels, self.preparation, self.recipe, self.asked.seed, device, self.world.rank, self.world.size
        )
        return Trainer(
            model=self.model,
            batches=batches,
            held=held,
            world=self.world,
            bfloat16=bfloat16,
            layout=layout,
            folder=self.path / STATE,
            checkpoint_seconds=self.asked.checkpoint_seconds,
            listen=self._listen,
            tick=self.screen.tick if self.screen.wants_ticks else None,
        )

    def _some(self, rows: Tensor) -> Pictures:
        """Some of the training pictures: copied only where they are in memory anyway."""
        images = self.data.train_images
        return images[rows] if self.data.way == IN_MEMORY else Chosen(images, rows)

    def _announce(self, machine: dict[str, Any]) -> None:
        if not self.world.leads:
            return
        processes = f", {self.world.size} processes" if self.world.size > 1 else ""
        self.screen.note(
            f"{self.asked.target} on {self.data.name} ({self.record['split']['train']:,} training pictures), "
            f"recipe {self.recipe.name}, seed {self.asked.seed}"
        )
        self.screen.note(
            f"{machine['device']}, {machine['arithmetic']}{processes}, threads: {machine['threads']} "
            f"({machine['threads_reason']})"
        )
        for note in self.notes:
            if note != self.data.notice:  # that one was shown before anything else
                self.screen.note(note)
        if self.record["machine"]["freed_memory_kept"]:
            self.screen.note("freed memory is kept for the next step instead of being handed back to the system")

    def tell(self, notes: list[str]) -> None:
        """Show further notes, and keep them in the record."""
        self.record["notes"] = [*self.record["notes"], *notes]
        if self.world.leads:
            for note in notes:
                self.screen.note(note)

    def _listen(self, event: Event) -> None:
        append_line(self.path / METRICS, event.to_dict())
        self.screen(event)
        if self.board:
            self.board(event)
            self.board.filters(self.model, event.step)
        if self.callback:
            self.callback(event)

    def go(self, trainer: Trainer) -> None:
        """Train to the end, or to a wish to stop, and leave the directory in order either way.

        Raises:
            DivergedError: After the last good weights were put back.
            ProcessLostError: If another process of the run has gone.
            CannotWriteError: If the disk will not have the state; the last one written stays.
        """
        x = sample(self.preparation, 2).to(self.world.device)
        sooner = kernels.sooner(self.model, x, wanted=self.recipe.fast_kernels)
        with Stop() as stop, synced_normalisation(self.model, self.world), sooner:
            if not trainer.progress.step:
                self._first_files(trainer)
            try:
                ended = trainer.run(stop)
            except DivergedError as error:
                self._diverged(trainer, error)
                raise
            except ProcessLostError as error:
                raise ProcessLostError(f"{error}; {how_to_resume(self.path)}") from error
            except files.CannotWriteError as error:
                good = checkpoint.newest_step(self.path / STATE)
                raise files.CannotWriteError(
                    f"{error}; the state of step {good:,} is whole: make room, then {how_to_resume(self.path)}"
                ) from error
        if ended:
            self._finish(trainer)
        else:
            self._write(trainer, "stopped", {"signal": stop.signal})

    def _first_files(self, trainer: Trainer) -> None:
        """State before record: a directory with a record can always be resumed."""
        trainer.save()
        if self.world.leads:
            files.write_json(self.path / RECORD, self.record)

    def _diverged(self, trainer: Trainer, error: DivergedError) -> None:
        if not self.world.leads:
            return
        tensors, progress = checkpoint.load(self.path / STATE)
        trainer.restore(tensors, progress)
        kept = progress.best_epoch if trainer.best else None
        self._write(trainer, "diverged", {"diverged_at_step": error.step, "weights_of_step": progress.step})
        what = f"of epoch {kept}, the best" if kept else f"of step {progress.step:,}"
        error.args = (
            f"{error.args[0]}; training has stopped, and {self.path / WEIGHTS} holds the last good weights, {what}. "
            "A smaller --learning-rate usually cures it",
        )

    def _write(self, trainer: Trainer, status: str, more: dict[str, Any], tested: report.Tested | None = None) -> None:
        """Write weights, record and report as they stand."""
        if not self.world.leads:
            return
        files.write_bytes(self.path / WEIGHTS, files.tensors_as_bytes(trainer.result()))
        at = trainer.progress
        self.record.update(status=status, step=at.step, train_seconds=round(at.seconds, 3), ended=record.now(), **more)
        files.write_json(self.path / RECORD, self.record)
        report.write(self.path, tested)

    def _recalibrate(self, trainer: Trainer) -> None:
        """Give the model the run's result, with normalisation's statistics taken anew where the recipe asks for it."""
        began = time.perf_counter()
        put_weights(self.model, dict(trainer.result()), self.path)
        images, count = trainer.batches.images, self.recipe.recalibrate
        device = self.world.device
        if recalibrate(self.model, images, self.preparation, count, device, bfloat16=trainer.bfloat16):
            trainer.final = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        trainer.progress.seconds += time.perf_counter() - began

    def _finish(self, trainer: Trainer) -> None:
        """Hand over the run's result, and measure it on the test pictures."""
        self._recalibrate(trainer)
        self.model.eval()
        trainer.save()
        at, plan = trainer.progress, trainer.plan
        final: dict[str, Any] = {
            "steps": at.step,
            "train_seconds": round(at.seconds, 3),
            "images_per_second": round(at.step * plan.batch_size / at.seconds, 1),
        }
        if at.best >= 0:
            final |= {"validation_accuracy": at.best, "validation_epoch": at.best_epoch}
        tested = report.Tested(self.model, why="the data has no test pictures")
        if self.world.leads and len(self.data.test_labels):
            chances = predictions(self.model, self.preparation, self.data.test_images, device=self.world.device)
            final["test_accuracy"] = float((chances.argmax(1) == self.data.test_labels).double().mean())
            true = chances[torch.arange(len(chances)), self.data.test_labels]
            final["test_loss"] = float(-true.clamp_min(1e-12).log().mean())
            tested = report.Tested(self.model, self.data.test_images, self.data.test_labels, chances)
        self._write(trainer, "finished", {"final": final}, tested)


def how_to_resume(path: Path) -> str:
    """The command that continues a run."""
    return f"continue with `shapeproof train --resume {path}`"


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Append one JSON object as a line.

    Raises:
        CannotWriteError: If the disk will not have it.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")
    except OSError as error:
        raise files.CannotWriteError(f"cannot write {path}: {error.strerror}") from error


def cut_metrics(path: Path, step: int) -> None:
    """Drop the lines of steps after ``step``: they are about to be taken again."""
    lines = [json.dumps(line) for line in read_metrics(path) if line["step"] <= step]
    files.write_text(path, "".join(f"{line}\n" for line in lines))


def new_folder(path: Path, *, overwrite: bool) -> Callable[[], None]:
    """Make a run directory.

    Args:
        path: Where; its parents are made as well.
        overwrite: Whether a run that is there may go.

    Returns:
        What takes it away again while it is still empty, should the run not come to its first files.

    Raises:
        UsageError: If a run is there already, or the place cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; give another --output")
    if (path / RECORD).exists() and not overwrite:
        raise UsageError(f"{path} already holds a run; give another --output, or --overwrite, or --resume {path}")
    if path.is_dir() and any(path.iterdir()) and not (path / RECORD).exists() and not (path / STATE).exists():
        raise UsageError(f"{path} holds other files; give --output a new or an empty folder")
    made = next((p for p in [*reversed(path.parents), path] if not p.exists()), None)
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
        _clear(path)
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror}; give another --output") from error

    def undo() -> None:
        for folder in [path, *path.parents]:
            with contextlib.suppress(OSError):
                folder.rmdir()
            if made is None or folder == made or folder.exists():
                return

    return undo


def _clear(path: Path) -> None:
    """Remove a former run's own files, and nothing else; the record first, so that half of it is never a run."""
    for name in (RECORD, WEIGHTS, METRICS, REPORT):
        (path / name).unlink(missing_ok=True)
    for folder in (path / STATE, path / board.FOLDER):
        if folder.is_dir():
            for file in folder.iterdir():
                file.unlink()
