"""Accuracies of a recipe over several seeds: each network, with moved pictures, and all of them together.

    python benchmarks/bench_recipes.py fast
    python benchmarks/bench_recipes.py reference --model two-stage
    python benchmarks/bench_recipes.py best --output runs/best    # interrupted, it goes on where it was
    python benchmarks/bench_recipes.py all --output runs/recipes  # every row of docs/recipes.md; make bench-recipes

Every figure is of the 10,000 test pictures of real MNIST, which no choice has seen. With ``--validation`` they are of
the last 10,000 training pictures, and only the 50,000 before are trained on: for choices.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
from pathlib import Path

from shapeproof.training.waiting import wait_briefly

wait_briefly()

import torch

import shapeproof as sp
from shapeproof.data import DataSet, load
from shapeproof.training.kernels import leave_compiler_unloaded, processor_name
from shapeproof.training.recipes import find

ROWS = (
    ("four-stage", "reference", None),
    ("two-stage", "reference", None),
    ("four-stage", "fast", None),
    ("four-stage", "fast", 0.3),
    ("four-stage", "best", None),
)
HEADER = "| network | recipe | epochs | one network | moved pictures | together | together, moved | training |"


def split_off(data: DataSet) -> DataSet:
    """The first 50,000 training pictures to train on, the last 10,000 in the place of the test pictures."""
    images, labels = data.train_images, data.train_labels
    parts = {"train_images": images[:50_000], "train_labels": labels[:50_000]}
    return dataclasses.replace(data, **parts, test_images=images[50_000:], test_labels=labels[50_000:])


def trained(model: str, data: DataSet, recipe: sp.Recipe, seed: int, path: Path, threads: int | None) -> sp.Run:
    """The run in ``path``, finished if it was begun there with this recipe, else a new one."""
    run = None
    if (path / "run.json").is_file():
        record = json.loads((path / "run.json").read_text())
        if record["recipe"] == recipe.to_dict() and record["model"]["target"] == model and record["seed"] == seed:
            run = sp.resume(path, data=data)
    run = run or sp.train(model, data, recipe, seed=seed, output=path, threads=threads, overwrite=True)
    if run.record["status"] == "stopped":
        sys.exit(128 + run.record["signal"])
    return run


def spread(values: list[float]) -> str:
    """Mean and standard deviation, in per cent."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} +- {deviation:.3f} %"


def measured(model: str, recipe: sp.Recipe, data: DataSet, folder: Path, asked: argparse.Namespace) -> str:
    """Train with each seed, tell each result, and give the row of the table."""
    labels = data.test_labels

    def accuracy(chances: torch.Tensor) -> float:
        return 100 * float((chances.argmax(1) == labels).double().mean())

    plain, moved, seconds = [], [], []
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        run = trained(
            model, data, recipe, seed, folder / f"{model}-{recipe.name}-{recipe.epochs:g}-{seed}", asked.threads
        )
        plain.append(run.predict(data.test_images))
        moved.append(run.predict(data.test_images, moved=True))
        seconds.append(run.record["final"]["train_seconds"])
        figures = f"{accuracy(plain[-1]):.2f} %, moved {accuracy(moved[-1]):.2f} %, {seconds[-1]:.1f} s"
        print(f"seed {seed}: {figures}, {run.record['machine']['threads']} threads", flush=True)
    together = [f"{accuracy(torch.stack(each).mean(0)):.2f} %" for each in (plain, moved)]
    alone = [spread([accuracy(chances) for chances in each]) for each in (plain, moved)]
    time = f"{statistics.mean(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
    cells = (model, recipe.name, f"{recipe.epochs:g}", *alone, *together, time)
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Train and report."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("recipe", nargs="?", default="fast")
    words.add_argument("--model", default="four-stage")
    words.add_argument("--epochs", type=float)
    words.add_argument("--seeds", type=int, default=5)
    words.add_argument("--first-seed", type=int, default=0)
    words.add_argument("--threads", type=int)
    words.add_argument("--validation", action="store_true", help="Measure for a choice; see above.")
    words.add_argument("--output", type=Path, help="Keep the runs here; one that is there is not trained again.")
    asked = words.parse_args()
    leave_compiler_unloaded()
    rows = ROWS if asked.recipe == "all" else ((asked.model, asked.recipe, asked.epochs),)
    data = split_off(load("mnist")) if asked.validation else load("mnist")
    folder = asked.output or Path(tempfile.mkdtemp(prefix="recipes-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{processor_name()}, torch {torch.__version__}, {asked.seeds} seeds from {asked.first_seed}", flush=True)
    table = []
    for model, recipe, epochs in rows:
        table.append(measured(model, find(recipe).with_changes(epochs=epochs), data, folder, asked))
        print(table[-1], flush=True)
    print("\n".join(["", HEADER, "|---" * (HEADER.count("|") - 1) + "|", *table]))


if __name__ == "__main__":
    main()
