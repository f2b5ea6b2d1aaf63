"""Several processes, one run: the same batches, the same sums, the same weights.

What is kept equal, whatever the number of processes: the global batch and its order, every random choice, the mean loss
over the whole batch, and batch normalisation's mean and variance, which are taken over the whole batch too (the
convention of ``SyncBatchNorm``, on the processor as well). Only the order of additions differs, hence float rounding.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from shapeproof.errors import ShapeproofError, UsageError


class ProcessLostError(ShapeproofError):
    """Another process of the run has gone; training cannot go on."""


@dataclass(frozen=True)
class World:
    """This process among the processes of a run.

    Attributes:
        rank: From 0; rank 0 writes and speaks.
        size: How many there are.
        device: Where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0


def launched_size() -> int:
    """How many processes a launcher (``torchrun``, ``accelerate launch``) has started: ``WORLD_SIZE``, 1 without one.

    Raises:
        UsageError: If the launcher's variables contradict each other.
    """
    names = ("WORLD_SIZE", "RANK", "LOCAL_RANK")
    given = {name: os.environ[name] for name in names if name in os.environ}
    if "WORLD_SIZE" not in given:
        if "RANK" in given:
            raise UsageError(
                "RANK is set but WORLD_SIZE is not; start several processes with `torchrun --nproc-per-node N`"
            )
        return 1
    try:
        numbers = {name: int(value) for name, value in given.items()}
    except ValueError:
        raise UsageError(f"a launcher's variables must be whole numbers, got {given}") from None
    if not 0 <= numbers.get("RANK", -1) < numbers["WORLD_SIZE"]:
        raise UsageError(
            f"WORLD_SIZE={given['WORLD_SIZE']} needs RANK from 0 to one less, got {given.get('RANK', 'none')}"
        )
    return numbers["WORLD_SIZE"]


@contextlib.contextmanager
def joined(device: torch.device, timeout_seconds: float = 120.0) -> Iterator[World]:
    """Join the other processes, where a launcher has started any; leave them at the end.

    Args:
        device: The kind of device wanted; with CUDA each process takes the one of its ``LOCAL_RANK``.
        timeout_seconds: How long to wait for the others before giving up.
    """
    size = launched_size()
    if size == 1:
        yield World(0, 1, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    ours = not distributed.is_initialized()
    if ours:
        limit = datetime.timedelta(seconds=timeout_seconds)
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=limit)
    try:
        yield World(distributed.get_rank(), size, device)
    finally:
        if ours:
            distributed.destroy_process_group()


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn the failure of a collective operation into :class:`ProcessLostError`."""
    try:
        yield
    except RuntimeError as error:
        signs = ("Connection closed", "Connection reset", "Timed out", "gloo", "NCCL", "Broken pipe", "socketPoll")
        if not any(sign in str(error) for sign in signs):
            raise
        first = str(error).strip().splitlines()[0]
        raise ProcessLostError(f"another process of this run has ended ({first})") from error


class _SumOver(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = x.detach().clone()
        distributed.all_reduce(out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        out = gradients[0].clone()
        distributed.all_reduce(out)
        return out


def summed(x: Tensor) -> Tensor:
    """The sum of ``x`` over all processes, for autograd too."""
    result: Tensor = _SumOver.apply(x)  # type: ignore[no-untyped-call]
    return result


def _synced_forward(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Batch normalisation with the mean and the variance of the whole batch; two passes, for the sake of rounding."""
    if not norm.training:
        return type(norm).forward(norm, x)
    shape = [1, -1, *[1] * (x.dim() - 2)]
    dims = [d for d in range(x.dim()) if d != 1]
    wide = x.float()
    count = x.numel() // max(1, x.shape[1])
    totals = summed(torch.cat([wide.sum(dims), wide.new_tensor([float(count)])]))
    total = totals[-1].detach()
    mean = totals[:-1] / total
    centred = wide - mean.view(shape)
    variance = summed(centred.square().sum(dims)) / total
    _track(norm, mean.detach(), variance.detach() * (total / (total - 1).clamp_min(1)))
    out = centred * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.weight is not None:
        out = out * norm.weight.view(shape) + norm.bias.view(shape)
    return out.to(x.dtype)


@torch.no_grad()
def _track(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    weight = norm.momentum if norm.momentum is not None else 1.0 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean, weight)
    norm.running_var.lerp_(variance, weight)


@contextlib.contextmanager
def synced_normalisation(model: nn.Module, world: World) -> Iterator[None]:
    """Inside, every batch normalisation of the model is taken over the whole batch of all processes."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)] if world.size > 1 else []
    for norm in norms:
        norm.forward = functools.partial(_synced_forward, norm)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def agree(model: nn.Module, world: World) -> None:
    """Give every process rank 0's weights and buffers."""
    if world.size > 1:
        for tensor in model.state_dict().values():
            distributed.broadcast(tensor, 0)


def sum_gradients(parameters: list[nn.Parameter], extra: Tensor, world: World) -> Tensor:
    """Sum the gradients over all processes, in one message with some further numbers.

    Args:
        parameters: Those that are trained; one without a gradient keeps none, if it has none anywhere.
        extra: ``float32 (k,)``: loss, hits, whether to stop: whatever must be summed as well.
        world: The processes.

    Returns:
        The summed ``extra``.
    """
    if world.size == 1:
        return extra
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([extra, *[gradient.float().reshape(-1) for gradient in gradients]])
    distributed.all_reduce(flat)
    at = len(extra)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        gradient.copy_(flat[at : at + gradient.numel()].view(gradient.shape))
        parameter.grad = gradient
        at += gradient.numel()
    return flat[: len(extra)]


def sum_numbers(numbers: Tensor, world: World) -> Tensor:
    """The sum of a small tensor over all processes."""
    if world.size > 1:
        distributed.all_reduce(numbers)
    return numbers
