"""Inputs of architectures whose forward says too little of what it wants, as their documentation has them."""

from __future__ import annotations

from typing import Any

import torch

# What a default configuration leaves open and a model cannot do without.
SETTINGS: dict[str, dict[str, Any]] = {
    **{key: {"prediction_length": 8} for key in ("autoformer", "informer", "patchtst", "time_series_transformer")},
    **{key: {"head_dim": 128} for key in ("hunyuan_v1_dense", "hunyuan_v1_moe", "hunyuan_vl_text", "ministral")},
    "xmod": {"default_language": "en_XX"}, "nemotron": {"num_key_value_heads": 8}, "step3p7": {"sliding_window": 512},
    "deepseek_v2": {"n_routed_experts": 8, "num_experts_per_tok": 2}, "timm_backbone": {"backbone": "resnet18"},
    "esm": {"vocab_size": 33, "pad_token_id": 1, "mask_token_id": 32}, "funnel": {"block_sizes": [2, 2, 2]},
    "chameleon": {"vocabulary_map": {"<image>": 4, "IMGIMGAZ": 5}}, "videomae": {"num_frames": 16},
    "tvp": {"num_frames": 2}, "vjepa2": {"frames_per_clip": 4, "crop_size": 128},
}  # fmt: skip


def _ids(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.int64)


def _ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.int64)


def _patches(width: int) -> dict[str, torch.Tensor]:
    """A picture of 16 patches, as the encoders with ``spatial_shapes`` take it."""
    return {
        "pixel_values": torch.zeros(1, 16, width), "pixel_attention_mask": _ones(1, 16),
        "spatial_shapes": torch.tensor([[4, 4]], device="cpu"),
    }  # fmt: skip


def _frames(count: int, side: int = 224) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.zeros(1, count, 3, side, side)}


def _pair(channels: int) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.zeros(1, 2, channels, 96, 128)}


def _spectrum(length: int, bins: int, mask: str = "") -> dict[str, torch.Tensor]:
    masked = {mask: torch.ones(1, length, dtype=torch.bool)} if mask else {}
    return {"input_features": torch.zeros(1, length, bins), **masked}


def _grid(name: str, width: int) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(16, width), "grid_thw": torch.tensor([[1, 4, 4]], device="cpu")}


def _decisions() -> dict[str, torch.Tensor]:
    plain = {"states": 17, "actions": 4, "rewards": 1, "returns_to_go": 1}
    made = {name: torch.zeros(1, 5, width) for name, width in plain.items()}
    return {**made, "timesteps": _ids(1, 5), "attention_mask": _ones(1, 5)}


def _lxmert() -> dict[str, torch.Tensor]:
    return {"input_ids": _ids(1, 16), "visual_feats": torch.zeros(1, 10, 2048), "visual_pos": torch.zeros(1, 10, 4)}


def _painted(config: Any) -> dict[str, torch.Tensor]:
    height, width = config.image_size
    names = ("pixel_values", "prompt_pixel_values", "prompt_masks")
    return {name: torch.zeros(1, 3, height // 2, width) for name in names}


def _classes(config: Any) -> dict[str, torch.Tensor]:
    side = config.image_size
    return {
        "pixel_values": torch.zeros(1, 3, side, side), "classes_input_ids": _ids(2, 8), "tasks_input_ids": _ids(1, 8),
        "classes_attention_mask": _ones(2, 8), "tasks_attention_mask": _ones(1, 8),
        "classes_structure": torch.tensor([2], device="cpu"),
    }  # fmt: skip


# model type -> the inputs, given its configuration
GIVEN: dict[str, Any] = {
    "siglip2_vision_model": lambda c: _patches(3 * c.patch_size**2),
    "siglip2": lambda c: {"input_ids": _ids(1, 16), **_patches(3 * c.vision_config.patch_size**2)},
    "cosmos3_edge_vision": lambda c: _grid("pixel_values", 3 * c.patch_size**2),
    "timesformer": lambda c: _frames(c.num_frames), "vivit": lambda c: _frames(c.num_frames),
    "videomae": lambda c: _frames(c.num_frames),
    "vjepa2": lambda c: {"pixel_values_videos": torch.zeros(1, c.frames_per_clip, 3, c.crop_size, c.crop_size)},
    "xclip": lambda c: {"input_ids": _ids(2, 16), "attention_mask": _ones(2, 16), **_frames(8)},
    "tvp": lambda c: {"input_ids": _ids(1, 16), "attention_mask": _ones(1, 16), **_frames(c.num_frames, 448)},
    "efficientloftr": lambda c: _pair(1), "lightglue": lambda c: _pair(1), "superglue": lambda c: _pair(1),
    "depth_pro": lambda c: {"pixel_values": torch.zeros(1, 3, 1536, 1536)},
    "uvdoc": lambda c: {"pixel_values": torch.zeros(1, 3, 712, 488)},
    "rf_detr": lambda c: {"pixel_values": torch.zeros(1, 3, 560, 560)},
    "lw_detr": lambda c: {"pixel_values": torch.zeros(1, 3, 640, 640)},
    "seggpt": _painted, "omdet-turbo": _classes, "lxmert": lambda c: _lxmert(),
    "oneformer": lambda c: {"pixel_values": torch.zeros(1, 3, 256, 256), "task_inputs": _ids(1, 77)},
    "kyutai_speech_to_text": lambda c: {"input_ids": _ids(1, 16, 33)},
    "audio-spectrogram-transformer": lambda c: {"input_values": torch.zeros(1, c.max_length, c.num_mel_bins)},
    "clap": lambda c: {"input_ids": _ids(1, 16), "input_features": torch.zeros(1, 1, 1001, 64)},
    "audioflamingo3_encoder": lambda c: _spectrum(3000, 128, "") | {"input_features": torch.zeros(1, 128, 3000),
                                                                    "input_features_mask": _ones(1, 3000)},
    "gemma4_audio": lambda c: _spectrum(96, 128, "attention_mask"),
    "granite_speech5_ctc": lambda c: _spectrum(64, 320), "granite_speech5_encoder": lambda c: _spectrum(64, 320),
    "wav2vec2-bert": lambda c: _spectrum(64, 160), "fun_asr_nano_encoder": lambda c: _spectrum(64, 560),
    "mimi_decoder": lambda c: {"latents": torch.zeros(1, 512, 8)},
    "muse_spark_audio": lambda c: {"input_values": torch.zeros(1, 19200)},
    "vibevoice_acoustic_tokenizer_encoder": lambda c: {"hidden_states": torch.zeros(1, 1, 6400)},
    "vibevoice_acoustic_tokenizer_decoder": lambda c: {"hidden_states": torch.zeros(1, 64, 4)},
    "speecht5": lambda c: {"input_values": torch.zeros(1, 16, c.hidden_size),
                           "decoder_input_values": torch.zeros(1, 8, c.hidden_size)},
    "blip_2_qformer": lambda c: {"query_embeds": torch.zeros(1, 32, c.hidden_size),
                                 "encoder_hidden_states": torch.zeros(1, 50, c.encoder_hidden_size)},
    "decision_transformer": lambda c: _decisions(),
    "bamba": lambda c: {"input_ids": _ids(1, 16), "use_cache": False},
    "granitemoehybrid": lambda c: {"input_ids": _ids(1, 16), "use_cache": False},
    "glm_image_vision": lambda c: _grid("pixel_values", 3 * c.patch_size**2),
    "lfm3_vl_vision": lambda c: _grid("pixel_values", 6 * c.patch_size**2),
    "hunyuan_vl_vision": lambda c: _grid("pixel_values", 3 * c.patch_size**2),
    "kimi_k25_vision": lambda c: {"pixel_values": torch.zeros(16, 3, c.patch_size, c.patch_size),
                                  "grid_thw": torch.tensor([[1, 4, 4]], device="cpu")},
    "gemma4_vision": lambda c: {"pixel_values": torch.zeros(1, 16, 3 * c.patch_size**2),
                                "pixel_position_ids": torch.zeros(1, 16, 2, dtype=torch.int64)},
    "video_llama_3_vision": lambda c: {**_grid("pixel_values", 3 * c.patch_size**2),
                                       "merge_sizes": torch.tensor([2], device="cpu")},
    "idefics": lambda c: {"input_ids": _ids(1, 16), **_frames(1), "image_attention_mask": _ones(1, 16, 1)},
    "kosmos-2": lambda c: {"input_ids": _ids(1, 80), "pixel_values": torch.zeros(1, 3, 224, 224),
                           "image_embeds_position_mask": torch.arange(80)[None] < c.latent_query_num},
}  # fmt: skip
