"""The exceptions that reach a user. Each message is one sentence that says what is wrong and what to do."""

from __future__ import annotations


class ShapeproofError(Exception):
    """Base of every error that shapeproof raises on purpose."""


class UsageError(ShapeproofError):
    """The command line, a file or the data cannot be used: one clear line, exit status 2."""


class OwnError(ShapeproofError):
    """An exception of the user's own model that has nothing to do with shapes: exit status 1."""


class SpecError(UsageError, ValueError):
    """An input spec such as ``"N,1,H,W"`` makes no sense."""


class DomainError(ShapeproofError, ValueError):
    """Sizes were asked for that lie outside the sizes for which the model runs."""


class ValuesError(UsageError):
    """A model without values, on the meta device, asks for some: only a run on real tensors can tell its shapes."""
