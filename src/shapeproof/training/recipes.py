"""Recipes: everything that decides how a network is trained, as plain data."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapeproof.errors import UsageError

OPTIMISERS = ("adam", "adamw", "muon")
SCHEDULES = ("constant", "linear")
PRECISIONS = ("float32", "auto")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Two runs of one recipe, seed, data set, machine and thread count give the same weights.

    Attributes:
        name: What the recipe is called in records and tables.
        epochs: Passes over the training images; fractions are allowed, greater than 0.
        batch_size: Pictures a step, over all processes together, at least 1.
        optimiser: ``"adam"``, ``"adamw"``, or ``"muon"``: Muon on the kernels of convolutions that a normalisation
            follows directly (not the first one, nor grouped ones or 1x1), AdamW on the rest.
        learning_rate: Peak rate of Adam or AdamW, greater than 0. With Muon beside it AdamW takes less in a network
            with many layers that no normalisation follows, and training says so.
        betas: Decay rates of Adam's two running means, each in [0, 1).
        weight_decay: AdamW's decoupled weight decay, at least 0.
        muon_learning_rate: Peak rate of Muon, greater than 0 where Muon is used.
        muon_momentum: Muon's momentum, in [0, 1).
        label_smoothing: Share of each target spread over all classes, in [0, 1).
        schedule: ``"constant"``, or ``"linear"``: up over the warm-up, then down to zero in a straight line.
        warmup: Share of all steps over which the rate rises, in [0, 1).
        normalise: Whether pictures are shifted and scaled to mean 0 and deviation 1; otherwise only divided by 255.
        margin: Pixels cut off each side of a picture where the network can do without them, at least 0. Training cuts
            at a random place near the middle, testing in the middle.
        small_first: Share of all steps, the first of them, that show pictures at two thirds of their height and width,
            in [0, 1); only where the network runs on such. Most of what is learnt early shows at that size too, for
            less than half of the work.
        shift: Pixels by which a training picture is moved at most, at least 0.
        rotation: Degrees by which it is turned at most, at least 0.
        scale: Share by which it is stretched at most, per axis, in [0, 1).
        shear: Horizontal shear at most, at least 0.
        flip: Whether half of the training pictures are mirrored; right for photographs, wrong for digits and letters.
        drop_last: Whether pictures that do not fill the last batch of an epoch are left out of that epoch.
        precision: ``"float32"``, or ``"auto"``: bfloat16 arithmetic (float32 weights) where the processor has it.
        fast_kernels: Whether to use channels-last memory, pooling before ReLU, one matrix product where a kernel lies
            mostly over padding (the same sums, sooner) and fused optimisers. Without it every operation runs as it is
            written.
        average: Decay of an exponential running mean of the weights, which then is the result; 0 for none.
        recalibrate: Training pictures, neither moved nor turned, over which batch normalisation takes its statistics
            anew at the end, at least 0; testing then meets the statistics of such pictures. 0 for none.
        patience: Epochs without a better validation accuracy after which training stops; 0 for never.
    """

    name: str = "custom"
    epochs: float = 5.0
    batch_size: int = 100
    optimiser: str = "adam"
    learning_rate: float = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    muon_learning_rate: float = 0.0
    muon_momentum: float = 0.6
    label_smoothing: float = 0.0
    schedule: str = "constant"
    warmup: float = 0.0
    normalise: bool = False
    margin: int = 0
    small_first: float = 0.0
    shift: int = 0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    flip: bool = False
    drop_last: bool = False
    precision: str = "float32"
    fast_kernels: bool = False
    average: float = 0.0
    recalibrate: int = 0
    patience: int = 0

    def __post_init__(self) -> None:
        for field, wrong, wanted in self._faults():
            if wrong:
                given = getattr(self, field)
                raise UsageError(f"recipe {self.name!r}: {field} = {given!r}, but it must be {wanted}")

    def _faults(self) -> list[tuple[str, bool, str]]:
        """Each field with a limit, whether it breaks it, and the limit in words."""
        return [
            ("epochs", not 0 < self.epochs < math.inf, "greater than 0"),
            ("batch_size", self.batch_size < 1, "at least 1"),
            ("optimiser", self.optimiser not in OPTIMISERS, f"one of {', '.join(OPTIMISERS)}"),
            ("learning_rate", not 0 < self.learning_rate < math.inf, "greater than 0"),
            ("betas", not all(0 <= beta < 1 for beta in self.betas), "two numbers from 0 to less than 1"),
            ("weight_decay", not 0 <= self.weight_decay < math.inf, "at least 0"),
            (
                "muon_learning_rate",
                self.optimiser == "muon" and not 0 < self.muon_learning_rate < math.inf,
                "greater than 0 with muon",
            ),
            ("muon_momentum", not 0 <= self.muon_momentum < 1, "from 0 to less than 1"),
            ("label_smoothing", not 0 <= self.label_smoothing < 1, "from 0 to less than 1"),
            ("schedule", self.schedule not in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
            ("warmup", not 0 <= self.warmup < 1, "from 0 to less than 1"),
            ("margin", self.margin < 0, "at least 0"),
            ("small_first", not 0 <= self.small_first < 1, "from 0 to less than 1"),
            ("shift", self.shift < 0, "at least 0"),
            ("rotation", not 0 <= self.rotation <= 180, "from 0 to 180"),
            ("scale", not 0 <= self.scale < 1, "from 0 to less than 1"),
            ("shear", not 0 <= self.shear < math.inf, "at least 0"),
            ("precision", self.precision not in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            ("average", not 0 <= self.average < 1, "from 0 to less than 1"),
            ("recalibrate", self.recalibrate < 0, "at least 0"),
            ("patience", self.patience < 0, "at least 0"),
        ]

    @property
    def warps(self) -> bool:
        """Whether training pictures are turned, stretched or sheared, and not only moved by whole pixels."""
        return bool(self.rotation or self.scale or self.shear)

    def with_changes(self, **changes: Any) -> Recipe:
        """This recipe with some fields changed; a field given as ``None`` stays as it is.

        Raises:
            UsageError: If there is no such field, or a value is outside its range.
        """
        given = {field: value for field, value in changes.items() if value is not None}
        return from_dict({**self.to_dict(), **given})

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return {**dataclasses.asdict(self), "betas": list(self.betas)}

    def __str__(self) -> str:
        fields = dataclasses.fields(self)
        width = max(len(field.name) for field in fields)
        return "\n".join(f"{field.name:{width}}  {getattr(self, field.name)}" for field in fields)


REFERENCE = Recipe(name="reference")

FAST = Recipe(
    name="fast",
    epochs=1.0,
    batch_size=200,
    optimiser="muon",
    learning_rate=0.02,
    betas=(0.9, 0.99),
    muon_learning_rate=0.14,
    label_smoothing=0.1,
    schedule="linear",
    warmup=0.1,
    normalise=True,
    margin=2,
    small_first=0.25,
    shift=1,
    drop_last=True,
    precision="auto",
    fast_kernels=True,
    recalibrate=2000,
)

BEST = dataclasses.replace(
    FAST,
    name="best",
    epochs=32.0,
    learning_rate=0.003,
    muon_learning_rate=0.02,
    label_smoothing=0.05,
    warmup=0.2,
    margin=0,
    small_first=0.0,
    shift=2,
    rotation=15.0,
    scale=0.15,
    shear=0.2,
)

RECIPES = {recipe.name: recipe for recipe in (REFERENCE, FAST, BEST)}


def from_dict(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values, as :meth:`Recipe.to_dict` writes them.

    Raises:
        UsageError: If a field is unknown, of the wrong kind, or outside its range.
    """
    kinds = {field.name: type(getattr(REFERENCE, field.name)) for field in dataclasses.fields(Recipe)}
    clean: dict[str, Any] = {}
    for field, value in values.items():
        if field not in kinds:
            raise UsageError(f"a recipe has no field {field!r}; it has {', '.join(sorted(kinds))}")
        clean[field] = _as_kind(field, value, kinds[field])
    return Recipe(**clean)


def _as_kind(field: str, value: Any, kind: type) -> Any:
    """Check one field's value against the kind of its default; whole numbers serve as fractions too."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is tuple and isinstance(value, list | tuple) and len(value) == 2:
        return float(value[0]), float(value[1])
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise UsageError(f"recipe field {field} = {value!r}, but it must be of type {kind.__name__}")


def find(recipe: str | Path | Recipe) -> Recipe:
    """A recipe by name, or from a TOML file: ``base = "fast"`` (or another) and the fields that differ.

    Raises:
        UsageError: If there is no such recipe or file, or the file is no recipe.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if str(recipe) in RECIPES:
        return RECIPES[str(recipe)]
    path = Path(recipe)
    if path.suffix != ".toml" and not path.is_file():
        raise UsageError(f"there is no recipe {str(recipe)!r}; known are {', '.join(RECIPES)}, or a .toml file")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not a TOML file: {error}") from error
    base = values.pop("base", "reference")
    if base not in RECIPES:
        raise UsageError(f"{path}: base = {base!r}, but it must be one of {', '.join(RECIPES)}")
    return from_dict({**RECIPES[base].to_dict(), "name": path.stem, **values})
