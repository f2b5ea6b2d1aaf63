"""A small data set that needs no file, and a small network, for the tests of training."""

import torch
from torch import nn

from shapeproof.data.dataset import DataSet


def stripes(count=240, classes=3, size=12, seed=0):
    """Pictures with one bright row each; the row tells the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    images = torch.randint(0, 60, (count, 1, size, size), generator=generator, dtype=torch.uint8)
    for i, label in enumerate(labels.tolist()):
        images[i, 0, 2 + 3 * label] += 150
    test = count // 4
    names = tuple(f"row {n}" for n in range(classes))
    return DataSet(
        "stripes", images[test:], labels[test:], images[:test], labels[:test], names, f"sum-{seed}-{count}", "made here"
    )


class Small(nn.Module):
    """Convolution, normalisation, pooling, dropout, convolution, linear; learns the stripes in a few steps."""

    def __init__(self, classes=3, dropout=0.1, size=12):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(dropout),
        )
        self.second = nn.Conv2d(4, 6, 3, padding=1)
        self.fc = nn.Linear(6 * (size // 2) ** 2, classes)

    def forward(self, x):
        return self.fc(self.second(self.features(x)).relu().flatten(1))


def small(seed=0, **settings):
    torch.manual_seed(seed)
    return Small(**settings)
