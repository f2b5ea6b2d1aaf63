"""Inputs for the architectures of transformers, made from their default configurations."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

import torch

TOKENS = 16
LARGEST = 700_000_000  # weights that are given memory
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
    """A model of the default configuration (at most four blocks of a kind), and the first inputs that it runs on.

    It lies on the meta device; where it reads values, and is not too large, it is made again with memory.
    """
    first = None
    for device, shortened in (("meta", True), ("cpu", True), ("meta", False)):
        config = config_class()
        for part in [config, *_parts(config)] if shortened else []:
            _shorten(part)
        if device == "cpu" and (first is None or _weights(first[0]) > LARGEST):
            continue
        with torch.device(device), contextlib.suppress(ValueError, AttributeError, TypeError):
            model = _built(config, device)
            first = first or (model, (), attempts(model, config)[0])
            for given in attempts(model, config):
                if _runs(model, given):
                    return model, (), given
    if first is None:
        return _built(config_class(), "meta"), (), {}
    return first


def _weights(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _built(config: Any, device: str) -> Any:
    from transformers import AutoModel, initialization

    quick = initialization.no_init_weights() if device == "cpu" else contextlib.nullcontext()
    with quick:
        try:
            model = AutoModel.from_config(config, experts_implementation="batched_mm")
        except Exception:  # noqa: BLE001  # not every model has experts
            model = AutoModel.from_config(config)
    return model.eval()


def _runs(model: Any, given: dict[str, Any]) -> bool:
    try:
        with torch.no_grad():
            model(**given)
    except Exception:  # noqa: BLE001  # then the next attempt
        return False
    return True


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


def attempts(model: Any, config: Any) -> list[dict[str, torch.Tensor]]:
    """Inputs to try, the likeliest first, from what the forward of the model names."""
    named = inspect.signature(model.forward).parameters
    text = {name: _ids(1, TOKENS) for name in ("input_ids", "decoder_input_ids") if name in named}
    if "bbox" in named:
        text["bbox"] = _ids(1, TOKENS, 4)
    pixels = [{name: _pixels(config, name)} for name in ("pixel_values", "pixel_values_videos") if name in named]
    sounds = [
        {name: sound} for name in ("input_values", "input_features") if name in named for sound in _sounds(config)
    ]
    plain = {name: value for name, value in text.items() if name != "decoder_input_ids"}
    out: list[dict[str, torch.Tensor]] = []
    for media in [*pixels, *sounds] if "input_ids" not in named else []:
        out += [media, {**media, **text}]
    out += [text, plain] if text else []
    out += [{**text, **media} for media in [*pixels, *sounds]]
    out += [
        {**given, "attention_mask": torch.ones(1, TOKENS, dtype=torch.int64)} for given in out if "input_ids" in given
    ]
    if "past_values" in named:
        length, width = _first(config, "context_length", default=32), _first(config, "num_input_channels", default=1)
        out.append({"past_values": torch.zeros(1, length, width)})
    return out or [{}]


def _sounds(config: Any) -> list[torch.Tensor]:
    """Waves with and without a channel, and spectra both ways round."""
    bins = _first(config, "num_mel_bins", "input_feat_per_channel", "feature_size", "input_dim", default=80)
    length = min(2 * _first(config, "max_source_positions", default=500), 3000)
    waves = [torch.zeros(1, 16000), torch.zeros(1, 1, 16000), torch.zeros(1, 1, 19200)]
    return [*waves, torch.zeros(1, length, bins), torch.zeros(1, bins, length)]
