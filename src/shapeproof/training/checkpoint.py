"""The state of a run on disk: all that continuing needs, two generations of it, each whole or not there at all.

A checkpoint is ``state/STEP.safetensors`` (every tensor) and ``state/STEP.json`` (its SHA-256 and the plain numbers).
The second is written last and by renaming: a checkpoint without it does not count, and one whose sum is wrong is passed
over for the one before.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shapeproof.errors import UsageError
from shapeproof.training import files

KEPT = 2


@dataclass
class Progress:
    """Where a run stands; everything that is not a tensor.

    Attributes:
        step: Steps done.
        seconds: Time spent training, over all its sittings.
        loss: Sum over this epoch's pictures of their losses.
        hits: How many of this epoch's pictures were told right.
        seen: Pictures of this epoch so far.
        best: Best validation accuracy so far, 0 to 1; negative before the first.
        best_epoch: Epochs done when it was reached.
    """

    step: int = 0
    seconds: float = 0.0
    loss: float = 0.0
    hits: int = 0
    seen: int = 0
    best: float = -1.0
    best_epoch: int = 0

    def start_epoch(self) -> None:
        """Begin the sums of an epoch."""
        self.loss, self.hits, self.seen = 0.0, 0, 0


def gathered(
    model: nn.Module, optimisers: list[torch.optim.Optimizer], others: dict[str, dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Every tensor of a run's state under one flat name each.

    Args:
        model: Its parameters and buffers become ``model.NAME``.
        optimisers: Their buffers become ``optimiser.I.PARAMETER.NAME``.
        others: Further state dictionaries (best weights, averaged weights), as ``KIND.NAME``.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for i, optimiser in enumerate(optimisers):
        for parameter, state in optimiser.state_dict()["state"].items():
            tensors.update({f"optimiser.{i}.{parameter}.{name}": value for name, value in state.items()})
    for kind, state in others.items():
        tensors.update({f"{kind}.{name}": tensor for name, tensor in state.items()})
    return tensors


def part(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    """The state dictionary of one kind, with its own names; empty where there is none."""
    return {name.removeprefix(f"{kind}."): tensor for name, tensor in tensors.items() if name.startswith(f"{kind}.")}


def put_back(tensors: dict[str, Tensor], model: nn.Module, optimisers: list[torch.optim.Optimizer]) -> None:
    """Set a model and its optimisers to a gathered state, bit for bit."""
    model.load_state_dict(part(tensors, "model"))
    for i, optimiser in enumerate(optimisers):
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        optimiser.state.clear()
        for name, value in part(tensors, f"optimiser.{i}").items():
            index, _, field = name.partition(".")
            parameter = parameters[int(index)]
            # A buffer takes its parameter's memory layout: fused optimisers walk both side by side.
            alike = value.shape == parameter.shape
            optimiser.state[parameter][field] = torch.empty_like(parameter).copy_(value) if alike else value


def save(folder: Path, tensors: dict[str, Tensor], progress: Progress) -> None:
    """Write a checkpoint and drop all but the last two.

    Raises:
        CannotWriteError: If the disk is full or the folder cannot be written; the checkpoints before stay.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise files.CannotWriteError(f"cannot write {folder}: {error.strerror}") from error
    name = f"{progress.step:010d}"
    content = files.tensors_as_bytes(tensors)
    files.write_bytes(folder / f"{name}.safetensors", content)
    files.write_json(folder / f"{name}.json", {"sha256": files.digest(content), **vars(progress)})
    _drop_old(folder)


def _drop_old(folder: Path) -> None:
    kept = {path.stem for path in sorted(folder.glob("[0-9]*.json"))[-KEPT:]}
    for path in folder.iterdir():
        if path.stem not in kept:  # temporary files of a killed process among them
            with contextlib.suppress(OSError):
                path.unlink()


def load(folder: Path) -> tuple[dict[str, Tensor], Progress]:
    """Read the newest whole checkpoint.

    Raises:
        UsageError: If there is none.
    """
    faults = []
    for path in sorted(folder.glob("[0-9]*.json"), reverse=True):
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            weights = path.with_suffix(".safetensors")
            content = weights.read_bytes()
            if files.digest(content) != record.pop("sha256"):
                raise ValueError("its checksum is wrong")
            return files.parse_tensors(content, weights), Progress(**record)
        except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
            faults.append(f"{path.name}: {error}")
    found = f" ({'; '.join(faults)})" if faults else ""
    raise UsageError(f"{folder} holds no whole checkpoint to continue from{found}")


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint by its name; 0 where there is none."""
    return max((int(path.stem) for path in folder.glob("[0-9]*.json")), default=0)
