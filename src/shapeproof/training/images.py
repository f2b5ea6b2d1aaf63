"""Tensors as small PNG pictures that stand in a page."""

from __future__ import annotations

import base64
import io
import math

import torch
from torch import Tensor

MOST = 128  # maps of one stage that are drawn


def data_uri(picture: Tensor) -> str:
    """A picture ``uint8 (C, H, W)`` as a ``data:`` address of a PNG; C is 1 or 3, or with transparency 2 or 4."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).squeeze(2).contiguous().cpu().numpy()).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def sheet(pictures: Tensor, columns: int | None = None, gap: int = 1) -> Tensor:
    """Pictures ``uint8 (N, C, H, W)`` side by side in rows, ``uint8 (C + 1, H', W')``, nothing in the gaps between."""
    count, channels, height, width = pictures.shape
    columns = min(columns or max(1, math.ceil(math.sqrt(2 * count * height / width))), count)
    rows = math.ceil(count / columns)
    made = torch.zeros(channels + 1, rows * (height + gap) - gap, columns * (width + gap) - gap, dtype=torch.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        made[:channels, top : top + height, left : left + width] = picture
        made[channels, top : top + height, left : left + width] = 255
    return made


def as_bytes(shares: Tensor) -> Tensor:
    """Numbers from 0 to 1 as ``uint8`` from 0 to 255; what is no number becomes 0."""
    return (shares.nan_to_num(0.0).clamp(0, 1) * 255).round().to(torch.uint8)


def maps(activations: Tensor) -> Tensor:
    """Feature maps ``(C, H, W)`` as pictures ``uint8 (n, 1, H, W)``: the first of them, all on one scale."""
    x = activations[:MOST].detach().float().cpu()
    low, high = x.min(), x.max()
    return as_bytes((x - low) / (high - low).clamp_min(torch.finfo(torch.float32).tiny))[:, None]
