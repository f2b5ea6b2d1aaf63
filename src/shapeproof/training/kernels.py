"""The same mathematics, sooner: memory layout, the order of ReLU and pooling, few places, bfloat16, the allocator."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import platform
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from shapeproof.training.dense import dense_where_small
from shapeproof.training.modes import in_mode


def processor_flags() -> frozenset[str]:
    """What the processor says it can do, on Linux; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def processor_name() -> str:
    """The processor's own name, or what Python knows of it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def quick_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 arithmetic is done by the device itself; emulated, it would be slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool({"avx512_bf16", "amx_bf16", "bf16"} & processor_flags())
    return False


def best_device() -> torch.device:
    """CUDA where there is one, else MPS, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def runs_channels_last(model: nn.Module, x: Tensor) -> bool:
    """Whether a model still runs with its tensors laid out channels last; a flattening ``view`` may forbid it.

    Args:
        model: Left as it is; a copy is tried.
        x: An input ``(N, C, H, W)``.
    """
    trial = copy.deepcopy(model)
    trial.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        output_of(trial, x.contiguous(memory_format=torch.channels_last))
    except RuntimeError:
        return False
    return True


def _pairs(model: nn.Module) -> list[tuple[nn.Sequential, int]]:
    """Where a plain ``Sequential`` has ReLU directly before max pooling."""
    found = []
    for module in model.modules():
        if type(module) is nn.Sequential:
            for at in range(len(module) - 1):
                relu, pool = module[at], module[at + 1]
                if type(relu) is nn.ReLU and isinstance(pool, nn.MaxPool2d) and not pool.return_indices:
                    found.append((module, at))
    return found


def _swap(pairs: list[tuple[nn.Sequential, int]]) -> None:
    for sequence, at in pairs:
        sequence[at], sequence[at + 1] = sequence[at + 1], sequence[at]


@contextlib.contextmanager
def pooled_first(model: nn.Module, sample: Tensor) -> Iterator[int]:
    """Inside, pooling comes before ReLU wherever one directly follows the other; yields how many times.

    The largest of rectified values is the rectified largest, bit for bit, and the gradient takes the same way; only
    the rectifier has a quarter of the work. Neither has weights, so the state dictionary keeps its names. A model that
    reads its layers in some way of its own is left alone: the outputs on ``sample`` must be the same bits.
    """
    pairs = _pairs(model)
    if pairs:
        before = output_of(model, sample)
        _swap(pairs)
        if not torch.equal(before, output_of(model, sample)):
            _swap(pairs)
            pairs = []
    try:
        yield len(pairs)
    finally:
        _swap(pairs)


@contextlib.contextmanager
def sooner(model: nn.Module, sample: Tensor, *, wanted: bool) -> Iterator[None]:
    """Inside, where wanted, the model computes the same in a quicker order; outside it is as it was.

    Args:
        model: Its weights, names and hooks stay.
        sample: An input on which the quicker order is tried.
        wanted: Without it nothing is done.
    """
    with contextlib.ExitStack() as ways:
        if wanted:
            ways.enter_context(pooled_first(model, sample))
            ways.enter_context(dense_where_small(model))
        yield


def output_of(model: nn.Module, sample: Tensor) -> Tensor:
    """What the model gives in evaluation mode, without gradients; its mode is put back."""
    with torch.no_grad(), in_mode(model, training=False):
        out: Tensor = model(sample)
    return out


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed buffers for the next step instead of handing them back to the system.

    Returns:
        Whether it was asked; False where the C library is another.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    return bool(mallopt(mmap_threshold, 1 << 30) and mallopt(trim_threshold, (1 << 31) - 1))


def leave_compiler_unloaded() -> None:
    """Keep torch's optimisers from importing the compiler, which takes over a second and is not used.

    Four methods of ``Optimizer`` are marked as not to be compiled, and on their first call import the compiler only to
    say so. Saying it ourselves leaves nothing to import. For a process of our own only; where torch does it otherwise,
    nothing happens.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        inner = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if inner is not None and not hasattr(inner, "__dynamo_disable"):
            setattr(inner, "__dynamo_disable", inner)  # written out, Python would take the name for a private one
