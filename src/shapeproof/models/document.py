"""The document's two CNNs for 28x28 grey pictures of digits, layer for layer.

Source: the learner's worked example that the project keeps: 5x5 kernels, padding 2, ``MaxPool2d(2)`` after each
stage, no ``BatchNorm2d`` in the first stage, and one linear layer at the end.
"""

from __future__ import annotations

from torch import Tensor, nn


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    """One stage after the first: convolution, normalisation, ReLU, pooling; ``H x W`` becomes ``H//2 x W//2``."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=5, stride=1, padding=2),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class TwoStage(nn.Module):
    """Two convolutions and one linear layer: ``N x 1 x 28 x 28`` to ``N x 10``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=5, stride=1, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.conv2 = _stage(16, 32)
        self.fc = nn.Linear(7 * 7 * 32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, 1, 28, 28)`` to class scores ``(N, 10)``."""
        out = self.conv1(x)
        out = self.conv2(out)
        out = out.view(out.size(0), -1)
        return self.fc(out)  # type: ignore[no-any-return]


class FourStage(nn.Module):
    """Four convolutions and one linear layer: ``N x 1 x 28 x 28`` to ``N x 10``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=5, stride=1, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.conv2 = _stage(16, 32)
        self.conv3 = _stage(32, 64)
        self.conv4 = _stage(64, 128)
        self.fc = nn.Linear(1 * 1 * 128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, 1, 28, 28)`` to class scores ``(N, 10)``."""
        out = self.conv1(x)
        out = self.conv2(out)
        out = self.conv3(out)
        out = self.conv4(out)
        out = out.view(out.size(0), -1)
        return self.fc(out)  # type: ignore[no-any-return]
