"""Inputs for the architectures of transformers, made from their default configurations."""

from __future__ import annotations

import contextlib
import inspect
import re
from typing import Any

import torch
from zoo_inputs import GIVEN, SETTINGS

TOKENS = 16
LARGEST = 700_000_000  # weights that are given memory
# Attributes that say how often a block is repeated: cut down, so that every kind of step stays and no run is long.
DEPTHS = (
    "num_hidden_layers", "encoder_layers", "decoder_layers", "num_layers", "n_layer", "n_layers", "num_encoder_layers",
    "num_decoder_layers",
)  # fmt: skip


def zoo() -> dict[str, Any]:
    """Every configuration that transformers maps to a base model."""
    return {name: (lambda config=config: made(config)) for name, config in _configurations()}


def media_zoo() -> dict[str, Any]:
    """Every model of text together with pictures, films or sound, on all of these at once."""
    return {name: (lambda config=config: made_of_media(config)) for name, config in _configurations()}


def _configurations() -> list[tuple[str, Any]]:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    return sorted((config.model_type, config) for config in MODEL_MAPPING)


def made(config_class: Any) -> Any:
    """A model of the default configuration (at most four blocks of a kind), and the first inputs that it runs on.

    It lies on the meta device; where it reads values, and is not too large, it is made again with memory, of two
    blocks of a kind.
    """
    first = None
    for device, depth in (("meta", 4), ("cpu", 2), ("meta", None)):
        config = _configured(config_class, depth)
        if device == "cpu" and (first is None or _weights(config) > LARGEST):
            continue
        with torch.device(device), contextlib.suppress(ValueError, AttributeError, TypeError):
            model = _built(config, device)
            first = first or (model, (), attempts(model, config)[0])
            for given in attempts(model, config):
                if _refusal(model, given) is None:
                    return model, (), given
    if first is None:
        return _built(config_class(), "meta"), (), {}
    return first


def made_of_media(config_class: Any) -> Any:
    """A model with memory, of two blocks of a kind, on text with as many places for a picture as the picture fills."""
    config = _configured(config_class, 2)
    if _weights(config) > LARGEST:
        raise ValueError("more weights than are given memory")
    model = _built(config, "cpu")
    given: dict[str, Any] = {}
    for given in attempts(model, config):
        if "input_ids" not in given or len(given) == 1:
            continue
        for _ in range(3):
            refusal = _refusal(model, given)
            if refusal is None:
                return model, (), given
            counted = re.search(r"features:? (\d+)", refusal)
            token = _first(config, *_TOKENS["Audio" if "Audio" in refusal else "Image"])
            if not counted or token is None:
                break
            given["input_ids"] = torch.cat([_ids(1, 2) + 5, _ids(1, int(counted[1])) + token, _ids(1, 2) + 5], -1)
            if "attention_mask" in given:
                given["attention_mask"] = torch.ones_like(given["input_ids"])
    return model, (), given


def _configured(config_class: Any, depth: int | None) -> Any:
    config = config_class(**SETTINGS.get(config_class.model_type, {}))
    for part in [config, *_parts(config)] if depth else []:
        _shorten(part, depth)
    return config


_TOKENS = {
    "Audio": ("audio_token_id", "audio_token_index"),
    "Image": ("image_token_id", "image_token_index", "image_pad_token_id", "img_context_token_id"),
}


def _weights(config: Any) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in _built(config, "meta").parameters())


def _built(config: Any, device: str) -> Any:
    from transformers import AutoModel, initialization

    quick = initialization.no_init_weights() if device == "cpu" else contextlib.nullcontext()
    with quick:
        try:
            model = AutoModel.from_config(config, experts_implementation="batched_mm")
        except Exception:  # noqa: BLE001  # not every model has experts
            model = AutoModel.from_config(config)
    return model.eval()


def _refusal(model: Any, given: dict[str, Any]) -> str | None:
    """What a model says to inputs that it cannot run on; ``None`` where it runs."""
    try:
        with torch.no_grad():
            model(**given)
    except Exception as error:  # noqa: BLE001  # then the next attempt
        return str(error) or type(error).__name__
    return None


def _parts(config: Any) -> list[Any]:
    return [part for part in vars(config).values() if hasattr(part, "to_dict") and hasattr(part, "model_type")]


def _shorten(config: Any, depth: int) -> None:
    for name in DEPTHS:
        now = getattr(config, name, None)
        if isinstance(now, int) and now > depth:
            kinds = getattr(config, "layer_types", None) or [None] * now
            firsts = [kinds.index(kind) for kind in dict.fromkeys(kinds)]
            kept = sorted(list(dict.fromkeys(firsts + list(range(depth))))[: max(depth, len(firsts))])
            with contextlib.suppress(Exception):
                setattr(config, name, len(kept))
            for listed in _a_layer_each(config, now):
                setattr(config, listed, [getattr(config, listed)[place] for place in kept])


def _a_layer_each(config: Any, depth: int) -> list[str]:
    """The attributes that list something for every block."""
    return [name for name, value in vars(config).items() if isinstance(value, list) and len(value) == depth]


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
    """Inputs to try, the likeliest first: those known to be wanted, then from what the forward of the model names."""
    given = [GIVEN[config.model_type](config)] if config.model_type in GIVEN else []
    return given + _named(model, config)


def _named(model: Any, config: Any) -> list[dict[str, torch.Tensor]]:
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
        out.append(_series(config))
    known = _by_name(config)
    needed = [n for n, p in named.items() if p.default is inspect.Parameter.empty and n in known]
    more = {name: known[name]() for name in needed}
    patched = [{**more, name: known[name]()} for name in ("grid_thw", "visual_feats") if name in named]
    return [{**given, **more} for given in out] + patched + [more]


def _series(config: Any) -> dict[str, torch.Tensor]:
    """A past and a future of one value a step, as long as the lags want."""
    lags = _first(config, "lags_sequence", default=[0])
    past = _first(config, "context_length", "prediction_length", default=8) + max(lags)
    future, width = _first(config, "prediction_length", default=8), _first(config, "num_time_features", default=0)
    return {
        "past_values": torch.zeros(1, past), "past_time_features": torch.zeros(1, past, width),
        "past_observed_mask": torch.ones(1, past), "future_values": torch.zeros(1, future),
        "future_time_features": torch.zeros(1, future, width),
    }  # fmt: skip


def _by_name(config: Any) -> dict[str, Any]:
    """What an argument of such a name is made as, where a model insists on it."""
    channels, side = (
        _first(config, "in_channels", "num_channels", "in_chans", default=3),
        _first(config, "patch_size", default=14),
    )
    side = side if isinstance(side, int) else side[0]
    patch = channels * side * side * (_first(config, "temporal_patch_size", default=1))
    length = 2 * _first(config, "max_source_positions", default=500)
    return {
        "grid_thw": lambda: torch.tensor([[1, 4, 4]]), "image_grid_thw": lambda: torch.tensor([[1, 4, 4]]),
        "hidden_states": lambda: torch.zeros(16, patch), "pixel_position_ids": lambda: _ids(1, 16, 2),
        "pixel_attention_mask": lambda: torch.ones(1, 16, dtype=torch.int64),
        "spatial_shapes": lambda: torch.tensor([[4, 4]]), "qformer_input_ids": lambda: _ids(1, TOKENS),
        "visual_feats": lambda: torch.zeros(1, 10, _first(config, "visual_feat_dim", default=2048)),
        "visual_pos": lambda: torch.zeros(1, 10, 4),
        "inputs": lambda: torch.zeros(1, 16, _first(config, "d_model", default=768)),
        "prompt_pixel_values": lambda: _pixels(config, ""), "prompt_masks": lambda: _pixels(config, ""),
        "audio_mel": lambda: torch.zeros(1, 96, 128), "audio_mel_mask": lambda: torch.zeros(1, 96, dtype=torch.bool),
        "input_features_mask": lambda: torch.ones(1, length, dtype=torch.int64),
        "past_values_padding": lambda: torch.zeros(1, 512), "freq": lambda: _ids(1, 1),
    }  # fmt: skip


def _sounds(config: Any) -> list[torch.Tensor]:
    """Waves with and without a channel, and spectra both ways round."""
    bins = _first(config, "num_mel_bins", "input_feat_per_channel", "feature_size", "input_dim", default=80)
    length = min(2 * _first(config, "max_source_positions", default=500), 3000)
    waves = [torch.zeros(1, 16000), torch.zeros(1, 1, 16000), torch.zeros(1, 1, 19200)]
    return [*waves, torch.zeros(1, length, bins), torch.zeros(1, bins, length)]
