"""``shapeproof run``: a user's script, unchanged; a shape error in it ends with its explanation."""

from __future__ import annotations

from collections.abc import Callable

import click

# everything after the script is the script's own
OPEN = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("run", context_settings=OPEN)
@click.option("-m", "as_module", is_flag=True, help="SCRIPT is a module's name, as in python -m.")
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(as_module: bool, script: str, args: tuple[str, ...]) -> Callable[[], None]:
    """Run SCRIPT unchanged, with its ARGS, as python does.

    Nothing is watched, so nothing is slower. When a shape error ends the script, its traceback is shown as always, and
    below it the derivation of the call that failed, the cause and the edits that mend it. Any other error, and any
    exit status, passes as it is.
    """
    from shapeproof.postmortem.script import module_run, script_run  # here, so that --help loads nothing

    # run by the caller, outside of the command line's own handling of errors
    return (module_run if as_module else script_run)(script, args)
