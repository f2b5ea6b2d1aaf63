"""Accuracies of a recipe over several seeds: each network, with moved pictures, and all of them together.

    python benchmarks/bench_recipes.py fast
    python benchmarks/bench_recipes.py reference --model two-stage --seeds 5
    python benchmarks/bench_recipes.py best --output runs/best    # interrupted, it goes on where it was

Every figure is of the 10,000 test pictures of real MNIST, which no choice has seen.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

import shapeproof as sp
from shapeproof.data import load
from shapeproof.training.kernels import processor_name
from shapeproof.training.recipes import find


def spread(values: list[float]) -> str:
    """Mean and standard deviation, in per cent."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} +- {deviation:.3f} %"


def trained(model: str, recipe: sp.Recipe, seed: int, path: Path, threads: int | None) -> sp.Run:
    """The run in ``path``, finished if it was begun there with this recipe, else a new one."""
    if (path / "run.json").is_file():
        record = json.loads((path / "run.json").read_text())
        if record["recipe"] == recipe.to_dict() and record["model"]["target"] == model and record["seed"] == seed:
            return sp.resume(path)
    return sp.train(model, "mnist", recipe, seed=seed, output=path, threads=threads, overwrite=True)


def main() -> None:
    """Train and report."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("recipe", nargs="?", default="fast")
    words.add_argument("--model", default="four-stage")
    words.add_argument("--epochs", type=float)
    words.add_argument("--seeds", type=int, default=5)
    words.add_argument("--first-seed", type=int, default=0)
    words.add_argument("--threads", type=int)
    words.add_argument("--output", type=Path, help="Keep the runs here; one that is there is not trained again.")
    asked = words.parse_args()
    recipe = find(asked.recipe).with_changes(epochs=asked.epochs)
    data = load("mnist")
    labels = data.test_labels
    folder = asked.output or Path(tempfile.mkdtemp(prefix="recipes-"))
    print(
        f"{asked.model}, {recipe.name}, {recipe.epochs:g} epochs; {processor_name()}, torch {torch.__version__}",
        flush=True,
    )
    plain, moved, seconds, together = [], [], [], []
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        path = folder / f"seed{seed}"
        run = trained(asked.model, recipe, seed, path, asked.threads)
        alone = run.predict(data.test_images)
        shifted = run.predict(data.test_images, moved=True)
        together.append((alone, shifted))
        for found, chances in ((plain, alone), (moved, shifted)):
            found.append(100 * float((chances.argmax(1) == labels).double().mean()))
        seconds.append(run.record["final"]["train_seconds"])
        threads = run.record["machine"]["threads"]
        print(
            f"seed {seed}: {plain[-1]:.2f} %, moved {moved[-1]:.2f} %, {seconds[-1]:.1f} s, {threads} threads",
            flush=True,
        )
    print(f"one network            {spread(plain)}")
    print(f"with moved pictures    {spread(moved)}")
    for name, which in (("together", 0), ("together and moved", 1)):
        votes = torch.stack([pair[which] for pair in together]).mean(0)
        print(f"{name:22} {100 * float((votes.argmax(1) == labels).double().mean()):.2f} %")
    print(
        f"training time          {statistics.mean(seconds):.1f} s (from {min(seconds):.1f} to {max(seconds):.1f} s)",
        flush=True,
    )


if __name__ == "__main__":
    main()
