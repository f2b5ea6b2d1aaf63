"""The command line: one module a command, each loaded only when its command is asked for."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from shapeproof import __version__
from shapeproof.errors import OwnError, UsageError

# command -> (module that holds it, the line that `--help` shows). The lines stand here so that help loads nothing.
COMMANDS = {
    "derive": ("shapeproof.cli.derive", "Derive every shape of a model by formula, and prove it."),
    "diff": ("shapeproof.cli.diff", "Line up two derivations, and show where they part."),
    "check": ("shapeproof.cli.check", "For CI: derive every target that pyproject.toml lists."),
    "run": ("shapeproof.cli.run", "Run a Python script unchanged; a shape error in it ends with its explanation."),
    "solve": ("shapeproof.cli.solve", "The windows that map one size to another."),
    "train": ("shapeproof.cli.train", "Train a network; the run directory holds all that repeats it."),
    "evaluate": (
        "shapeproof.cli.evaluate",
        "Test accuracy, confusion matrix and the worst mistakes of a run.",
    ),
    "report": ("shapeproof.cli.report", "A run on one page: curves, mistakes, feature maps; several side by side."),
    "predict": ("shapeproof.cli.predict", "Which digit a picture of your own shows, and how sure that is."),
    "export": ("shapeproof.cli.export", "ONNX or a torch.export archive, checked against PyTorch."),
    "serve": ("shapeproof.cli.serve", "A local page: draw digits, and build networks whose sizes are derived."),
    "runs": ("shapeproof.cli.runs", "The runs of a folder, side by side."),
    "data": ("shapeproof.cli.data", "Which data sets there are, where they lie, whether they are whole."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only to run it or to show that command's own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; ``None`` where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="shapeproof")
def cli() -> None:
    """Derive the shapes of PyTorch models by formula, prove them, explain errors, and train."""


def _one_line(mistake: click.ClickException) -> str:
    """What is wrong with a command line, and where its help is."""
    asked = getattr(mistake, "ctx", None)
    path = asked.command_path if asked else "shapeproof"
    return f"shapeproof: {' '.join(mistake.format_message().split())} ({path} --help tells more)"


def main(argv: list[str] | None = None) -> Any:
    """Run the command line; a user's mistake ends with one line on standard error and exit status 2."""
    try:
        status = cli.main(args=argv, prog_name="shapeproof", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        sys.exit(asked.exit_code)
    except click.ClickException as mistake:
        click.echo(_one_line(mistake), err=True)
        sys.exit(mistake.exit_code)
    except OwnError as mistake:
        click.echo(f"shapeproof: {mistake}", err=True)
        sys.exit(1)
    except UsageError as mistake:
        click.echo(f"shapeproof: {mistake}", err=True)
        sys.exit(2)
    if callable(status):  # a user's script: it runs outside of all that is caught above
        status = status()
    sys.exit(status if isinstance(status, int) else 0)
