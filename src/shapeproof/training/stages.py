"""What a network makes of one picture, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shapeproof.training.modes import in_mode


@dataclass(frozen=True)
class Stage:
    """The feature maps at the end of a stage.

    Attributes:
        module: dotted path of the module that made them.
        maps: ``float (C, H, W)``.
    """

    module: str
    maps: Tensor


@torch.no_grad()
def stages(model: nn.Module, x: Tensor) -> list[Stage]:
    """Feature maps of ``x``, ``(1, C, H, W)``, where their size changes: the stages that a person would draw.

    The outputs of the model's own children are looked at, or of the one child that holds the layers; of those that
    follow one another with the same height and width the first is kept, and every block of layers that changes the
    channels. The model is left as it was.
    """
    seen: list[tuple[str, nn.Module, Tensor]] = []
    names = {id(module): name for name, module in model.named_modules()}

    def note(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and id(module) in names:
            seen.append((names[id(module)], module, output[0].detach().clone()))

    with nn.modules.module.register_module_forward_hook(note), in_mode(model, training=False):
        model(x)
    return _kept(_level([entry for entry in seen if entry[0]]))


def _level(seen: list[tuple[str, nn.Module, Tensor]]) -> list[tuple[str, nn.Module, Tensor]]:
    """The outputs at the highest level of the module tree that tells at least two sizes apart."""
    deepest = max((name.count(".") for name, _, _ in seen), default=0)
    for depth in range(deepest + 1):
        level = [entry for entry in seen if entry[0].count(".") <= depth and not _holds(entry[0], seen, depth)]
        if len({maps.shape[-2:] for _, _, maps in level}) > 1:
            return level
    return seen


def _holds(name: str, seen: list[tuple[str, nn.Module, Tensor]], depth: int) -> bool:
    """Whether another module of at most this depth stands within the named one."""
    return any(other.startswith(f"{name}.") and other.count(".") <= depth for other, _, _ in seen)


def _kept(level: list[tuple[str, nn.Module, Tensor]]) -> list[Stage]:
    kept: list[Stage] = []
    for name, module, maps in level:
        last = kept[-1].maps if kept else None
        smaller = last is None or maps.shape[-2:] != last.shape[-2:]
        block = last is not None and any(module.children()) and maps.shape != last.shape
        if smaller or block:
            kept.append(Stage(name, maps))
    return kept
