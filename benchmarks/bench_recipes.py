"""Accuracies of a recipe over several seeds: each network, with moved pictures, and all of them together.

    python benchmarks/bench_recipes.py four-stage --recipe fast --seeds 5

Every figure is of the 10,000 test pictures of real MNIST, which no choice has seen.
"""

from __future__ import annotations

import argparse
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


def main() -> None:
    """Train and report."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("model", nargs="?", default="four-stage")
    words.add_argument("--recipe", default="fast")
    words.add_argument("--epochs", type=float)
    words.add_argument("--seeds", type=int, default=5)
    words.add_argument("--first-seed", type=int, default=0)
    words.add_argument("--threads", type=int)
    words.add_argument("--output", type=Path, help="Keep the runs here.")
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
        run = sp.train(asked.model, "mnist", recipe, seed=seed, output=path, threads=asked.threads, overwrite=True)
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
