"""Which trained network is used: a run's, or the one that the package ships."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shapeproof.errors import UsageError

if TYPE_CHECKING:
    from shapeproof.serving.judge import Judge
    from shapeproof.training.run import Run

PRETRAINED = "pretrained"  # how the command line names the shipped network
SHIPPED = Path(__file__).parent / "pretrained"
JUDGE = "judge.safetensors"
DIGITS = tuple("0123456789")


def need(extra: str, *modules: str) -> None:
    """Make sure that the packages of an extra are installed.

    Raises:
        UsageError: Naming the extra that brings the first one missing.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            missing = module.partition(".")[0]
            raise UsageError(
                f"this needs {missing}, which is not installed: pip install 'shapeproof[{extra}]'"
            ) from error


def open_run(name: str | Path | None) -> Run:
    """The run in a directory, or the shipped one for ``None`` or ``"pretrained"``, its network built.

    Raises:
        UsageError: If it is no run, has no weights, or those of another network.
    """
    from shapeproof.training.run import RECORD, load_run

    shipped = name is None or (str(name) == PRETRAINED and not (Path(name) / RECORD).is_file())
    run = load_run(SHIPPED if shipped else Path(str(name)))
    assert run.model is not None  # built now, so that what is wrong with it is said now
    return run


def title(run: Run) -> str:
    """How a run is called before a user: its directory, or that it is the shipped one."""
    return "the network that shapeproof ships" if run.path == SHIPPED else str(run.path)


def reads_digits(run: Run) -> bool:
    """Whether a run's network tells the ten digits apart on grey pictures of 28x28."""
    wanted = run.preparation
    return run.classes == DIGITS and (wanted.channels, wanted.height, wanted.width) == (1, 28, 28)


@cache
def judge() -> Judge:
    """The shipped network that tells digits from what is none, in evaluation mode."""
    from shapeproof.serving.judge import Judge
    from shapeproof.training.files import read_tensors
    from shapeproof.training.run import put_weights

    model = Judge()
    put_weights(model, read_tensors(SHIPPED / JUDGE), SHIPPED / JUDGE)
    return model.eval()
