"""Training speed on real MNIST, side by side in one go: the document's script as its author would run it, and ours.

    make bench-train
    python benchmarks/bench_train.py --document-epochs 1 --schedules 0.1 0.3    # a shortened one, to try it

Prints pictures a second, time to 98, 99, 99.4 and 99.5 % test accuracy with and without process start and data
loading, the ratios, and the machine's measured matrix-multiplication peak with how near we come. shapeproof's rate
falls to zero over each run, so its time to an accuracy is that of the shortest schedule, of those listed here, that
reaches it; each is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

import shapeproof as sp
from shapeproof.data import load
from shapeproof.models.document import FourStage
from shapeproof.training.kernels import processor_name, quick_bfloat16
from shapeproof.training.recipes import find

TARGETS = (0.98, 0.99, 0.994, 0.995)
SCHEDULES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0, 2.0, 4.0)  # epochs
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Point:
    """An accuracy, and when it was reached.

    Attributes:
        accuracy: Of the test pictures, 0 to 1.
        training: Seconds of training.
        whole: Seconds with process start and data loading.
        how: The schedule, in words.
    """

    accuracy: float
    training: float
    whole: float
    how: str = ""


def document(folder: Path, epochs: int) -> tuple[list[Point], float]:
    """Run the document's script; returns its points and its pictures a second."""
    command = [sys.executable, str(HERE / "document_script.py"), str(folder), str(epochs)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    points = [Point(line["accuracy"], line["seconds"], line["seconds"] + line["before"]) for line in lines]
    return points, 100 * 100 * len(lines) / lines[-1]["seconds"]


def ours(epochs: float, seed: int, folder: Path) -> tuple[Point, float]:
    """Run ``shapeproof train``; the whole time includes measuring the test accuracy and writing the run."""
    path = folder / f"{epochs}-{seed}"
    words = ["train", "four-stage", "--data", "mnist", "--recipe", "fast", "--epochs", str(epochs), "--seed", str(seed)]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "shapeproof", *words, "--quiet", "--output", str(path)], check=True)
    whole = time.perf_counter() - start
    final = json.loads((path / "run.json").read_text())["final"]
    how = f"{epochs:g} epoch{'s' if epochs > 1 else ''}"
    return Point(final["test_accuracy"], final["train_seconds"], whole, how), final["images_per_second"]


def gemm_peak(dtype: torch.dtype, device: torch.device, size: int = 2048) -> float:
    """Operations a second of a square matrix product, the best of ten."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def macs_of_a_picture() -> float:
    """Multiply-adds of the network for one training picture, over the share of small and of whole ones."""
    small = find("fast").small_first
    costs = [sp.derive(FourStage().eval(), f"1,1,{size},{size}").cost.macs for size in (16, 24)]
    return float(small * costs[0] + (1 - small) * costs[1])


def first(points: list[Point], target: float) -> Point | None:
    """The soonest point at or above an accuracy."""
    reached = [point for point in points if point.accuracy >= target]
    return min(reached, key=lambda point: point.training) if reached else None


def row(target: float, theirs: list[Point], mine: list[Point]) -> str:
    """One line of the table."""
    a, b = first(theirs, target), first(mine, target)
    end = theirs[-1]
    them = f"{a.training:8.1f} {a.whole:8.1f}" if a else f"   >{end.training:5.1f}   >{end.whole:5.1f}"
    if b is None:
        return f"{100 * target:6.1f} % {them}    not reached"
    base, more = (a, "") if a else (end, ">")
    return (
        f"{100 * target:6.1f} % {them} {b.training:8.1f} {b.whole:8.1f}   {more}{base.training / b.training:5.1f}x "
        f"{more}{base.whole / b.whole:5.1f}x   {b.how}"
    )


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--document-epochs", type=int, default=5, help="As many as the document's by default.")
    words.add_argument("--schedules", type=float, nargs="+", default=SCHEDULES, help="Ours, in epochs, ascending.")
    asked = words.parse_args()
    data = load("mnist")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else processor_name()
    print(f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}, seed {asked.seed}", flush=True)
    dtype = torch.bfloat16 if quick_bfloat16(device) else torch.float32
    peak = gemm_peak(dtype, device)
    theirs, their_speed = document(Path(data.source), asked.document_epochs)
    mine, speeds = [], []
    with tempfile.TemporaryDirectory() as folder:
        for epochs in asked.schedules:
            point, speed = ours(epochs, asked.seed, Path(folder))
            mine.append(point)
            speeds.append(speed)
            print(f"  ours, {point.how}: {100 * point.accuracy:.2f} % in {point.training:.2f} s", flush=True)
            if point.accuracy >= TARGETS[-1]:
                break
    speed = max(speeds)
    print(f"\npictures a second: document {their_speed:,.0f}, shapeproof {speed:,.0f} ({speed / their_speed:.2f}x)")
    print("seconds to       document           shapeproof          sooner by")
    print("accuracy     training    whole training    whole   training  whole")
    for target in TARGETS:
        print(row(target, theirs, mine))
    macs = macs_of_a_picture()
    rate = 6 * macs * speed  # forward once, backward twice, two operations a multiply-add
    print(f"\nmatrix product at its best: {peak / 1e9:,.0f} GFLOP/s ({str(dtype).removeprefix('torch.')})")
    print(f"training: {rate / 1e9:,.0f} GFLOP/s of the network's own arithmetic, {100 * rate / peak:.0f} % of that")


if __name__ == "__main__":
    main()
