"""The loop: batch, forward, backward, step; now and then a line, a validation, a checkpoint."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from shapeproof.data.dataset import Pictures
from shapeproof.errors import ShapeproofError
from shapeproof.training import checkpoint, optimisers
from shapeproof.training.batches import NETWORK, Batch, Batches, mixed
from shapeproof.training.checkpoint import Progress
from shapeproof.training.distributed import World, explained, sum_gradients, sum_numbers
from shapeproof.training.fit import sample
from shapeproof.training.progress import Event
from shapeproof.training.stopping import Stop

LINES_EVERY = 100  # steps, as in the document
CHECK_EVERY = 50  # steps between looks at an accelerator's results; each look waits for it


class DivergedError(ShapeproofError):
    """The loss became infinite or no number.

    Attributes:
        step: The step at which it did, from 1.
    """

    def __init__(self, step: int, value: float) -> None:
        super().__init__(f"the loss became {value} at step {step:,}")
        self.step = step


@dataclass
class Trainer:
    """One sitting of a run: from wherever its state stands to the end, or to a wish to stop.

    Attributes:
        model: On its device, in the layout in which it is trained.
        batches: Gives this process's share of each step.
        held: Pictures ``uint8`` and labels for validation; ``None`` without.
        world: The processes.
        bfloat16: Whether arithmetic is bfloat16 where autocast allows it.
        layout: Memory layout of the pictures, and of the model.
        folder: Where checkpoints go; ``None`` keeps none.
        checkpoint_seconds: Seconds between checkpoints.
        listen: Is given each event, on rank 0.
        tick: Is given an event each step where wanted, on rank 0.
        progress: Where the run stands.
    """

    model: nn.Module
    batches: Batches
    held: tuple[Pictures, Tensor] | None
    world: World
    bfloat16: bool
    layout: torch.memory_format
    folder: Path | None
    checkpoint_seconds: float
    listen: Callable[[Event], object]
    tick: Callable[[Event], object] | None = None
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.recipe = self.batches.recipe
        self.plan = self.batches.plan
        x = sample(self.batches.preparation, 2).to(self.world.device)
        self.optimisers = optimisers.build(self.model, self.recipe, x, bfloat16=self.bfloat16)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.averaged: dict[str, Tensor] = {}
        self.best: dict[str, Tensor] = {}
        self.final: dict[str, Tensor] = {}
        self._unread: list[tuple[Tensor, int]] = []
        self._last_event = (self.progress.step, self.progress.seconds)
        self._saved = time.monotonic()

    # ---- the state on disk

    def restore(self, tensors: dict[str, Tensor], progress: Progress) -> None:
        """Continue from a checkpoint's state, bit for bit."""
        checkpoint.put_back(tensors, self.model, self.optimisers)
        device = self.world.device
        self.averaged = {name: value.to(device) for name, value in checkpoint.part(tensors, "averaged").items()}
        self.best = {name: value.to(device) for name, value in checkpoint.part(tensors, "best").items()}
        self.progress = progress
        self._last_event = (progress.step, progress.seconds)

    def save(self) -> None:
        """Write a checkpoint, on rank 0.

        Raises:
            DivergedError: If a weight is no longer finite: such a state is not worth keeping.
            CannotWriteError: If the disk will not have it.
        """
        self._saved = time.monotonic()
        if self.folder is None or not self.world.leads:
            return
        for value in self.model.state_dict().values():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise DivergedError(self.progress.step, math.nan)
        others = {"averaged": self.averaged, "best": self.best}
        checkpoint.save(self.folder, checkpoint.gathered(self.model, self.optimisers, others), self.progress)

    def result(self) -> dict[str, Tensor]:
        """The weights that this run hands over: the best on validation, else the averaged, else the last.

        At the end of a run with batch normalisation's statistics taken anew, those.
        """
        return self.final or self.best or self._candidate()

    def _candidate(self) -> dict[str, Tensor]:
        return self.averaged or self.model.state_dict()

    # ---- the loop

    def run(self, stop: Stop) -> bool:
        """Train until the end or until ``stop``.

        Returns:
            Whether the run came to its end.

        Raises:
            DivergedError: If the loss becomes infinite or no number; weights are then those of that moment.
            ProcessLostError: If another process of the run has gone.
            CannotWriteError: If a checkpoint cannot be written.
        """
        self.model.train()
        with explained():
            while self.progress.step < self.plan.total:
                wish = self._step_and_account(stop)
                if wish:
                    self.save()
                    return False
                if self._patience_ended():
                    break
        return True

    def _step_and_account(self, stop: Stop) -> bool:
        """One step and all that may follow it; returns whether some process was asked to stop."""
        started = time.perf_counter()
        step = self.progress.step
        count, numbers = self._step(step, stop)
        self._unread.append((numbers, count))
        self.progress.step = step + 1
        iteration = step % self.plan.per_epoch + 1
        ends_epoch = iteration == self.plan.per_epoch or step + 1 == self.plan.total
        line = iteration % LINES_EVERY == 0
        wish = False
        if line or ends_epoch or self.world.device.type == "cpu" or (step + 1) % CHECK_EVERY == 0:
            loss, wish = self._read()
            self.progress.seconds += time.perf_counter() - started
            self._tell(loss, iteration, line, ends_epoch)
            if not wish and time.monotonic() - self._saved >= self.checkpoint_seconds:
                self.save()
        else:
            self.progress.seconds += time.perf_counter() - started
        return wish

    def _step(self, step: int, stop: Stop) -> tuple[int, Tensor]:
        """Returns the number of pictures of the step, and its loss, hits and wishes to stop, over all processes."""
        batch = self.batches.at(step)
        # The network's own randomness (dropout) is a function of seed, step and process, like all the rest.
        torch.manual_seed(mixed(self.batches.seed, NETWORK, step * self.world.size + self.world.rank))
        optimisers.set_rate(self.optimisers, optimisers.rate(self.recipe, step, self.plan.total))
        scores, loss = self._forward(batch)
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        hits = (scores.detach().argmax(1) == batch.y).sum()
        wish = torch.tensor(float(stop.signal > 0), device=loss.device)
        numbers = torch.stack([loss.detach().float(), hits.float(), wish])
        numbers = sum_gradients(self.parameters, numbers, self.world)
        for optimiser in self.optimisers:
            optimisers.take_step(optimiser)
        self._average(step)
        return batch.count, numbers

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        x = batch.x.contiguous(memory_format=self.layout)
        with torch.autocast(x.device.type, torch.bfloat16) if self.bfloat16 else contextlib.nullcontext():
            scores: Tensor = self.model(x)
        scores = scores.float()
        smoothing = self.recipe.label_smoothing
        if self.world.size == 1:
            return scores, functional.cross_entropy(scores, batch.y, label_smoothing=smoothing)
        total = functional.cross_entropy(scores, batch.y, label_smoothing=smoothing, reduction="sum")
        return scores, total / batch.count

    @torch.no_grad()
    def _average(self, step: int) -> None:
        if not self.recipe.average:
            return
        now = self.model.state_dict()
        if not self.averaged:
            self.averaged = {name: value.clone() for name, value in now.items()}
            return
        decay = min(self.recipe.average, (step + 1) / (step + 10))  # a young mean must not hang on its first values
        for name, mean in self.averaged.items():
            mean.lerp_(now[name], 1 - decay) if mean.is_floating_point() else mean.copy_(now[name])

    def _read(self) -> tuple[float, bool]:
        """Take in the figures of the steps since the last look; returns the last loss, and whether to stop."""
        table = torch.stack([numbers for numbers, _ in self._unread]).tolist()
        first = self.progress.step - len(table) + 1
        for at, ((loss, hits, _), (_, count)) in enumerate(zip(table, self._unread, strict=True)):
            if not math.isfinite(loss):
                raise DivergedError(first + at, loss)
            self.progress.loss += loss * count
            self.progress.hits += int(hits)
            self.progress.seen += count
        self._unread.clear()
        return table[-1][0], any(row[2] > 0 for row in table)

    # ---- telling

    def _tell(self, loss: float, iteration: int, line: bool, ends_epoch: bool) -> None:
        if self.tick and self.world.leads and not ends_epoch:
            self.tick(self._event("step", loss, iteration))
        if line and self.world.leads:
            self._emit(self._event("step", loss, iteration))
        if ends_epoch:
            self._end_epoch(iteration)

    def _emit(self, event: Event) -> None:
        self._last_event = (event.step, self.progress.seconds)
        self.listen(event)

    def _event(self, kind: str, loss: float, iteration: int, **held: float) -> Event:
        at, plan = self.progress, self.plan
        steps, seconds = at.step - self._last_event[0], at.seconds - self._last_event[1]
        return Event(
            kind=kind,
            step=at.step,
            steps=plan.total,
            epoch=(at.step - 1) // plan.per_epoch + 1,
            epochs=plan.epochs,
            iteration=iteration,
            iterations=plan.per_epoch,
            loss=loss,
            accuracy=at.hits / max(1, at.seen),
            images_per_second=steps * plan.batch_size / max(seconds, 1e-9),
            seconds=at.seconds,
            seconds_left=at.seconds / at.step * (plan.total - at.step),
            **held,
        )

    def _end_epoch(self, iteration: int) -> None:
        mean = self.progress.loss / self.progress.seen
        event = self._event("epoch", mean, iteration, **self._validated())
        if self.world.leads:
            self._emit(event)
        self.progress.start_epoch()

    def _validated(self) -> dict[str, float]:
        """Accuracy and loss on the pictures held back; the best weights so far are remembered."""
        if self.held is None:
            return {}
        weights = self._candidate()
        loss, accuracy = self._measure(weights, *self.held)
        if accuracy > self.progress.best:
            self.progress.best = accuracy
            self.progress.best_epoch = math.ceil(self.progress.step / self.plan.per_epoch)
            self.best = {name: value.detach().clone() for name, value in weights.items()}
        return {"validation_accuracy": accuracy, "validation_loss": loss}

    @torch.no_grad()
    def _measure(self, weights: dict[str, Tensor], images: Pictures, labels: Tensor) -> tuple[float, float]:
        self.model.eval()
        # MPS has no float64.
        wide = torch.float32 if self.world.device.type == "mps" else torch.float64
        sums = torch.zeros(2, dtype=wide, device=self.world.device)
        try:
            for at in range(self.world.rank * 1000, len(labels), self.world.size * 1000):
                x = self.batches.preparation(images[at : at + 1000].to(self.world.device))
                y = labels[at : at + 1000].to(self.world.device)
                scores = torch.func.functional_call(self.model, weights, (x,)).float()
                sums[0] += functional.cross_entropy(scores, y, reduction="sum")
                sums[1] += (scores.argmax(1) == y).sum()
        finally:
            self.model.train()
        loss, hits = sum_numbers(sums, self.world).tolist()
        return loss / len(labels), hits / len(labels)

    def _patience_ended(self) -> bool:
        at = self.progress
        if not self.recipe.patience or self.held is None or at.step % self.plan.per_epoch:
            return False
        return at.step // self.plan.per_epoch - at.best_epoch >= self.recipe.patience
