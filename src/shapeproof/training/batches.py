"""The order of the pictures, and a batch of them made ready; every random choice is a function of seed and step.

Nothing here keeps a random state: step 1,234 of seed 0 is the same batch, moved and turned the same way, whether
the run came there in one go, was resumed, or is spread over several processes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from shapeproof.data.dataset import Pictures
from shapeproof.training.ahead import Ahead
from shapeproof.training.preparation import Preparation
from shapeproof.training.recipes import Recipe

# Streams of random numbers: order of the pictures, their distortion, the network's own (dropout), the validation split.
ORDER, DISTORTION, NETWORK, SPLIT = range(4)


def random_stream(seed: int, stream: int, position: int) -> torch.Generator:
    """A generator for one use at one epoch or step; different for each (SplitMix64's finaliser over the three)."""
    return torch.Generator().manual_seed(mixed(seed, stream, position))


def mixed(seed: int, stream: int, position: int) -> int:
    """A 63-bit seed from three whole numbers (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    mask = (1 << 64) - 1
    z = 0
    for number in (seed, stream, position):
        z = (z ^ (number & mask)) + 0x9E3779B97F4A7C15 & mask
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        z ^= z >> 31
    return z >> 1


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The order ``int64 (count,)`` in which an epoch (from 0) shows the pictures: each of them once."""
    return torch.randperm(count, generator=random_stream(seed, ORDER, epoch))


@dataclass(frozen=True)
class Plan:
    """How many pictures, batches and steps a run has.

    Attributes:
        count: Training pictures.
        batch_size: Pictures a step; never more than there are.
        per_epoch: Steps an epoch.
        total: Steps in all.
    """

    count: int
    batch_size: int
    per_epoch: int
    total: int

    @property
    def epochs(self) -> int:
        """Epochs begun, the last one perhaps cut short."""
        return math.ceil(self.total / self.per_epoch)


def plan(count: int, recipe: Recipe) -> Plan:
    """The plan of a recipe for ``count`` training pictures."""
    batch_size = min(recipe.batch_size, count)
    per_epoch = count // batch_size if recipe.drop_last else math.ceil(count / batch_size)
    return Plan(count, batch_size, per_epoch, max(1, round(recipe.epochs * per_epoch)))


@dataclass(frozen=True)
class Batch:
    """One process's share of a step's pictures.

    Attributes:
        x: ``float32 (n, C, H, W)``, ready for the network.
        y: ``int64 (n,)``.
        count: Pictures of this step over all processes.
    """

    x: Tensor
    y: Tensor
    count: int


class Batches:
    """Gives the batch of any step.

    Args:
        images: ``uint8 (N, C, H, W)``: in memory, on the device, memory-mapped or in files; only the rows of a batch
            are read, and those in files ahead of time.
        labels: ``int64 (N,)``.
        preparation: What is done to every picture.
        recipe: How training pictures are moved and turned, and the batch size.
        seed: The run's seed.
        device: Where batches are wanted.
        rank: This process among ``world``.
        world: Number of processes; each takes its share of every batch.
    """

    def __init__(
        self,
        images: Pictures,
        labels: Tensor,
        preparation: Preparation,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.images, self.labels = images, labels
        self.preparation, self.recipe, self.seed, self.device = preparation, recipe, seed, device
        self.rank, self.world = rank, world
        self.plan = plan(len(labels), recipe)
        self.small_steps = round(recipe.small_first * self.plan.total)
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))
        self._ahead = None if isinstance(images, Tensor) else Ahead(images, self._rows, self.plan.total)

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        chosen = self._chosen(step)
        mine = self._mine(chosen)
        index = chosen[mine].to(self.labels.device)
        images = self._ahead.at(step) if self._ahead else self.images[index]
        labels = self.labels[index].to(self.device, non_blocking=True)
        moved = images.to(self.device, non_blocking=True)
        x = distorted(moved, self.preparation, self.recipe, self.seed, step, len(chosen), mine)
        if step < self.small_steps:
            size = self.preparation.small_shape[1:]
            x = functional.interpolate(x, size=size, mode="bilinear", antialias=True, align_corners=False)
        return Batch(x, labels, len(chosen))

    def _chosen(self, step: int) -> Tensor:
        """Which pictures a step shows, over all processes."""
        epoch, place = divmod(step, self.plan.per_epoch)
        if self._order[0] != epoch:
            self._order = epoch, epoch_order(self.plan.count, self.seed, epoch)
        return self._order[1][place * self.plan.batch_size : (place + 1) * self.plan.batch_size]

    def _mine(self, chosen: Tensor) -> Tensor:
        return torch.arange(len(chosen)).tensor_split(self.world)[self.rank]

    def _rows(self, step: int) -> Tensor:
        chosen = self._chosen(step)
        return chosen[self._mine(chosen)]


def distorted(
    images: Tensor, preparation: Preparation, recipe: Recipe, seed: int, step: int, count: int, mine: Tensor
) -> Tensor:
    """Move, turn and cut a batch as the recipe says.

    Args:
        images: ``uint8 (n, C, H, W)``: this process's share.
        preparation: Scaling, and the pixels to cut off.
        recipe: How far pictures are moved and turned at most.
        seed: The run's seed.
        step: The step, which with the seed decides every choice.
        count: Pictures of the whole batch; choices are made for all, so that they do not depend on the processes.
        mine: Which of them these are.

    Returns:
        ``float32 (n, C, H - 2 margin, W - 2 margin)``.
    """
    if not (recipe.shift or recipe.warps or recipe.flip):
        return preparation(images)
    generator = random_stream(seed, DISTORTION, step)
    # Seven numbers in [-1, 1) a picture: mirror, turn, two stretches, shear, two shifts.
    chances = (torch.rand(count, 7, generator=generator) * 2 - 1)[mine].to(images.device)
    x = preparation.scaled(images)
    if recipe.flip:
        x = torch.where((chances[:, 0] < 0).view(-1, 1, 1, 1), x.flip(3), x)
    return _warped(x, chances, recipe, preparation) if recipe.warps else _moved(x, chances, recipe, preparation)


def _moved(x: Tensor, chances: Tensor, recipe: Recipe, preparation: Preparation) -> Tensor:
    """Cut each picture at its own place, up to ``shift`` whole pixels off the middle; the rim is continued outwards."""
    pad = max(0, recipe.shift - preparation.margin)
    padded = functional.pad(x, (pad,) * 4, mode="replicate") if pad else x
    _, height, width = preparation.shape
    start = preparation.margin + pad
    # Each of the 2*shift + 1 places is as likely as the others.
    places = ((chances[:, 5:] + 1) / 2 * (2 * recipe.shift + 1)).long() - recipe.shift + start
    rows = places[:, 0, None] + torch.arange(height, device=x.device)
    columns = places[:, 1, None] + torch.arange(width, device=x.device)
    picture = torch.arange(len(x), device=x.device)[:, None, None]
    if x.shape[1] == 1:  # far cheaper without the channel among the gathered dimensions
        return padded[picture, 0, rows[:, :, None], columns[:, None, :]][:, None]
    return padded[picture, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _warped(x: Tensor, chances: Tensor, recipe: Recipe, preparation: Preparation) -> Tensor:
    """Turn, stretch, shear, move and cut in one bilinear sampling; the rim is continued outwards."""
    _, height, width = preparation.shape
    angle = chances[:, 1] * math.radians(recipe.rotation)
    stretch = 1 + chances[:, 2:4] * recipe.scale
    shear = chances[:, 4] * recipe.shear
    # affine_grid maps places in the output to places in the input, both from -1 to 1: a smaller output covers less.
    cut_x, cut_y = width / preparation.width, height / preparation.height
    move_x, move_y = (
        chances[:, 5] * recipe.shift * 2 / preparation.width,
        chances[:, 6] * recipe.shift * 2 / preparation.height,
    )
    top = torch.stack([angle.cos() * stretch[:, 0] * cut_x, (shear - angle.sin()) * stretch[:, 1] * cut_y, move_x], 1)
    bottom = torch.stack([angle.sin() * stretch[:, 0] * cut_x, angle.cos() * stretch[:, 1] * cut_y, move_y], 1)
    theta = torch.stack([top, bottom], 1)
    grid = functional.affine_grid(theta, [len(x), x.shape[1], height, width], align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def split(count: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Which pictures train and which validate: two sorted index tensors, chosen at random by the seed."""
    order = torch.randperm(count, generator=random_stream(seed, SPLIT, 0))
    held = held_back(count, share)
    return order[held:].sort().values, order[:held].sort().values


def held_back(count: int, share: float) -> int:
    """How many of ``count`` pictures a share for validation is: at least one, and never all."""
    return max(1, min(count - 1, round(count * share))) if share else 0
