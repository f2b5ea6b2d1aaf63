"""Every field of a recipe as an option of ``train``, made from the recipe itself, so that none is ever missing."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import click

from shapeproof.training.recipes import Recipe

Command = TypeVar("Command", bound=Callable[..., Any])
FIELDS = tuple(field for field in dataclasses.fields(Recipe) if field.name != "name")


class RecipeCommand(click.Command):
    """A command whose help tells the recipe's options apart from the others."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the two lists."""
        own = {field.name for field in FIELDS}
        lists: dict[str, list[tuple[str, str]]] = {"Options": [], "Options that change the recipe": []}
        for param in self.get_params(ctx):
            line = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if line is not None:
                lists[list(lists)[param.name in own]].append(line)
        for title, lines in lists.items():
            with formatter.section(title):
                formatter.write_dl(lines)


def recipe_options(command: Command) -> Command:
    """Add an option for each field; ``None`` where it is not given."""
    told = described()
    for field in reversed(FIELDS):
        command = _option(field, told[field.name])(command)
    return command


def _option(field: dataclasses.Field[Any], told: str) -> Callable[[Command], Command]:
    kind: Any = type(field.default)
    flag = "--" + field.name.replace("_", "-")
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", field.name, default=None, help=told)
    if kind is tuple:
        return click.option(flag, field.name, type=float, nargs=2, default=None, metavar="NUMBER NUMBER", help=told)
    spellings = (flag, flag.replace("optimiser", "optimizer"))
    return click.option(*dict.fromkeys(spellings), field.name, type=kind, default=None, help=told)


def described() -> dict[str, str]:
    """What the recipe's docstring says of each field."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(Recipe.__doc__ or "").partition("Attributes:")[2].splitlines():
        text = line.strip().replace("``", "").replace('"', "")
        if line.startswith("    ") and not line.startswith("     "):
            name, _, text = text.partition(": ")
        if name:
            found[name] = f"{found.get(name, '')} {text}".strip()
    return {field.name: found.get(field.name, "") for field in FIELDS}
