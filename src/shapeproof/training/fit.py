"""Does the network fit the data? Asked, by derivation, before a single step is taken."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from shapeproof.errors import ShapeproofError, UsageError
from shapeproof.training.modes import in_mode
from shapeproof.training.optimisers import unnormalised
from shapeproof.training.preparation import Preparation, measured
from shapeproof.training.recipes import Recipe

if TYPE_CHECKING:
    from shapeproof.data.dataset import DataSet


CLASS_ARGUMENTS = ("num_classes", "n_classes", "classes", "nclasses", "num_labels", "n_class", "out_features")
# AdamW's rate times the layers without normalisation that a network is given at most: with more than that, networks of
# four to twelve such layers learnt worse or nothing in one epoch of MNIST (docs/recipes.md).
BARE_RATE = 0.06
LEAST_SMALL = 16  # rows and columns that a picture must keep where it is shown small at first
MOST_CUT = 0.8  # what must remain of the rows and of the columns where a margin is cut off


class DoesNotFitError(ShapeproofError):
    """The network cannot run on the data's pictures, or its output does not suit their classes."""


@dataclass(frozen=True)
class Fit:
    """How the data reaches the network.

    Attributes:
        preparation: What is done to every picture.
        notes: What the user should know about it.
    """

    preparation: Preparation
    notes: tuple[str, ...]


def fitted(model: nn.Module, data: DataSet, recipe: Recipe) -> Fit:
    """Derive the network on the data's real shape.

    Raises:
        DoesNotFitError: With the derivation's explanation, or with the two numbers of classes that differ.
        UsageError: If there are no training pictures.
    """
    if not len(data.train_labels):
        raise UsageError(f"{data.name} has no training pictures")
    whole = measured(data.train_images, normalise=recipe.normalise, margin=0)
    notes = []
    chosen = whole
    if recipe.margin and (1 - MOST_CUT) * min(whole.height, whole.width) >= 2 * recipe.margin:
        cut = Preparation(**{**vars(whole), "margin": recipe.margin})
        if _derived(model, cut).verdict != "failed":
            chosen = cut
            notes.append(
                f"pictures are cut to {cut.shape[1]}x{cut.shape[2]}: the network runs on that, and it is quicker"
            )
        else:
            notes.append(f"pictures stay whole: the network does not run on {cut.shape[1]}x{cut.shape[2]}")
    derivation = _derived(model, chosen)
    if derivation.verdict == "failed":
        raise DoesNotFitError(
            f"{type(model).__name__} cannot run on {data.name}, whose pictures are {whole.spec}\n\n"
            f"{derivation.to_text()}{_other_pictures(model, whole)}"
        )
    _check_classes(model, derivation.output, data)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError(f"{type(model).__name__} has no weights that can be trained")
    return Fit(chosen, tuple(notes))


def suited(model: nn.Module, preparation: Preparation, recipe: Recipe) -> tuple[Recipe, list[str]]:
    """The recipe without what this network does not bear, and what the user should know about it.

    Given the recipe that comes out, it is the same again.

    Args:
        model: With all its weights: a lazy layer would take any size.
        preparation: What it reads.
        recipe: As asked for.
    """
    notes = []
    if recipe.optimiser == "muon":
        bare = len(unnormalised(model, sample(preparation, 2)))
        most = round(BARE_RATE / max(1, bare), 6)
        if recipe.learning_rate > most:
            notes.append(
                f"{bare} layers have no normalisation after them: AdamW's rate is {most:g} instead of "
                f"{recipe.learning_rate:g} (--optimizer adamw takes any)"
            )
            recipe = recipe.with_changes(learning_rate=most)
    if recipe.small_first:
        recipe, note = _small_first(model, preparation, recipe)
        notes.append(note)
    return recipe, notes


def _small_first(model: nn.Module, preparation: Preparation, recipe: Recipe) -> tuple[Recipe, str]:
    channels, height, width = preparation.small_shape
    if min(height, width) < LEAST_SMALL:
        why = f"{height}x{width} would be very little"
    elif _derived(model, Preparation(channels, height, width)).verdict == "failed":
        why = f"the network does not run on {height}x{width}"
    else:
        share = f"the first {100 * recipe.small_first:.0f} % of the steps"
        return recipe, f"{share} show pictures at {height}x{width}: the network runs on that, and it is quicker"
    return recipe.with_changes(small_first=0.0), f"pictures are shown at their full size from the start: {why}"


@contextlib.contextmanager
def explained_in_training(model: nn.Module, preparation: Preparation, counts: Iterable[int]) -> Iterator[None]:
    """Turn an exception of a network that runs on two pictures, but not in training, into its explanation.

    Args:
        model: The network.
        preparation: What it reads.
        counts: How many pictures a step has: most steps, and the last one of an epoch.

    Raises:
        DoesNotFitError: If the network, derived in training mode on one of these counts, fails. Whatever else went
            wrong is let through.
    """
    try:
        yield
    except ShapeproofError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        for count in counts:
            derivation = _derived(model, preparation, count, training=True)
            if derivation.verdict == "failed":
                name, shape = type(model).__name__, (count, *preparation.shape)
                single = (
                    "\nThe last batch of an epoch is a single picture: give --drop-last, or another --batch-size."
                    if count == 1
                    else ""
                )
                raise DoesNotFitError(
                    f"{name} cannot be trained on a batch of {shape}\n\n{derivation.to_text()}{single}"
                ) from error
        raise


def _other_pictures(model: nn.Module, whole: Preparation) -> str:
    """The options that would bring the pictures to a shape on which the network runs, tried; empty without one."""
    for channels in sorted({1, 3}, key=lambda count: count != whole.channels):
        shape = (channels, whole.height, whole.width)
        derivation = _derived(model, Preparation(*shape))
        if derivation.verdict == "failed":
            fixes = derivation.diagnosis.fixes if derivation.diagnosis else ()
            inputs = [fix.new for fix in fixes if fix.kind == "input" and fix.proved and not fix.also]
            found = next((new[1:] for new in inputs if len(new) == 4 and new[0] == 2 and new[1] in (1, 3)), None)
            if found is None:
                continue
            shape = found
        colour = {1: "--colour grey", 3: "--colour rgb"}[shape[0]] if shape[0] != whole.channels else ""
        size = f"--image-size {shape[1]}x{shape[2]}" if shape[1:] != (whole.height, whole.width) else ""
        options = " ".join(option for option in (colour, size) if option)
        return (
            f"\nOr change the pictures: the network runs on {Preparation(*shape).spec}, which {options} makes of them."
        )
    return ""


def _derived(model: nn.Module, preparation: Preparation, count: int = 2, *, training: bool = False) -> Any:
    """The derivation for ``count`` pictures, in evaluation mode unless asked; the model's mode is put back."""
    from shapeproof import derive

    with in_mode(model, training=training):
        return derive(model, (count, *preparation.shape))


def _check_classes(model: nn.Module, output: Any, data: DataSet) -> None:
    name, wanted = type(model).__name__, len(data.classes)
    try:
        shape = tuple(int(size) for size in output)
    except (TypeError, ValueError):
        raise DoesNotFitError(f"{name} gives {output}; a classifier gives one tensor (N, {wanted})") from None
    if len(shape) != 2 or shape[0] != 2:
        raise DoesNotFitError(f"{name} gives {('N', *shape[1:])}; a classifier of {data.name} gives (N, {wanted})")
    if shape[1] == wanted:
        return
    head = _head(model, shape[1])
    fix = f"make {head} {wanted} wide" if head else f"let its last layer give {wanted}"
    if argument := _classes_argument(model):
        fix += f" (its constructor takes it: --set {argument}={wanted})"
    raise DoesNotFitError(
        f"{name} tells {shape[1]} classes apart, but {data.name} has {wanted} ({_few(data.classes)}): {fix}"
    )


def _head(model: nn.Module, width: int) -> str | None:
    """The last linear layer that gives the output's width, by its path and argument."""
    found = [path for path, m in model.named_modules() if isinstance(m, nn.Linear) and m.out_features == width]
    return f"out_features of {found[-1]!r}" if found else None


def _classes_argument(model: nn.Module) -> str | None:
    """The constructor's argument for the number of classes, by the usual names."""
    with contextlib.suppress(TypeError, ValueError):
        names = inspect.signature(type(model)).parameters
        return next((name for name in names if name in CLASS_ARGUMENTS), None)
    return None


def _few(classes: tuple[str, ...]) -> str:
    return ", ".join(classes) if len(classes) <= 12 else f"{', '.join(classes[:10])}, ... {classes[-1]}"


def sample(preparation: Preparation, count: int) -> torch.Tensor:
    """Random pictures ``float32 (count, *shape)`` in the network's own format, from a stream of their own."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, *preparation.shape, generator=generator)
