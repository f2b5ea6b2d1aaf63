"""Inputs for the architectures of transformers, made from their default configurations."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

import torch

TOKENS = 16
# Attributes that say how often a block is repeated: cut down, so that every kind of step stays and no run is long.
DEPTHS = (
    "num_hidden_layers", "encoder_layers", "decoder_layers", "num_layers", "n_layer", "n_layers", "num_encoder_layers",
    "num_decoder_layers",
)  # fmt: skip


def zoo() -> dict[str, Any]:
    """Every configuration that transformers maps to a base model."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    found = {config.model_type: config for config in MODEL_MAPPING}
    return {name: (lambda config=config: made(config)) for name, config in sorted(found.items())}


def made(config_class: Any) -> Any:
    """A model of the default configuration (at most four blocks of a kind), and inputs that its forward names."""
    from transformers import AutoModel

    config = config_class()
    for part in [config, *_parts(config)]:
        _shorten(part)
    model = AutoModel.from_config(config).eval()
    return model, (), inputs(model, config)


def _parts(config: Any) -> list[Any]:
    return [part for part in vars(config).values() if hasattr(part, "to_dict") and hasattr(part, "model_type")]


def _shorten(config: Any) -> None:
    for name in DEPTHS:
        depth = getattr(config, name, None)
        if isinstance(depth, int) and depth > 4 and not getattr(config, "layer_types", None):
            with contextlib.suppress(Exception):
                setattr(config, name, 4)


def _first(config: Any, *names: str, default: Any = None) -> Any:
    for part in [config, *_parts(config)]:
        for name in names:
            value = getattr(part, name, None)
            if value is not None:
                return value
    return default


def _pixels(config: Any, name: str) -> torch.Tensor:
    size = _first(config, "image_size", "img_size", "input_size", default=224)
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    channels = _first(config, "num_channels", "in_channels", "in_chans", default=3)
    if name == "pixel_values_videos":
        return torch.zeros(1, _first(config, "num_frames", "frames_per_clip", default=8), channels, height, width)
    return torch.zeros(1, channels, height, width)


def _ids(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.int64)


def _speech(config: Any) -> torch.Tensor:
    bins = _first(config, "num_mel_bins", "input_feat_per_channel", "feature_size", default=80)
    length = 2 * _first(config, "max_source_positions", default=500)
    if "whisper" in config.model_type:
        return torch.zeros(1, bins, length)
    return torch.zeros(1, min(length, 1000), bins)


def inputs(model: Any, config: Any) -> dict[str, torch.Tensor]:
    """A tensor for each of the inputs that the forward of the model names and cannot do without."""
    named = inspect.signature(model.forward).parameters
    made: dict[str, torch.Tensor] = {}
    if "input_ids" in named:
        made["input_ids"] = _ids(2, TOKENS)
    if "decoder_input_ids" in named:
        made["decoder_input_ids"] = _ids(2, TOKENS)
    if "input_values" in named:
        made["input_values"] = torch.zeros(2, 16000)
    if "input_features" in named:
        made["input_features"] = _speech(config)
    for name in ("pixel_values", "pixel_values_videos"):
        if name in named and "input_ids" not in named:
            made[name] = _pixels(config, name)
    if "bbox" in named:
        made["bbox"] = _ids(2, TOKENS, 4)
    if "pixel_values" in named and "input_ids" in named and _needs_both(config):
        made["pixel_values"] = _pixels(config, "pixel_values")
        made["input_ids"] = _ids(1, TOKENS)
    return made


def _needs_both(config: Any) -> bool:
    name = config.model_type
    return any(
        word in name for word in ("clip", "siglip", "flava", "vilt", "align", "group", "bridge", "owl", "altclip")
    )
