"""A run directory: what was asked, what came of it, and the trained network, ready to use."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shapeproof.data.dataset import Pictures, chunks
from shapeproof.data.known import NAMES
from shapeproof.data.reading import Reading
from shapeproof.errors import UsageError
from shapeproof.models import target
from shapeproof.training import files, kernels
from shapeproof.training.fit import sample
from shapeproof.training.modes import in_mode
from shapeproof.training.preparation import Preparation, give_lazy_layers_sizes
from shapeproof.training.recipes import Recipe, from_dict

if TYPE_CHECKING:
    from shapeproof.data.dataset import DataSet

RECORD, METRICS, WEIGHTS, STATE, REPORT = "run.json", "metrics.jsonl", "model.safetensors", "state", "report.html"


@dataclass(frozen=True)
class Run:
    """A trained network, and how it came about.

    Attributes:
        path: The run directory.
        record: What ``run.json`` holds.
        given: The network, where the caller has it already; else it is built from the record.
    """

    path: Path
    record: dict[str, Any]
    given: nn.Module | None = field(default=None, repr=False, compare=False)

    @cached_property
    def model(self) -> nn.Module:
        """The network with its trained weights, in evaluation mode, on the processor.

        Raises:
            UsageError: If it cannot be built, or the weights are another network's.
        """
        if self.given is not None:
            return self.given
        wanted = self.record["model"]
        model = target.load(wanted["target"], wanted.get("settings"))
        if not isinstance(model, nn.Module):
            raise UsageError(f"{wanted['target']} is no longer an nn.Module, as it was when {self.path} was trained")
        give_lazy_layers_sizes(model, self.preparation)
        put_weights(model, files.read_tensors(self.path / WEIGHTS), self.path / WEIGHTS)
        return model.eval()

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each class, by label."""
        return tuple(self.record["data"]["classes"])

    @property
    def preparation(self) -> Preparation:
        """What must be done to a picture before the network reads it."""
        return Preparation.from_dict(self.record["preparation"])

    @property
    def recipe(self) -> Recipe:
        """The recipe that trained it."""
        return from_dict(self.record["recipe"])

    @property
    def accuracy(self) -> float | None:
        """Test accuracy, 0 to 1, ``None`` before the end of the run."""
        value = self.record.get("final", {}).get("test_accuracy")
        return None if value is None else float(value)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Every line of ``metrics.jsonl``."""
        return read_metrics(self.path / METRICS)

    def predict(self, images: Pictures, *, batch_size: int = 1000, moved: bool = False) -> Tensor:
        """Probabilities ``float32 (N, classes)`` for pictures ``uint8 (N, C, H, W)`` of the size trained on.

        Args:
            images: The pictures.
            batch_size: How many go through the network at once.
            moved: Whether to take the mean over each picture and the four that are moved by one pixel
                (test-time augmentation); slower, and usually a little better.

        Raises:
            UsageError: If the pictures are not ``uint8`` or of another size.
        """
        if not moved:
            return predictions(self.model, self.preparation, images, batch_size=batch_size)
        means = []
        for part in chunks(images, batch_size):
            views = [predictions(self.model, self.preparation, view, batch_size=batch_size) for view in moves(part)]
            means.append(torch.stack(views).mean(0))
        return torch.cat(means)

    def load_data(self, name: str | None = None, root: Path | None = None) -> DataSet:
        """The data set of this run, or another one by name, read as this run's was.

        Of another folder of pictures without parts for training and testing, all are for testing.

        Raises:
            UsageError: If it cannot be read, or has a class that this run does not know.
        """
        from shapeproof.data.loading import load
        from shapeproof.data.uniform import with_classes

        reading = self.reading
        if name is None:
            return load(self._data_place(), root=root, reading=reading)
        wanted = self.preparation
        colour = {1: "grey", 3: "rgb"}.get(wanted.channels)
        alike = replace(reading, image_size=(wanted.height, wanted.width), colour=colour, test_share=1.0)
        return with_classes(load(name, root=root, reading=alike), self.classes)

    def _data_place(self) -> str:
        """The data set as it was asked for; a directory that was given relative to another place by where it lay."""
        asked, source = str(self.record["data"]["asked"]), str(self.record["data"]["source"])
        moved = asked not in NAMES and not Path(asked).exists() and Path(source).is_dir()
        return source if moved else asked

    @property
    def reading(self) -> Reading:
        """How the run's data was read."""
        return Reading.from_dict(self.record["data"].get("reading", {}))

    def __str__(self) -> str:
        accuracy = "not finished" if self.accuracy is None else f"{100 * self.accuracy:.2f} %"
        return f"{self.path}: {self.record['model']['target']}, {self.recipe.name}, {accuracy}"


def moves(images: Tensor) -> tuple[Tensor, ...]:
    """Pictures ``(N, C, H, W)`` as they are, and moved by a pixel each way; the rim is continued outwards."""
    _, _, height, width = images.shape
    wide = torch.nn.functional.pad(images.float(), (1, 1, 1, 1), mode="replicate").to(images.dtype)
    places = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    return tuple(wide[:, :, top : top + height, left : left + width] for top, left in places)


@torch.no_grad()
def predictions(
    model: nn.Module,
    preparation: Preparation,
    images: Pictures,
    *,
    batch_size: int = 1000,
    device: torch.device | None = None,
) -> Tensor:
    """Probabilities ``float32 (N, classes)`` of a model for ``uint8 (N, C, H, W)``; its mode is put back afterwards.

    Raises:
        UsageError: If the pictures are not ``uint8`` or of another size than the preparation's.
    """
    wanted = (preparation.channels, preparation.height, preparation.width)
    if images.dtype != torch.uint8 or len(images.shape) != 4 or tuple(images.shape[1:]) != wanted:
        c, h, w = wanted
        raise UsageError(f"expected pictures uint8 (N, {c}, {h}, {w}), got {images.dtype} {tuple(images.shape)}")
    device = device or next((p.device for p in model.parameters()), torch.device("cpu"))
    many = len(images) >= batch_size  # for fewer, trying the quicker order costs more than it saves
    quicker = kernels.sooner(model, sample(preparation, 2).to(device), wanted=many)
    with in_mode(model, training=False), quicker:
        parts = [model(preparation(part.to(device))).float().softmax(1).cpu() for part in chunks(images, batch_size)]
    return torch.cat(parts) if parts else torch.empty(0, 0)


def put_weights(model: nn.Module, weights: dict[str, Tensor], source: Path) -> None:
    """Set a model to weights of exactly its own names and shapes; the weights may be of lower precision.

    Raises:
        UsageError: If they are another network's; says the first name or shape that differs.
    """
    own = model.state_dict()
    name = type(model).__name__
    for key, value in own.items():
        if key not in weights:
            raise UsageError(f"{source} is another network's: it has no {key!r}, which {name} needs")
        if value.shape != weights[key].shape:
            shapes = f"{key} is {tuple(weights[key].shape)}, but {name} has {tuple(value.shape)}"
            raise UsageError(f"{source} is another network's: {shapes}")
    if extra := sorted(weights.keys() - own.keys()):
        raise UsageError(f"{source} is another network's: {name} has no {extra[0]!r}")
    model.load_state_dict(weights)


def read_record(path: Path) -> dict[str, Any]:
    """What ``run.json`` of a run directory says.

    Raises:
        UsageError: If this is no run directory.
    """
    file = path / RECORD
    if not file.is_file():
        raise UsageError(f"{path} is not a run directory (it has no {RECORD}); `shapeproof train` makes one")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        missing = {"model", "data", "recipe", "preparation"} - set(record)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    if missing:
        raise UsageError(f"{file} lacks {', '.join(sorted(missing))}: it is not the record of a run")
    return dict(record)


def read_metrics(file: Path) -> list[dict[str, Any]]:
    """Every whole line of a ``metrics.jsonl``; a last line cut short by a kill is left out."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except OSError:
        return []
    return [json.loads(line) for line in lines[:-1] if line]


def load_run(path: str | Path, model: nn.Module | None = None) -> Run:
    """Open a run directory.

    Args:
        path: The directory that training wrote.
        model: The network, where its class cannot be found by its name; gets the run's weights.

    Raises:
        UsageError: If it is no run directory, or ``model`` is another network than the one trained.
    """
    path = Path(path)
    record = read_record(path)
    if not (path / WEIGHTS).is_file():
        raise UsageError(f"{path} has no {WEIGHTS} yet; finish it with `shapeproof train --resume {path}`")
    if model is not None:
        give_lazy_layers_sizes(model, Preparation.from_dict(record["preparation"]))
        put_weights(model, files.read_tensors(path / WEIGHTS), path / WEIGHTS)
        model.eval()
    return Run(path, record, model)
