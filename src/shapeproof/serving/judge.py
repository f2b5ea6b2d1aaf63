"""The network that tells digits from what is none: ten digits and an eleventh class.

A classifier of ten digits has to choose one of ten, whatever it is shown, and its probability says little on what it
has never seen. So a small second network was trained on digits and on pictures that are none (pieces of digits put
together wrongly, digits turned or mirrored, strokes at random, blots): outlier exposure, after Hendrycks, Mazeika and
Dietterich, "Deep Anomaly Detection with Outlier Exposure", 2019. `scripts/make_pretrained.py` makes it.
"""

from __future__ import annotations

from torch import Tensor, nn

NONE = 10  # the class of what is no digit


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class Judge(nn.Module):
    """Three stages and a linear layer: ``N x 1 x 28 x 28`` to ``N x 11``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _stage(1, 24)
        self.conv2 = _stage(24, 48)
        self.conv3 = _stage(48, 64)
        self.fc = nn.Linear(3 * 3 * 64, NONE + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, 1, 28, 28)`` to class scores ``(N, 11)``."""
        x = self.conv3(self.conv2(self.conv1(x)))
        return self.fc(x.flatten(1))  # type: ignore[no-any-return]
