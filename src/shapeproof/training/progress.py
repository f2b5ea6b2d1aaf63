"""What a run says while it goes: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@dataclass(frozen=True)
class Event:
    """A moment of a run, for a callback, for ``metrics.jsonl`` and for the screen.

    Attributes:
        kind: ``"step"`` every hundred steps, ``"epoch"`` at the end of each epoch, ``"end"`` at the end of the run.
        step: Steps done.
        steps: Steps in all.
        epoch: The epoch this step belongs to, from 1.
        epochs: Epochs in all.
        iteration: Steps done of this epoch.
        iterations: Steps of a whole epoch.
        loss: ``"step"``: of this one step; ``"epoch"``: the mean over the epoch's training pictures so far.
        accuracy: Share of this epoch's training pictures told right, at the moment each was seen, 0 to 1.
        images_per_second: Training pictures a second since the last event.
        seconds: Training time so far, in all sittings.
        seconds_left: Expected, at the mean speed so far.
        validation_accuracy: At the end of an epoch, where pictures are held back for it, 0 to 1.
        validation_loss: Likewise.
    """

    kind: str
    step: int
    steps: int
    epoch: int
    epochs: int
    iteration: int
    iterations: int
    loss: float
    accuracy: float
    images_per_second: float
    seconds: float
    seconds_left: float
    validation_accuracy: float | None = None
    validation_loss: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The event as one line of ``metrics.jsonl``."""
        line = {name: value for name, value in asdict(self).items() if value is not None}
        for name in ("images_per_second", "seconds", "seconds_left"):
            line[name] = round(line[name], 3)
        return line


Callback = Callable[[Event], object]


def iteration_line(event: Event) -> str:
    """The document's line: ``Epoch [1/5], Iter [100/600] Loss: 0.1234``."""
    place = f"Epoch [{event.epoch}/{event.epochs}], Iter [{event.iteration}/{event.iterations}]"
    return f"{place} Loss: {event.loss:.4f}"


def epoch_line(event: Event) -> str:
    """One line for an epoch: mean loss, accuracy, speed, time left."""
    held = event.validation_accuracy
    validation = "" if held is None else f", validation accuracy {100 * held:.2f} %"
    # no step since the last line: there is no speed to tell
    speed = f", {event.images_per_second:,.0f} images/s" if event.images_per_second else ""
    return (
        f"Epoch {event.epoch}/{event.epochs}: loss {event.loss:.4f}, "
        f"accuracy {100 * event.accuracy:.2f} %{validation}{speed}, {clock(event.seconds_left)} left"
    )


def clock(seconds: float) -> str:
    """``5 s``, ``2 min 05 s``, ``1 h 02 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class Screen:
    """Shows a run; use as a context manager around it and call it with each event.

    Args:
        quiet: Show nothing but what :meth:`note` insists on.
        console: Where to; standard output unless given.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self.quiet = quiet
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> Screen:
        if not self.quiet and self.console.is_terminal:
            columns = (
                TextColumn("[bold]{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=self.console)
            self._task = self._bar.add_task("training", total=None, figures="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def note(self, text: str, *, always: bool = False) -> None:
        """Show one line; with ``always`` even when quiet, on standard error then."""
        if not self.quiet:
            self.console.print(text, markup=False)
        elif always:
            print(text, file=sys.stderr)

    def tick(self, event: Event) -> None:
        """Move the bar; called each step."""
        if self._bar:
            figures = (
                f"loss {event.loss:.4f}  accuracy {100 * event.accuracy:.2f} %  {event.images_per_second:,.0f} images/s"
            )
            name = f"epoch {event.epoch}/{event.epochs}  {event.iteration}/{event.iterations}"
            self._bar.update(self._task, completed=event.step, total=event.steps, description=name, figures=figures)

    @property
    def wants_ticks(self) -> bool:
        """Whether there is a bar to move."""
        return self._bar is not None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind == "step":
            self.note(iteration_line(event))
        elif event.kind == "epoch":
            self.note(epoch_line(event))
