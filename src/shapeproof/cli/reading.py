"""The options that say how a user's own data set is read; every command that reads one has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

READING = ("image_size", "colour", "unreadable", "test_share", "split_seed")
Command = TypeVar("Command", bound=Callable[..., Any])


class Size(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """Rows and columns: ``28``, or ``28x32``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The two numbers; what is none ends with exit status 2."""
        from shapeproof.data.reading import parse_size

        return value if isinstance(value, tuple) else parse_size(value)


def reading_options(command: Command) -> Command:
    """Add the options to a command."""
    for option in (
        click.option("--split-seed", type=int, help="Decides which pictures those are.  [default: 0]"),
        click.option(
            "--test-share",
            type=float,
            metavar="SHARE",
            help="Held out of a folder without a test part.  [default: 0.2]",
        ),
        click.option(
            "--unreadable",
            type=click.Choice(["stop", "skip"]),
            help="What a picture that cannot be read does.  [default: stop]",
        ),
        click.option(
            "--colour",
            "--color",
            "colour",
            type=click.Choice(["grey", "rgb"]),
            help="Bring all pictures to 1 or 3 channels.",
        ),
        click.option(
            "--image-size", type=Size(), metavar="ROWSxCOLUMNS", help="Bring all pictures to one size, such as 28x28."
        ),
    ):
        command = option(command)
    return command


def without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None}
