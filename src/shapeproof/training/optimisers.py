"""Optimisers, and how their rates rise and fall."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from shapeproof.training.kernels import output_of
from shapeproof.training.recipes import Recipe

# Newton-Schulz coefficients (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): a steep slope at zero
# matters more than meeting one exactly; singular values end between about 0.7 and 1.2.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)
NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def orthogonalised(matrix: Tensor, steps: int = 5, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """The nearest matrix ``(m, n)`` whose singular values are all near one, by Newton-Schulz iteration.

    Each step multiplies ``x`` by a polynomial in ``x @ x.T``, and all of these commute; so the iteration runs on that
    small square alone, in float32, and the long side is met twice, in ``dtype``. A third of the arithmetic of iterating
    on ``x`` itself, and nearer to what float32 throughout would give.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.size(0) > matrix.size(1)
    x = matrix.T if tall else matrix
    x = (x / (x.norm() + 1e-7)).to(dtype)
    square = (x @ x.T).float()
    product = torch.eye(len(square), device=x.device)
    for step in range(steps):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor @ product
        if step + 1 < steps:
            square = factor @ square @ factor
    result: Tensor = product.to(dtype) @ x
    return result.T if tall else result


class Muon(torch.optim.Optimizer):
    """Momentum whose step is orthogonalised, for the kernels of convolutions (Jordan et al. 2024).

    Each kernel is brought to the norm ``sqrt(out_channels)`` before its step: that changes nothing where a
    normalisation follows, and keeps the rate's meaning constant.

    Args:
        params: Kernels ``(out_channels, in_channels, kH, kW)``; each is taken as a matrix ``(out_channels, the rest)``.
        lr: Learning rate, greater than 0.
        momentum: In [0, 1); Nesterov's form.
        dtype: Arithmetic of the iteration.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, momentum: float = 0.6, dtype: torch.dtype = torch.bfloat16
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step; ``closure`` is not used."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is not None:
                    self._step_one(kernel, kernel.grad, group["lr"], group["momentum"])

    def _step_one(self, kernel: Tensor, gradient: Tensor, lr: float, momentum: float) -> None:
        state = self.state[kernel]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(kernel)
        state["momentum_buffer"].mul_(momentum).add_(gradient)
        step = gradient.add(state["momentum_buffer"], alpha=momentum)
        kernel.mul_(len(kernel) ** 0.5 / kernel.norm().clamp_min(1e-12))
        update = orthogonalised(_as_stored(step).flatten(1), dtype=self.dtype)
        rows = _as_stored(kernel)
        rows.add_(update.view(rows.shape), alpha=-lr)


def _as_stored(kernel: Tensor) -> Tensor:
    """A kernel with its dimensions in the order of memory: the order of a matrix's columns does not matter here."""
    stored = kernel.dim() == 4 and kernel.is_contiguous(memory_format=torch.channels_last)
    return kernel.permute(0, 2, 3, 1) if stored else kernel


def build(model: nn.Module, recipe: Recipe, x: Tensor, *, bfloat16: bool) -> list[torch.optim.Optimizer]:
    """The recipe's optimisers over a model's parameters; each parameter that is trained belongs to exactly one.

    Args:
        model: The network, already on its device; it is left as it was.
        recipe: Which optimiser, and its rates.
        x: An input ``(N, C, H, W)``, which shows which convolutions a normalisation follows.
        bfloat16: Whether the device is quick at bfloat16, which Muon then uses inside.
    """
    options: dict[str, Any] = {"fused": True} if recipe.fast_kernels else {}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if recipe.optimiser == "adam":
        return [torch.optim.Adam(trained, lr=recipe.learning_rate, betas=recipe.betas, **options)]
    options["weight_decay"] = recipe.weight_decay
    kernels = normalised_kernels(model, x) if recipe.optimiser == "muon" else []
    chosen = {id(kernel) for kernel in kernels}
    rest = [parameter for parameter in trained if id(parameter) not in chosen]
    optimisers: list[torch.optim.Optimizer] = []
    if kernels:
        dtype = torch.bfloat16 if bfloat16 else torch.float32
        optimisers.append(Muon(kernels, recipe.muon_learning_rate, recipe.muon_momentum, dtype))
    if rest:
        optimisers.append(torch.optim.AdamW(rest, lr=recipe.learning_rate, betas=recipe.betas, **options))
    return optimisers


def normalised_kernels(model: nn.Module, x: Tensor) -> list[Tensor]:
    """The kernels that Muon serves: larger than 1x1, ungrouped, directly followed by a normalisation, not the first.

    Muon's step has the same size in every direction. A network that nothing brings back to scale afterwards does not
    survive that, and kernels of 1x1 learn less by it (docs/recipes.md has the figures).

    Args:
        model: It is run once, in evaluation mode, and left as it was.
        x: An input ``(N, C, H, W)``.
    """
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    without = set(unnormalised(model, x))
    return [m.weight for m in convolutions[1:] if m not in without and _served(m)]


def unnormalised(model: nn.Module, x: Tensor) -> list[nn.Module]:
    """The convolutions and linear layers whose output no normalisation takes up directly; arguments as above."""
    made: dict[int, tuple[nn.Module, Tensor]] = {}  # by the output's id; the output is kept, so that it stays unique
    followed: set[nn.Module] = set()

    def look(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if isinstance(module, NORMALISATIONS) and inputs and id(inputs[0]) in made:
            followed.add(made[id(inputs[0])][0])
        if isinstance(module, WEIGHTED) and isinstance(output, Tensor):
            made[id(output)] = module, output

    with nn.modules.module.register_module_forward_hook(look):
        output_of(model, x)
    return [m for m in model.modules() if isinstance(m, WEIGHTED) and m not in followed]


def _served(conv: nn.Conv2d) -> bool:
    return conv.groups == 1 and conv.kernel_size != (1, 1) and conv.weight.requires_grad


def rate(recipe: Recipe, step: int, total: int) -> float:
    """The factor on every learning rate at a step (from 0) of ``total``: in (0, 1]."""
    if recipe.schedule == "constant":
        return 1.0
    rising = (step + 1) / (recipe.warmup * total) if recipe.warmup else 1.0
    falling = (1 - step / total) / (1 - recipe.warmup)
    return min(rising, 1.0) * min(falling, 1.0)


def set_rate(optimisers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every rate to its own peak times ``factor``."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            peak = group.setdefault("initial_lr", group["lr"])
            group["lr"] = peak * factor


@torch.no_grad()
def take_step(optimiser: torch.optim.Optimizer) -> None:
    """One step of an optimiser, without the wrappers that torch puts around it for its compiler and profiler.

    The outermost imports the compiler at the first step, which takes over a second; the arithmetic is the innermost's.
    """
    inspect.unwrap(type(optimiser).step)(optimiser)
