"""shapeproof: derive every tensor shape of a PyTorch model by formula, prove it, explain errors, and train.

Importing this package loads neither torch nor numpy; each name is loaded from its module when it is first used,
``derive`` at once where the program has loaded torch already.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from shapeproof.collector import uncollected

__version__ = "0.1.0"

# name -> module that defines it. One table, so that `import shapeproof` costs nothing.
_EXPORTS = {
    "SpecError": "shapeproof.errors",
    "DomainError": "shapeproof.errors",
    "UsageError": "shapeproof.errors",
    "ShapeproofError": "shapeproof.errors",
    "ValuesError": "shapeproof.errors",
    "derive": "shapeproof.derivation.derive",
    "Derivation": "shapeproof.derivation.model",
    "Step": "shapeproof.derivation.model",
    "solve": "shapeproof.derivation.windows",
    "Window": "shapeproof.rules.window",
    "Domain": "shapeproof.derivation.domain",
    "Diagnosis": "shapeproof.derivation.model",
    "Fix": "shapeproof.derivation.model",
    "ShapeWarning": "shapeproof.derivation.model",
    "Cost": "shapeproof.derivation.model",
    "explain": "shapeproof.postmortem.hooks",
    "install": "shapeproof.postmortem.hooks",
    "uninstall": "shapeproof.postmortem.hooks",
    "load_ipython_extension": "shapeproof.postmortem.notebook",
    "unload_ipython_extension": "shapeproof.postmortem.notebook",
    "train": "shapeproof.training.train",
    "resume": "shapeproof.training.train",
    "repeat": "shapeproof.training.train",
    "Run": "shapeproof.training.run",
    "load_run": "shapeproof.training.run",
    "Recipe": "shapeproof.training.recipes",
}

# what nearly every call of ``derive`` needs besides its own module: loaded with it, so that the first call is short
_DERIVING = (
    "shapeproof.doubts.find",
    *(
        f"shapeproof.rules.{family}"
        for family in "convolution pooling elementwise linear normalisation reduction reshaping".split()
    ),
)

__all__ = ["__version__", *sorted(_EXPORTS)]  # the table is the one list of names


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'shapeproof' has no attribute {name!r}")
    with uncollected():
        module = importlib.import_module(_EXPORTS[name])
        for more in _DERIVING if name == "derive" else ():
            importlib.import_module(more)
    return getattr(module, name)


if hasattr(sys.modules.get("torch"), "nn"):
    derive = __getattr__("derive")


def __dir__() -> list[str]:
    return sorted(__all__)
