"""Ordinary networks of a user's own under ``fast``, beside ``reference``, one epoch of real MNIST each.

    python benchmarks/bench_own.py
    python benchmarks/bench_own.py --seeds 1 --only LeNet MLP

The recipes were chosen on the document's network; this shows that others learn by them too: with and without
normalisation, deep and shallow, residual, separable. Figures are of the 10,000 test pictures.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import torch
from own_networks import NETWORKS

import shapeproof as sp
from shapeproof.data import DataSet, load
from shapeproof.training.kernels import leave_compiler_unloaded, processor_name
from shapeproof.training.recipes import find


def accuracies(name: str, recipe: str, data: DataSet, seeds: int, folder: Path) -> str:
    """Mean and range of the test accuracy over the seeds, and the seconds of training, as cells of a table."""
    found, seconds = [], []
    for seed in range(seeds):
        torch.manual_seed(seed)
        path = folder / f"{name}-{recipe}-{seed}"
        run = sp.train(NETWORKS[name](), data, find(recipe).with_changes(epochs=1.0), seed=seed, output=path)
        found.append(100 * run.record["final"]["test_accuracy"])
        seconds.append(run.record["final"]["train_seconds"])
    return f"{statistics.mean(found):.2f} % ({min(found):.2f} to {max(found):.2f}) | {statistics.mean(seconds):.0f} s"


def main() -> None:
    """Train and print a table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seeds", type=int, default=2)
    words.add_argument("--only", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    asked = words.parse_args()
    leave_compiler_unloaded()
    data = load("mnist")
    print(f"{processor_name()}, torch {torch.__version__}, {asked.seeds} seeds, one epoch each\n")
    print("| network | reference | training | fast | training |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.only:
            cells = [accuracies(name, recipe, data, asked.seeds, Path(folder)) for recipe in ("reference", "fast")]
            print(f"| {name} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
