"""From stored pictures to what a network reads: the one place that knows, for training, testing and serving alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from shapeproof.data.dataset import Pictures, chunks, evenly
from shapeproof.training.modes import in_mode

SAMPLE = 60_000  # pictures to measure at most
SAMPLE_OF_FILES = 2_000  # where each must be read from its file for that


@dataclass(frozen=True)
class Preparation:
    """What is done to a ``uint8`` picture before the network sees it.

    Attributes:
        channels: Colours of a picture: 1 or 3.
        height: Rows of a whole picture.
        width: Columns of a whole picture.
        margin: Pixels cut off each side.
        mean: One number a channel, subtracted after division by 255.
        std: One number a channel, divided by after that.
    """

    channels: int
    height: int
    width: int
    margin: int = 0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape ``(C, H, W)`` in which one picture reaches the network."""
        return self.channels, self.height - 2 * self.margin, self.width - 2 * self.margin

    @property
    def small_shape(self) -> tuple[int, int, int]:
        """That shape at two thirds of its height and width, rounded."""
        channels, height, width = self.shape
        return channels, round(height * 2 / 3), round(width * 2 / 3)

    @property
    def spec(self) -> str:
        """That shape as a spec with a free batch, such as ``N,1,28,28``."""
        return "N," + ",".join(str(size) for size in self.shape)

    def scaled(self, images: Tensor) -> Tensor:
        """``uint8 (N, C, H, W)``, 0 to 255, to ``float32`` of the same shape, without cutting."""
        x = images.to(torch.float32).div_(255)  # the bits of ToTensor
        if self.mean == (0.0,) * len(self.mean) and self.std == (1.0,) * len(self.std):
            return x
        shape = (1, -1, 1, 1)
        mean = torch.tensor(self.mean, device=x.device).view(shape)
        return x.sub_(mean).div_(torch.tensor(self.std, device=x.device).view(shape))

    def __call__(self, images: Tensor) -> Tensor:
        """``uint8 (N, C, H, W)``, 0 to 255, to what the network reads: ``float32 (N, *shape)``."""
        x = self.scaled(images)
        if not self.margin:
            return x
        m = self.margin
        return x[:, :, m : self.height - m, m : self.width - m].contiguous()

    def to_dict(self) -> dict[str, Any]:
        """The preparation as plain JSON values."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preparation:
        """A preparation from what :meth:`to_dict` wrote."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


@torch.no_grad()
def give_lazy_layers_sizes(model: nn.Module, preparation: Preparation, seed: int = 0) -> None:
    """Let layers such as ``nn.LazyLinear`` take their sizes and first weights, by one forward; others stay as they are.

    Args:
        model: Left in the mode it is in.
        preparation: Tells what the network reads.
        seed: Decides the weights that such layers start with.
    """
    tensors = [*model.parameters(), *model.buffers()]
    if not any(is_lazy(tensor) for tensor in tensors):
        return
    with in_mode(model, training=False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model(torch.zeros(2, *preparation.shape))


def measured(images: Pictures, *, normalise: bool, margin: int) -> Preparation:
    """The preparation for these training pictures ``uint8 (N, C, H, W)``.

    Mean and deviation are taken in exact integer sums over at most 60,000 pictures, 2,000 where they are in files,
    spread evenly over the set, so that one larger than memory is not read through for them.
    """
    _, channels, height, width = images.shape
    if not normalise:
        return Preparation(channels, height, width, margin, (0.0,) * channels, (1.0,) * channels)
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    most = SAMPLE if isinstance(images, Tensor) else SAMPLE_OF_FILES
    for part in chunks(evenly(images, most), 5_000):
        for channel in range(channels):
            counts[channel] += torch.bincount(part[:, channel].reshape(-1), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts.double() / counts.sum(1, keepdim=True)
    mean = (share * values).sum(1)
    std = (share * (values - mean[:, None]) ** 2).sum(1).sqrt().clamp_min(1e-3)
    return Preparation(
        channels, height, width, margin, tuple(round(float(m), 4) for m in mean), tuple(round(float(s), 4) for s in std)
    )
