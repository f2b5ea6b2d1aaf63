"""The document's training script as its author would run it, with a clock: PIL, ToTensor, DataLoader, batch 100.

torchvision's ``MNIST`` and ``ToTensor`` are written out below, operation for operation; the document's ``print`` of
each shape is left out, which is to its advantage. Every 100 steps the clock stops, the test accuracy is taken, and the
clock goes on.

    python benchmarks/document_script.py FOLDER_WITH_THE_FOUR_FILES [EPOCHS]
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import gzip  # the clock starts before the first import, as a user's does
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from shapeproof.models.document import FourStage

NUM_EPOCHS, BATCH_SIZE, LEARNING_RATE = 5, 100, 0.001


def read(folder: Path, name: str, offset: int) -> np.ndarray:
    """One IDX file as a flat array of bytes."""
    gzipped = folder / f"{name}.gz"
    content = gzip.decompress(gzipped.read_bytes()) if gzipped.is_file() else (folder / name).read_bytes()
    return np.frombuffer(content, np.uint8, offset=offset)


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """What torchvision's ``ToTensor`` does with a grey PIL picture."""
    array = torch.from_numpy(np.array(picture, np.uint8, copy=True))
    array = array.view(picture.size[1], picture.size[0], 1).permute((2, 0, 1)).contiguous()
    return array.to(dtype=torch.get_default_dtype()).div(255)


class Mnist(torch.utils.data.Dataset):
    """What torchvision's ``MNIST`` does: a PIL picture a call, transformed."""

    def __init__(self, folder: Path, part: str) -> None:
        self.data = torch.from_numpy(read(folder, f"{part}-images-idx3-ubyte", 16).reshape(-1, 28, 28).copy())
        self.targets = torch.from_numpy(read(folder, f"{part}-labels-idx1-ubyte", 8).astype(np.int64))

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return to_tensor(Image.fromarray(self.data[index].numpy())), int(self.targets[index])


def accuracy(cnn: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of the test pictures told right, outside the clock."""
    cnn.eval()
    with torch.no_grad():
        pairs = zip(images.split(1000), labels.split(1000), strict=True)
        hits = sum(int((cnn(x).argmax(1) == y).sum()) for x, y in pairs)
    cnn.train()
    return hits / len(labels)


def main(folder: Path, epochs: int = NUM_EPOCHS) -> None:
    """Train, and print a JSON line for each look at the accuracy."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train_dataset, test_dataset = Mnist(folder, "train"), Mnist(folder, "t10k")
    train_loader = torch.utils.data.DataLoader(train_dataset, batch_size=BATCH_SIZE, shuffle=True)
    torch.manual_seed(0)
    cnn = FourStage().to(device)
    loss_func = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(cnn.parameters(), lr=LEARNING_RATE)
    images, labels = (test_dataset.data[:, None].float() / 255).to(device), test_dataset.targets.to(device)
    before, stopped, began = time.perf_counter() - STARTED, 0.0, time.perf_counter()
    for _ in range(epochs):
        for i, (x, y) in enumerate(train_loader):
            outputs = cnn(x.to(device))
            loss = loss_func(outputs, y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (i + 1) % 100 == 0:
                loss.item()
                pause = time.perf_counter()
                found = accuracy(cnn, images, labels)
                seconds = pause - began - stopped
                stopped += time.perf_counter() - pause
                print(json.dumps({"seconds": seconds, "before": before, "accuracy": found}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
