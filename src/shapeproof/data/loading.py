"""From a name or a directory to a :class:`DataSet`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib import resources
from pathlib import Path

from torch import Tensor

from shapeproof.data import folders, idx
from shapeproof.data.dataset import IN_MEMORY, MAPPED, DataSet
from shapeproof.data.fetch import fetch
from shapeproof.data.known import KNOWN, MNIST, NAMES, Known
from shapeproof.data.layouts import Found, class_names, found_sets, of_known
from shapeproof.data.places import data_root, found_folder
from shapeproof.data.reading import Reading, memory_limit, size_in_words
from shapeproof.data.uniform import uniform
from shapeproof.errors import UsageError


def load(
    name: str = "auto", *, root: Path | None = None, download: bool = True, reading: Reading | None = None
) -> DataSet:
    """Read a data set: into memory, or, beyond the limit of :func:`memory_limit`, so that pictures come when used.

    Args:
        name: ``"auto"``, the name of a set, or a directory: IDX files in one of the usual layouts, or a folder of
            pictures per class. ``"auto"`` is MNIST where it is present or can be had, and else the 1,797 digits that
            ship with shapeproof; :attr:`DataSet.notice` then says so.
        root: Where data sets lie; else ``SHAPEPROOF_DATA``, else the user's cache folder.
        download: Whether a set that is absent may be fetched.
        reading: The size and the colours to bring pictures to, and how a folder of pictures is read.

    Raises:
        UsageError: If there is no such set, or a file of it is missing or broken.
    """
    asked = reading or Reading()
    return uniform(_found(name, data_root(root), download, asked), asked)


def _found(name: str, root: Path, download: bool, reading: Reading) -> DataSet:
    if name == "auto":
        return _auto(root, download)
    if name == "digits":
        return _digits()
    if name in KNOWN:
        return _known(KNOWN[name], root, download)
    if Path(name).is_dir():
        return _directory(Path(name), reading)
    if named := _named_within(Path(name)):
        return _idx(named)
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
        found = replace(of_known(MNIST, folder), name="digits")
        return replace(_idx(found), source="shipped with shapeproof (UCI, CC BY 4.0)")


def _known(known: Known, root: Path, download: bool) -> DataSet:
    folder = found_folder(known, root)
    if folder is None and download and known.mirrors:
        folder = fetch(known, root)
    if folder is None:
        place = root / known.folder / "raw"
        do = f"run `shapeproof data fetch {known.name}`" if known.mirrors else f"put its files into {place}"
        raise UsageError(f"{known.name} is not under {root}; {do}, or give --data-root")
    return _idx(of_known(known, folder))


def _directory(directory: Path, reading: Reading) -> DataSet:
    sets = found_sets(directory)
    if len(sets) > 1:
        choices = ", ".join(f"--data {directory / found.name}" for found in sets)
        raise UsageError(f"{directory} holds {len(sets)} data sets; choose one: {choices}")
    if not sets:
        return folders.load(directory, reading)
    return _idx(sets[0])


def _named_within(path: Path) -> Found | None:
    """``DIR/emnist-letters`` is the set of that name within DIR."""
    if not path.parent.is_dir():
        return None
    return next((found for found in found_sets(path.parent) if found.name == path.name), None)


def _idx(found: Found) -> DataSet:
    """Read four IDX files that belong together."""
    train, train_names, test, test_names = found.paths
    size, limit = idx.payload(train) + idx.payload(test), memory_limit()
    way = IN_MEMORY if size <= limit else MAPPED
    digest = hashlib.sha256()
    parts = []
    for image_path, label_path in ((train, train_names), (test, test_names)):
        images = idx.images(_values(image_path, way, digest), image_path)
        parts.append((images, idx.labels(_values(label_path, IN_MEMORY, digest), label_path)))
    first = _first_label(found, [labels for _, labels in parts])
    classes = class_names(found, first, max(int(labels.max()) for _, labels in parts))
    for (images, labels), paths in zip(parts, ((train, train_names), (test, test_names)), strict=True):
        _fit(images, labels, classes, first, *paths)
    pictures = [_upright(images, way) if found.known and found.known.transposed else images for images, _ in parts]
    return DataSet(
        found.name,
        pictures[0],
        parts[0][1] - first,
        pictures[1],
        parts[1][1] - first,
        classes,
        digest.hexdigest(),
        str(found.folder.resolve()),
        notes=tuple(_notes(found, first, way, size, limit)),
        way=way,
    )


def _values(path: Path, way: str, digest: hashlib._Hash) -> Tensor:
    """The values of an IDX file; its unpacked content goes into the digest."""
    if way == MAPPED:
        idx.feed(path, digest)
        return idx.mapped(path)
    content = idx.unpacked(path)
    digest.update(content)
    return idx.tensor(content, path)


def _upright(images: Tensor, way: str) -> Tensor:
    turned = images.transpose(2, 3)
    return turned if way == MAPPED else turned.contiguous()


def _first_label(found: Found, labels: list[Tensor]) -> int:
    """What the files call the first class: 0, or 1 where no label of either part is 0."""
    if found.known:
        return found.known.first_label
    return 1 if all(int(each.min()) >= 1 for each in labels) else 0


def _notes(found: Found, first: int, way: str, size: int, limit: int) -> list[str]:
    notes = []
    if found.known and found.known.transposed:
        notes.append("the files hold each picture with rows and columns exchanged; they are turned upright")
    if first:
        notes.append(f"labels start at {first} in the files, and at 0 here; class names say which is which")
    if way == MAPPED:
        notes.append(
            f"{size_in_words(size)} of pictures are more than {size_in_words(limit)}, the limit for keeping them in "
            "memory: they are read through a memory map"
        )
    return notes


def _fit(images: Tensor, labels: Tensor, classes: tuple[str, ...], first: int, image_path: Path, path: Path) -> None:
    if len(images) != len(labels):
        raise UsageError(
            f"{path} has {len(labels):,} labels, but {image_path} has {len(images):,} pictures; "
            "the two must come from one set"
        )
    for at in (int(labels.argmin()), int(labels.argmax())):
        if not first <= int(labels[at]) < first + len(classes):
            raise UsageError(
                f"{path} has the label {int(labels[at])} at position {at}; with {len(classes)} classes, "
                f"labels run from {first} to {first + len(classes) - 1}"
            )
