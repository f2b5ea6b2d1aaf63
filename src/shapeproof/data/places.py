"""Where data sets lie on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from shapeproof.data.known import Known


def cache_folder() -> Path:
    """The user's cache folder for data: ``XDG_CACHE_HOME``, else what the system is used to."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "shapeproof"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "shapeproof"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "shapeproof"
    return Path.home() / ".cache" / "shapeproof"


def data_root(root: Path | None = None) -> Path:
    """Where data sets lie: ``root`` where given, else ``SHAPEPROOF_DATA``, else the user's cache folder."""
    if root is not None:
        return Path(root)
    given = os.environ.get("SHAPEPROOF_DATA")
    return Path(given) if given else cache_folder()


def found_file(folder: Path, name: str) -> Path | None:
    """The file of this name in a folder, as it is or gzipped; ``None`` where there is neither."""
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    return None


def folders(known: Known, root: Path) -> tuple[Path, ...]:
    """The folders in which a known set may lie, first choice first."""
    usual = (root / known.folder / "raw", root / known.name)
    # Four files alone with the names that several sets share are MNIST's.
    return (*usual, root) if known.prefix or known.name == "mnist" else usual


def found_folder(known: Known, root: Path) -> Path | None:
    """The first folder that holds at least one file of the set; ``None`` where none does."""
    for folder in folders(known, root):
        if any(found_file(folder, name) for name in known.files):
            return folder
    return None
