"""From the call that failed to a cause and to candidate edits, best first. Decided from sizes, never from messages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from shapeproof.derivation.model import Step
from shapeproof.diagnosis.calls import flattened, joined_along, transposed
from shapeproof.diagnosis.edits import BATCH_NORMS, CONVS, Edit, Setup, change_input, flatten_before, resize
from shapeproof.diagnosis.place import constructor_line
from shapeproof.rules.registry import show

SIZES = (28, 32, 224, 64, 96, 128, 227, 256, 299, 512)
WRITTEN_FOR = (28, 32, 224)  # MNIST, CIFAR, ImageNet
LOSSES = frozenset({"cross_entropy", "nll_loss", "mse_loss", "l1_loss", "binary_cross_entropy"})
KEEPS_PLACES = frozenset(
    """relu relu6 gelu silu elu leaky_relu sigmoid tanh hardswish dropout dropout2d batch_norm group_norm max_pool1d
    max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_max_pool2d contiguous clone""".split()
)


@dataclass(frozen=True)
class Case:
    """A failed run: the model with its inputs, and the steps up to the one that failed."""

    setup: Setup
    steps: tuple[Step, ...]
    code: str

    @property
    def step(self) -> Step:
        """The step that failed."""
        return self.steps[-1]

    @property
    def module(self) -> Any:
        """The module whose call failed; ``None`` for a plain function."""
        model = self.setup.model
        return model.get_submodule(self.step.module) if isinstance(model, nn.Module) else None

    @property
    def entering(self) -> tuple[int, ...]:
        """The sizes of the first tensor of the failed call."""
        return tuple(map(int, self.step.inputs[0])) if self.step.inputs else ()

    @property
    def first_input(self) -> Tensor | None:
        """The model's first input, where that is a tensor."""
        args = self.setup.args
        return args[0] if args and isinstance(args[0], Tensor) else None


def causes(case: Case) -> tuple[str, list[Edit]]:
    """The refined code, and edits to try, best first."""
    module = case.module
    if isinstance(module, nn.Linear) and case.step.op == "linear":
        return _linear(case, module)
    if isinstance(module, CONVS) and case.step.op.startswith("conv"):
        return _convolution(case, module)
    if isinstance(module, (BATCH_NORMS, nn.LayerNorm, nn.GroupNorm)):
        return _normalisation(case, module)
    if case.code == "view-size" and case.step.op in ("view", "reshape") and len(case.entering) > 1:
        return case.code, [*_other_sizes(case), flattened(case.step)]
    if case.code == "concat":
        return case.code, [*joined_along(case.step), *_other_sizes(case)]
    if case.code == "matmul" and len(case.step.inputs) == 2:
        return case.code, transposed(case.step)
    if case.code == "kernel-too-large":
        return case.code, _other_sizes(case)
    if isinstance(module, nn.RNNBase) and case.entering and case.entering[-1] != module.input_size:
        edit = _argument(case, case.step.module, "input_size", module.input_size, case.entering[-1])
        return "hidden-size", [edit]
    if isinstance(module, nn.MultiheadAttention) and case.entering and case.entering[-1] != module.embed_dim:
        return "embed-dim", _attention(case, module)
    return _joint(case)


def _joint(case: Case) -> tuple[str, list[Edit]]:
    """Two tensors that meet: branches that are added, or predictions and targets."""
    inputs = case.step.inputs
    if case.code == "broadcast" and len(inputs) == 2 and all(len(shape) > 3 for shape in inputs):
        edits = _residual(case)
        return ("residual", edits) if edits else (case.code, [])
    if case.step.op in LOSSES and len(inputs) > 1 and all(inputs[:2]) and int(inputs[0][0]) != int(inputs[1][0]):
        return "target-batch", _target(case)
    return case.code, []


def _target(case: Case) -> list[Edit]:
    """As many targets as predictions, where the target is an input of its own."""
    args, wanted = case.setup.args, int(case.step.inputs[0][0])
    came = tuple(map(int, case.step.inputs[1]))
    places = [p for p, arg in enumerate(args) if isinstance(arg, Tensor) and p and tuple(arg.shape) == came]
    if len(places) != 1:
        return []
    place, new = places[0], (wanted, *came[1:])

    def apply(setup: Setup) -> None:
        setup.args[place] = args[place].new_zeros(new)

    text = f"Give targets of the predictions' batch: {show(new)} instead of {show(came)}."
    return [Edit("input", "", "target", came, new, text, apply)]


def _attention(case: Case, module: nn.MultiheadAttention) -> list[Edit]:
    came = case.entering[-1]
    if came % module.num_heads or not module._qkv_same_embed_dim:
        return []
    return [_argument(case, case.step.module, "embed_dim", module.embed_dim, came)]


def _argument(case: Case, path: str, attribute: str, old: Any, new: Any) -> Edit:
    place = constructor_line(case.setup.model, path)
    where = f"In {place}, change" if place else "Change"
    kind = type(case.setup.model.get_submodule(path)).__name__
    text = f"{where} {attribute} of {path or 'the model'} ({kind}) from {old} to {new}."
    return Edit("argument", path, attribute, old, new, text, resize(path, attribute, new))


def _input(case: Case, attribute: str, call: str, change: Any) -> Edit:
    old = case.first_input
    assert old is not None
    new = tuple(change(old).shape)
    text = f"Where the model is called, give it {call}: an input of {show(new)} instead of {show(tuple(old.shape))}."
    return Edit("input", "", attribute, tuple(old.shape), new, text, change_input(change))


def _linear(case: Case, module: nn.Linear) -> tuple[str, list[Edit]]:
    path, entering = case.step.module, case.entering
    edits = [_argument(case, path, "in_features", module.in_features, entering[-1])] if entering else []
    if not _is_map(case):
        lost = _batch_edits(case)
        sizes = _other_sizes(case)
        # a number that fits one of these sizes was written for it; any other size that fits comes after the argument
        known = [edit for edit in sizes if edit.new[-1] in WRITTEN_FOR]
        edits = [*known, *edits, *(edit for edit in sizes if edit not in known)]
        return ("missing-batch", [*lost, *edits]) if lost else ("in-features", edits)
    place = f" (it is called at {case.step.source})" if case.step.source else ""
    text = f"Insert torch.flatten(x, 1) before {path or 'the layer'}{place}: it takes rows, and {show(entering)} came."
    insert = Edit("insert", path, "flatten", None, "torch.flatten(x, 1)", text, flatten_before(path))
    return "missing-flatten", [insert]


def _is_map(case: Case) -> bool:
    """Whether what came still has its spatial places: by its rank, and by the convolution it comes from."""
    if len(case.entering) < 3:
        return False
    step = case.step
    while step.parents:
        step = case.steps[step.parents[0]]
        if step.op.startswith("conv"):
            return True
        if step.op not in KEEPS_PLACES:
            return False
    width = 1
    for size in case.entering[1:]:
        width *= size
    return len(case.entering) == 4 or width == case.module.in_features


def _batch_edits(case: Case) -> list[Edit]:
    """A batch put before an input that a first convolution took for one sample."""
    first, value = case.steps[0], case.first_input
    if value is None or not first.op.startswith("conv") or len(first.inputs) < 2:
        return []
    if len(first.inputs[0]) != len(first.inputs[1]) - 1 or value.dim() != len(first.inputs[0]):
        return []
    return [_input(case, "batch", "a batch, x.unsqueeze(0)", lambda x: x.unsqueeze(0))]


def _convolution(case: Case, module: Any) -> tuple[str, list[Edit]]:
    entering, full = case.entering, len(module.kernel_size) + 2
    wanted, value = module.in_channels, case.first_input
    direct = value is not None and not case.step.parents and tuple(value.shape) == entering
    if case.code == "kernel-too-large":
        return case.code, _other_sizes(case)
    if direct and len(entering) == full - 2:
        return "missing-batch", [_input(case, "batch", "a batch and a channel, x[None, None]", lambda x: x[None, None])]
    if direct and len(entering) == full - 1 and case.code == "in-channels" and wanted == 1:
        return "missing-channel", [_input(case, "channel", "a channel, x.unsqueeze(1)", lambda x: x.unsqueeze(1))]
    if direct and len(entering) == full and entering[-1] == wanted != entering[1]:
        order = (0, full - 1, *range(1, full - 1))
        call = f"the channels second, x.permute{show(order)}"
        return "channels-last", [_input(case, "layout", call, lambda x: x.permute(order))]
    if case.code != "in-channels":
        return case.code, []
    came = entering[-(full - 1)]
    edits = [_argument(case, case.step.module, "in_channels", wanted, came)] if came % module.groups == 0 else []
    if direct:
        axis = -(full - 1)
        edits.append(_input(case, "channels", f"{wanted} channels", partial(_resized, axes={axis: wanted})))
    return "in-channels", edits


def _normalisation(case: Case, module: Any) -> tuple[str, list[Edit]]:
    if case.code != "num-features":
        return case.code, []
    path, entering = case.step.module, case.entering
    if isinstance(module, nn.LayerNorm):
        old, new = module.normalized_shape, entering[-len(module.normalized_shape) :]
        return case.code, [_argument(case, path, "normalized_shape", old, new)]
    name = "num_channels" if isinstance(module, nn.GroupNorm) else "num_features"
    return case.code, [_argument(case, path, name, getattr(module, name), entering[1])]


def _residual(case: Case) -> list[Edit]:
    """Padding of the convolution that shrank a branch, or the channels of the one that changed the width."""
    edits = []
    for place, parent in enumerate(case.step.parents[:2]):
        step = case.steps[parent]
        while not step.op.startswith("conv") and step.parents:
            step = case.steps[step.parents[0]]
        other = case.step.inputs[1 - place] if len(case.step.parents) == 2 else step.inputs[0]
        if not step.op.startswith("conv") or not isinstance(case.setup.model, nn.Module):
            continue
        module: Any = case.setup.model.get_submodule(step.module)
        if not isinstance(module, CONVS):
            continue
        half = tuple((k - 1) // 2 for k in module.kernel_size)
        if module.padding != half and any(half):
            edits.append(_argument(case, step.module, "padding", module.padding, half))
        if module.out_channels != int(other[1]):
            edits.append(_argument(case, step.module, "out_channels", module.out_channels, int(other[1])))
    return edits


def _other_sizes(case: Case) -> list[Edit]:
    """Square inputs of common sizes, where the input is a batch of images, and for a large kernel the smallest."""
    value = case.first_input
    if value is None or value.dim() < 4 or not value.is_floating_point():
        return []
    low = range(min(value.shape[2:]) + 1, 65) if case.code == "kernel-too-large" else SIZES
    axes = range(2, value.dim())
    return [
        _input(case, "size", f"sizes of {size}", partial(_resized, axes=dict.fromkeys(axes, size)))
        for size in low
        if any(value.shape[axis] != size for axis in axes)
    ]


def _resized(value: Tensor, axes: dict[int, int]) -> Tensor:
    shape = list(value.shape)
    for axis, size in axes.items():
        shape[axis] = size
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(value)
