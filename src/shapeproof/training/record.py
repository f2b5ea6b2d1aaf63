"""``run.json``: what was asked, with what, and what came of it."""

from __future__ import annotations

import datetime
import hashlib
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

import shapeproof
from shapeproof.errors import UsageError
from shapeproof.training.batches import held_back
from shapeproof.training.kernels import processor_name
from shapeproof.training.preparation import Preparation
from shapeproof.training.recipes import Recipe
from shapeproof.training.threads import Choice

if TYPE_CHECKING:
    from shapeproof.data.dataset import DataSet

FORMAT = 1


@dataclass(frozen=True)
class Asked:
    """What a user asks of a run, beside the recipe.

    Attributes:
        target: The model's target, as typed.
        settings: Constructor arguments.
        data: Name or directory of the data set, as typed.
        seed: Decides the first weights, the order, and every random choice.
        validation: Share of the training pictures held back to measure on, in [0, 1).
        threads: Number of threads, ``None`` to have it chosen.
        device: ``"cpu"``, ``"cuda"``, ``"mps"``; ``None`` to take the best there is.
        checkpoint_seconds: Seconds between checkpoints, at least 0.
        tensorboard: Whether to write TensorBoard's files too.
        given: Whether the network was a module of the caller's own, and not made from ``target`` and ``seed``.
        reading: How the data set is read, as :class:`~shapeproof.data.reading.Reading` writes itself.
    """

    target: str
    settings: dict[str, Any] = field(default_factory=dict)
    data: str = "auto"
    seed: int = 0
    validation: float = 0.0
    threads: int | None = None
    device: str | None = None
    checkpoint_seconds: float = 30.0
    tensorboard: bool = False
    given: bool = False
    reading: dict[str, Any] = field(default_factory=dict)


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def begun(
    asked: Asked,
    model: nn.Module,
    data: DataSet,
    recipe: Recipe,
    preparation: Preparation,
    machine: dict[str, Any],
    notes: list[str],
) -> dict[str, Any]:
    """The record of a run that is about to start."""
    held = held_back(len(data.train_labels), asked.validation)
    return {
        "format": FORMAT,
        "status": "running",
        "started": now(),
        "asked": asdict(asked),
        "model": {
            "target": asked.target,
            "settings": asked.settings,
            "class": type(model).__name__,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "source_sha256": source_digest(asked.target),
        },
        "data": {
            "asked": asked.data,
            "name": data.name,
            "source": data.source,
            "sha256": data.checksum,
            "classes": list(data.classes),
            "shape": list(data.train_images.shape[1:]),
            "notice": data.notice,
            "notes": list(data.notes),
            "way": data.way,
            "reading": data.reading.to_dict(),
        },
        "split": {
            "train": len(data.train_labels) - held,
            "validation": held,
            "test": len(data.test_labels),
            "chosen": "at random by the seed" if held else "all training pictures train",
        },
        "seed": asked.seed,
        "recipe": recipe.to_dict(),
        "preparation": preparation.to_dict(),
        "versions": versions(),
        "machine": machine,
        "notes": notes,
    }


def versions() -> dict[str, str]:
    """Versions of everything whose change may change a result."""
    return {"shapeproof": shapeproof.__version__, "torch": torch.__version__, "python": platform.python_version()}


def machine(device: torch.device, threads: Choice, world: int, bfloat16: bool, kept_memory: bool) -> dict[str, Any]:
    """Where and how a run computes; repeating it bit for bit needs the same."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": processor_name(),
        "system": platform.system(),
        "threads": threads.threads,
        "threads_reason": threads.reason,
        "processes": world,
        "arithmetic": "bfloat16 autocast" if bfloat16 else "float32",
        "freed_memory_kept": kept_memory,
    }


def source_digest(target: str) -> str | None:
    """SHA-256 of the user's own file, where the target names one."""
    path = Path(target.rpartition(":")[0])
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".py" and path.is_file() else None


def same_source(target: str, record: dict[str, Any], path: Path) -> None:
    """Refuse a network whose file is no longer what it was when the run at ``path`` was recorded."""
    then = record["model"].get("source_sha256")
    if then is not None and source_digest(target) not in (None, then):
        raise UsageError(f"{target} has changed since {path} was trained: its file has another content")


def same_data(found: DataSet, record: dict[str, Any]) -> None:
    """Refuse data of another content than that of a recorded run."""
    if found.checksum != record["data"]["sha256"]:
        raise UsageError(
            f"the run to repeat was trained on another content of {record['data']['name']}; find it with --data-root"
        )


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What may change the bits of a repetition, in words."""
    pairs = [(name, then["versions"].get(name), value) for name, value in now["versions"].items()]
    kept = ("processor", "threads", "processes", "arithmetic", "device")
    pairs += [(name, then["machine"].get(name), now["machine"][name]) for name in kept]
    return [f"{name} was {old} in the run to repeat, and is {new}" for name, old, new in pairs if old != new]
