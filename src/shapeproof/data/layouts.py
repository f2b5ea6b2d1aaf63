"""Which sets of IDX files a directory holds, in whichever of the usual layouts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from shapeproof.data.known import KNOWN, MNIST, Known
from shapeproof.data.places import found_file, found_folder

# `train-images-idx3-ubyte`, `train-images.idx3-ubyte`, `emnist-letters-train-images-idx3-ubyte`, each gzipped or not.
TRAIN_IMAGES = re.compile(r"(?P<prefix>.*?)train-images(?P<joint>[-.])idx(?P<sizes>\d)-ubyte(\.gz)?")
CLASS_NAMES = "classes.txt"


@dataclass(frozen=True)
class Found:
    """Four files that belong together.

    Attributes:
        folder: Where they lie.
        files: Training images and labels, test images and labels; without ``.gz``.
        name: What the set is called.
        known: The set that it is, as far as its names tell.
    """

    folder: Path
    files: tuple[str, str, str, str]
    name: str
    known: Known | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The four files as they lie there, gzipped or not; one that is missing as it is usually called."""
        return tuple(found_file(self.folder, file) or self.folder / f"{file}.gz" for file in self.files)


def of_known(known: Known, folder: Path) -> Found:
    """The files of a set that is known by name."""
    return Found(folder, known.files, known.name, known)


def found_sets(directory: Path) -> list[Found]:
    """Every set in a directory, in its ``raw``, in a folder below it, or in that one's ``raw``."""
    below = sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))
    places = [directory, directory / "raw", *below, *(path / "raw" for path in below)]
    found: dict[Path, Found] = {}
    for place in dict.fromkeys(place for place in places if place.is_dir()):
        for file in sorted(place.glob("*train-images*")):
            if (match := TRAIN_IMAGES.fullmatch(file.name)) and file.is_file():
                one = _found(directory, place, match)
                found.setdefault(place / one.files[0], one)
    if not found and (some := found_folder(MNIST, directory)):  # a few of the four are there: the rest is missing
        return [Found(some, MNIST.files, _own_name(directory, some), None)]
    return list(found.values())


def _found(directory: Path, place: Path, match: re.Match[str]) -> Found:
    prefix, joint, sizes = match["prefix"], match["joint"], match["sizes"]
    tests = [t for t in ("t10k", "test") if found_file(place, f"{prefix}{t}-images{joint}idx{sizes}-ubyte")]
    test = tests[0] if tests else "t10k"
    files = tuple(
        f"{prefix}{part}-{what}{joint}idx{size}-ubyte"
        for part in ("train", test)
        for what, size in (("images", sizes), ("labels", 1))
    )
    known = _known(place, prefix)
    name = known.name if known else prefix.strip("-_. ") or _own_name(directory, place)
    return Found(place, (files[0], files[1], files[2], files[3]), name, known)


def _own_name(directory: Path, place: Path) -> str:
    whole = place.resolve()
    return directory.resolve().name if place in (directory, directory / "raw") else _set_folder(whole).name


def _set_folder(place: Path) -> Path:
    return place.parent if place.name == "raw" else place


def _known(place: Path, prefix: str) -> Known | None:
    """The known set of this prefix, or, where four names are common to several, that of the folder's name."""
    for known in KNOWN.values():
        if prefix and known.prefix == prefix:
            return known
    called = _plain(_set_folder(place.resolve()).name)
    for known in KNOWN.values():
        if not prefix and not known.prefix and called in (_plain(known.name), _plain(known.folder)):
            return known
    return None


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def class_names(found: Found, first: int, largest: int) -> tuple[str, ...]:
    """The names of the classes: of the set that it is known to be, of ``classes.txt`` beside it, else the labels.

    Args:
        found: The set.
        first: The label of the first class.
        largest: The largest label.
    """
    if found.known:
        return found.known.classes
    listed = found.folder / CLASS_NAMES
    if listed.is_file():
        lines = (line.strip() for line in listed.read_text(encoding="utf-8", errors="replace").splitlines())
        return tuple(line for line in lines if line)
    return tuple(str(label) for label in range(first, largest + 1))
