"""From a name or a directory to a :class:`DataSet`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib import resources
from pathlib import Path

from torch import Tensor

from shapeproof.data import idx
from shapeproof.data.dataset import DataSet
from shapeproof.data.fetch import fetch
from shapeproof.data.known import DIGITS, KNOWN, MNIST, Known
from shapeproof.data.places import data_root, found_file, found_folder
from shapeproof.errors import UsageError

NAMES = ("auto", "digits", *KNOWN)


def load(name: str = "auto", *, root: Path | None = None, download: bool = True) -> DataSet:
    """Read a data set into memory.

    Args:
        name: ``"auto"``, the name of a set, or a directory. ``"auto"`` is MNIST where it is present or can be
            had, and else the 1,797 digits that ship with shapeproof; :attr:`DataSet.notice` then says so.
        root: Where data sets lie; else ``SHAPEPROOF_DATA``, else the user's cache folder.
        download: Whether a set that is absent may be fetched.

    Raises:
        UsageError: If there is no such set, or a file of it is missing or broken.
    """
    where = data_root(root)
    if name == "auto":
        return _auto(where, download)
    if name == "digits":
        return _digits()
    if name in KNOWN:
        return _known(KNOWN[name], where, download)
    if Path(name).is_dir():
        return _directory(Path(name))
    raise UsageError(f"there is no data set or directory {name!r}; known are {', '.join(NAMES)}")


def _auto(root: Path, download: bool) -> DataSet:
    try:
        return _known(MNIST, root, download)
    except UsageError as error:
        if found_folder(MNIST, root):
            raise  # it is there and broken: training on something else would hide that
        reason = "the reason: shapeproof data fetch mnist" if download else str(error)
    notice = (
        f"MNIST is not under {root} and could not be had: using the 1,797 small digits that ship with shapeproof "
        f"instead. Accuracies are not those of MNIST ({reason})."
    )
    return replace(_digits(), notice=notice)


def _digits() -> DataSet:
    with resources.as_file(resources.files("shapeproof.data") / "digits") as folder:
        return _four_files("digits", folder, MNIST.files, DIGITS, "shipped with shapeproof (UCI, CC BY 4.0)")


def _known(known: Known, root: Path, download: bool) -> DataSet:
    folder = found_folder(known, root)
    if folder is None and download and known.mirrors:
        folder = fetch(known, root)
    if folder is None:
        raise UsageError(
            f"{known.name} is not under {root}; run `shapeproof data fetch {known.name}`, or give --data-root"
        )
    return _four_files(known.name, folder, known.files, known.classes, str(folder))


def _directory(folder: Path) -> DataSet:
    place = found_folder(MNIST, folder)
    if place is None:
        raise UsageError(f"{folder} holds no IDX files such as {MNIST.files[0]} or {MNIST.files[0]}.gz")
    return _four_files(folder.resolve().name, place, MNIST.files, None, str(place))


def _four_files(
    name: str, folder: Path, files: tuple[str, ...], classes: tuple[str, ...] | None, source: str
) -> DataSet:
    paths = [found_file(folder, file) or folder / f"{file}.gz" for file in files]
    contents = [idx.unpacked(path) for path in paths]
    train_images, test_images = idx.images(contents[0], paths[0]), idx.images(contents[2], paths[2])
    train_labels, test_labels = idx.labels(contents[1], paths[1]), idx.labels(contents[3], paths[3])
    classes = classes or tuple(str(label) for label in range(int(train_labels.max()) + 1))
    _fit(train_images, train_labels, classes, paths[0], paths[1])
    _fit(test_images, test_labels, classes, paths[2], paths[3])
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return DataSet(name, train_images, train_labels, test_images, test_labels, classes, digest.hexdigest(), source)


def _fit(images: Tensor, labels: Tensor, classes: tuple[str, ...], image_path: Path, label_path: Path) -> None:
    if len(images) != len(labels):
        raise UsageError(
            f"{label_path} has {len(labels):,} labels, but {image_path} has {len(images):,} pictures; "
            "the two must come from one set"
        )
    if int(labels.max()) >= len(classes):
        at = int(labels.argmax())
        raise UsageError(
            f"{label_path} has the label {int(labels[at])} at position {at}; with {len(classes)} classes, "
            f"labels run from 0 to {len(classes) - 1}"
        )
