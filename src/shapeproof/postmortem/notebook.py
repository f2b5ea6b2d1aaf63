"""``%load_ext shapeproof``: a shape error in a cell is shown as always, and its explanation below it."""

from __future__ import annotations

from typing import Any

from shapeproof.postmortem.hooks import tell_of


def load_ipython_extension(shell: Any) -> None:
    """Explain shape errors of this shell's cells from now on."""
    shell.set_custom_exc((Exception,), _shown)


def unload_ipython_extension(shell: Any) -> None:
    """Leave the shell's errors as they were, unless another extension has taken over since."""
    if shell.custom_exceptions and getattr(shell.CustomTB, "__func__", None) is not None:
        shell.set_custom_exc((), None)


def _shown(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    tell_of(error)
