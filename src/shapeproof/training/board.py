"""TensorBoard's files, for those who look at runs there: scalars, the network's graph, first-layer filters."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from shapeproof.errors import UsageError
from shapeproof.training.modes import in_mode
from shapeproof.training.progress import Event

FOLDER = "tensorboard"


class Board:
    """Writes events of a run for TensorBoard; call it with each, and :meth:`close` it at the end.

    Args:
        path: The run directory; files go into its folder ``tensorboard``.

    Raises:
        UsageError: If TensorBoard is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError("--tensorboard needs TensorBoard: pip install 'shapeproof[tensorboard]'") from error
        self.writer = SummaryWriter(str(path / FOLDER))

    def __call__(self, event: Event) -> None:
        """Write one event's figures."""
        scalars = {f"{event.kind}/loss": event.loss, f"{event.kind}/accuracy": event.accuracy}
        scalars["images per second"] = event.images_per_second
        if event.validation_accuracy is not None and event.validation_loss is not None:
            scalars["validation/accuracy"] = event.validation_accuracy
            scalars["validation/loss"] = event.validation_loss
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, event.step)

    def network(self, model: nn.Module, x: Tensor) -> None:
        """Write the graph of a model for an input ``x``; one that cannot be traced is passed over, saying so."""
        try:
            with warnings.catch_warnings(), in_mode(model, training=False):
                warnings.simplefilter("ignore")  # the tracer's advice on the user's own code
                self.writer.add_graph(model, x)
        except RuntimeError as error:
            self.writer.add_text("graph", f"This model could not be traced: {error}")

    def filters(self, model: nn.Module, step: int) -> None:
        """Write the kernels of the first convolution as pictures, each stretched to the full range."""
        first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
        if first is not None:
            self.writer.add_images("first-layer filters", stretched(first.weight), step)

    def close(self) -> None:
        """Finish the files."""
        self.writer.close()


def stretched(kernels: Tensor) -> Tensor:
    """Kernels ``(out, in, kH, kW)`` as pictures ``float (out, 1 or 3, kH, kW)``, each from 0 to 1."""
    x = kernels.detach().float().cpu()
    if x.shape[1] not in (1, 3):
        x = x[:, :1]
    low = x.amin((1, 2, 3), keepdim=True)
    span = (x.amax((1, 2, 3), keepdim=True) - low).clamp_min(torch.finfo(torch.float32).tiny)
    return (x - low) / span
