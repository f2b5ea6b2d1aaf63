"""Batch normalisation's statistics, taken anew over pictures as testing shows them."""

from __future__ import annotations

import contextlib

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from shapeproof.data.dataset import Pictures, chunks, evenly
from shapeproof.training.modes import in_mode
from shapeproof.training.preparation import Preparation

BATCH = 500


@torch.no_grad()
def recalibrate(
    model: nn.Module, pictures: Pictures, preparation: Preparation, count: int, device: torch.device, *, bfloat16: bool
) -> int:
    """Replace the running statistics by the mean over batches of undistorted training pictures.

    In training they follow pictures that are moved and turned, and only the last few batches of them (compare Touvron
    et al. 2019, https://arxiv.org/abs/1906.06423, on the gap between training's and testing's statistics).

    Args:
        model: Its normalisations' buffers change; everything else, modes included, stays.
        pictures: The training pictures.
        preparation: How they reach the network.
        count: How many are used at most, spread evenly; 0 does nothing.
        device: Where the network is.
        bfloat16: Whether to compute as training did.

    Returns:
        How many normalisations there are.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms or not count:
        return 0
    momenta = [norm.momentum for norm in norms]
    try:
        with in_mode(model, training=False):
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # the plain mean over all batches
                norm.train()
            for part in chunks(evenly(pictures, count), BATCH):
                # A last one of a few would count as much as the others.
                if len(part) == min(BATCH, count, len(pictures)):
                    arithmetic = torch.autocast(device.type, torch.bfloat16) if bfloat16 else contextlib.nullcontext()
                    with arithmetic:
                        model(preparation(part.to(device)))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    return len(norms)
