"""Folders of pictures, one per class: with parts for training and testing, or one folder that is split by a seed.

``DIR/train/CLASS/...`` and ``DIR/test/CLASS/...`` (or ``val``), as torchvision's ``ImageFolder`` expects them, or
``DIR/CLASS/...`` alone. Classes are numbered in the order of their sorted names.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from shapeproof.data.dataset import FROM_FILES, IN_MEMORY, DataSet, Pictures
from shapeproof.data.pictures import (
    CHANNELS,
    EXTENSIONS,
    Header,
    PictureFiles,
    UnreadableError,
    header,
    read,
    read_all,
)
from shapeproof.data.reading import Reading, memory_limit, size_in_words
from shapeproof.errors import UsageError

TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")  # first choice first
SHOWN = 10  # files named in a message


@dataclass(frozen=True)
class Part:
    """Some of a folder's pictures.

    Attributes:
        paths: The files, class by class.
        labels: The class of each, from 0.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]

    def __add__(self, other: Part) -> Part:
        return Part(self.paths + other.paths, self.labels + other.labels)

    def __len__(self) -> int:
        return len(self.paths)


def load(directory: Path, reading: Reading) -> DataSet:
    """Read a directory of pictures.

    Args:
        directory: See the head of this module.
        reading: The size and colour to bring pictures to, what to do with unreadable ones, and the split.

    Raises:
        UsageError: If there are no folders of pictures, pictures differ in size and no size is asked for, one cannot be
            read and ``reading.unreadable`` is ``"stop"``, or a class of the test part is none of the training part's.
    """
    train_folder, test_folder, notes = _parts(directory)
    classes = _classes(train_folder, directory)
    every = _listed(train_folder, classes)
    count = len(every)
    if test_folder is not None:
        _same_classes(test_folder, classes)
        every += _listed(test_folder, classes, may_lack=True)
    pictures, good, digest, told = _pictures(directory, every, reading)
    notes += told
    labels = torch.tensor(every.labels)[good]
    if test_folder is not None:
        train = int(good[:count].sum())
        rows = torch.arange(train), torch.arange(train, len(labels))
    else:
        rows = split_by_class(labels, len(classes), reading)
        notes.append(
            f"there is no test part: {reading.test_share:g} of each class is held out for it "
            f"(--test-share, --split-seed {reading.split_seed})"
        )
    _check_counts(labels, rows, classes, directory)
    images = [_rows(pictures, each) for each in rows]
    return DataSet(
        directory.resolve().name,
        images[0],
        labels[rows[0]],
        images[1],
        labels[rows[1]],
        classes,
        digest,
        str(directory.resolve()),
        notes=tuple(notes),
        way=IN_MEMORY if isinstance(pictures, Tensor) else FROM_FILES,
        reading=reading,
    )


def _pictures(directory: Path, every: Part, reading: Reading) -> tuple[Pictures, Tensor, str, list[str]]:
    """The pictures that can be read, which those are, their checksum, and what should be said of them."""
    faults: dict[Path, str] = {}
    size, colour, notes = _made_uniform(every, reading, faults)
    needed, limit = len(every) * CHANNELS[colour] * size[0] * size[1], memory_limit()
    images, digest = _read(directory, every, faults, size, colour, in_memory=needed <= limit)
    notes += _told_faults(directory, faults, reading)
    good = torch.tensor([path not in faults for path in every.paths])
    if images is not None:
        return images[good] if faults else images, good, digest, notes
    notes.append(
        f"{size_in_words(needed)} of pictures are more than {size_in_words(limit)}, the limit for keeping them in "
        "memory: each batch is read from its files"
    )
    return PictureFiles(tuple(path for path in every.paths if path not in faults), size, colour), good, digest, notes


# ---- which files


def _folders(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures_in(folder: Path) -> list[Path]:
    """Every picture file in a folder and below, in the order of their names."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()
    )


def _is_part(folder: Path) -> bool:
    """Whether a folder called ``train`` holds classes, and is not itself a class of that name."""
    return bool(_folders(folder)) and not any(path.suffix.lower() in EXTENSIONS for path in folder.iterdir())


def _parts(directory: Path) -> tuple[Path, Path | None, list[str]]:
    """The folder to train on, the one to test on, and a note of one that is not used."""
    named = {path.name.lower(): path for path in _folders(directory) if _is_part(path)}
    train = next((named[name] for name in TRAIN if name in named), None)
    tests = [named[name] for name in TEST if name in named]
    if train is None:
        if tests:
            raise UsageError(f"{directory} has {tests[0].name}/ but no train/; give a directory with both")
        return directory, None, []
    unused = [f"{path.name}/ is not used: {tests[0].name}/ is the test part" for path in tests[1:]]
    return train, tests[0] if tests else None, unused


def _classes(folder: Path, directory: Path) -> tuple[str, ...]:
    found = _folders(folder)
    if not found:
        loose = any(path.suffix.lower() in EXTENSIONS for path in folder.iterdir())
        what = "holds pictures, but not in one folder per class" if loose else "holds no data set"
        raise UsageError(
            f"{directory} {what}; it must hold IDX files such as train-images-idx3-ubyte, or one folder of pictures "
            f"per class, such as {directory / 'cat'} and {directory / 'dog'}"
        )
    empty = [path.name for path in found if not _pictures_in(path)]
    if len(empty) == len(found):
        raise UsageError(f"{folder}: no folder in it holds pictures ({', '.join(sorted(EXTENSIONS))})")
    if empty:
        raise UsageError(
            f"{folder}: {_few(empty)} {'hold' if len(empty) > 1 else 'holds'} no pictures; each folder is a class: "
            "put pictures in, or take the folder away"
        )
    return tuple(path.name for path in found)


def _same_classes(folder: Path, classes: tuple[str, ...]) -> None:
    if strange := [path.name for path in _folders(folder) if path.name not in classes and _pictures_in(path)]:
        raise UsageError(
            f"{folder} has the class {_few(strange)}, which is no class to train on; those are {_few(classes)}"
        )


def _listed(folder: Path, classes: tuple[str, ...], *, may_lack: bool = False) -> Part:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if may_lack and not (folder / name).is_dir():
            continue
        found = _pictures_in(folder / name)
        paths += found
        labels += [label] * len(found)
    return Part(tuple(paths), tuple(labels))


def _few(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


# ---- one size, one number of colours


def _made_uniform(every: Part, reading: Reading, faults: dict[Path, str]) -> tuple[tuple[int, int], str, list[str]]:
    """The size and the colour for all pictures; files without a sound header are noted as faults."""
    headers: list[Header | str] = read_all(list(every.paths), _header_or_fault)
    for path, found in zip(every.paths, headers, strict=True):
        if isinstance(found, str):
            faults[path] = found
    sound = [found for found in headers if isinstance(found, Header)]
    if not sound:
        path, fault = next(iter(faults.items()))
        raise UsageError(f"none of {len(faults):,} pictures can be read; {path}: {fault}")
    sizes = Counter(found.size for found in sound)
    size = reading.image_size or next(iter(sizes))
    if len(sizes) > 1 and reading.image_size is None:
        raise UsageError(_sizes_differ(sizes))
    coloured = sum(found.coloured for found in sound)
    notes = []
    if reading.colour is None and 0 < coloured < len(sound):
        notes.append(
            f"{coloured:,} of {len(sound):,} pictures are coloured: all are read as rgb (--colour grey: as grey)"
        )
    if any(other != size for other in sizes):
        count = sum(number for other, number in sizes.items() if other != size)
        notes.append(f"{count:,} of {len(sound):,} pictures are stretched to {size[0]}x{size[1]}, as asked")
    return size, reading.colour or ("rgb" if coloured else "grey"), notes


def _header_or_fault(at: int, path: Path) -> Header | str:
    try:
        return header(path)
    except UnreadableError as error:
        return str(error)


def _sizes_differ(sizes: Counter[tuple[int, int]]) -> str:
    common = ", ".join(f"{rows}x{columns} ({count:,})" for (rows, columns), count in sizes.most_common(3))
    more = f" and {len(sizes) - 3:,} more" if len(sizes) > 3 else ""
    rows, columns = (sorted(size[side] for size in sizes.elements())[sizes.total() // 2] for side in (0, 1))
    return (
        f"the pictures differ in size: {common}{more}; say to which size to bring them, such as "
        f"--image-size {rows}x{columns}"
    )


# ---- reading


def _read(
    directory: Path, every: Part, faults: dict[Path, str], size: tuple[int, int], colour: str, *, in_memory: bool
) -> tuple[Tensor | None, str]:
    """Read every picture once: into one tensor, or only to see that it can be read; and a checksum over the files."""
    shape = (len(every), CHANNELS[colour], *size)
    images = torch.zeros(shape, dtype=torch.uint8) if in_memory else None

    def take(at: int, path: Path) -> bytes | str:
        if path in faults:
            return faults[path]
        try:
            picture = read(path, size, colour)
            if images is not None:
                images[at] = picture
            return hashlib.sha256(path.read_bytes()).digest()
        except UnreadableError as error:
            return str(error)

    digest = hashlib.sha256()
    for path, label, found in zip(every.paths, every.labels, read_all(list(every.paths), take), strict=True):
        if isinstance(found, str):
            faults[path] = found
        else:
            digest.update(f"{path.relative_to(directory).as_posix()}\0{label}\0".encode() + found)
    return images, digest.hexdigest()


def _told_faults(directory: Path, faults: dict[Path, str], reading: Reading) -> list[str]:
    """What to say of the pictures that cannot be read; ends here where that was asked for.

    Raises:
        UsageError: With each of them, where ``reading.unreadable`` is ``"stop"``.
    """
    if not faults:
        return []
    listed = [f"{path.relative_to(directory)}: {fault}" for path, fault in sorted(faults.items())]
    if reading.unreadable == "skip":
        return [f"skipped, as it cannot be read: {line}" for line in listed]
    more = f"; and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    many = "a picture" if len(listed) == 1 else f"{len(listed)} pictures"
    raise UsageError(
        f"{directory}: {many} cannot be read: {'; '.join(listed[:SHOWN])}{more} "
        "(--unreadable skip goes on without them)"
    )


def _rows(pictures: Pictures, rows: Tensor) -> Pictures:
    if isinstance(pictures, PictureFiles):
        return PictureFiles(tuple(pictures.paths[at] for at in rows.tolist()), pictures.size, pictures.colour)
    return pictures[rows]


# ---- the split


def split_by_class(labels: Tensor, classes: int, reading: Reading) -> tuple[Tensor, Tensor]:
    """Which pictures train and which test: of each class the same share, at least one either way where it has two.

    Args:
        labels: ``int64 (N,)``.
        classes: How many there are.
        reading: The share and the seed; a share of 1 tests on all.

    Returns:
        Two sorted index tensors.
    """
    if reading.test_share == 1:
        return torch.empty(0, dtype=torch.int64), torch.arange(len(labels))
    generator = torch.Generator().manual_seed(reading.split_seed)
    train, test = [], []
    for label in range(classes):
        own = (labels == label).nonzero().flatten()
        own = own[torch.randperm(len(own), generator=generator)]
        held = max(1, min(len(own) - 1, round(len(own) * reading.test_share))) if len(own) > 1 else 0
        test.append(own[:held])
        train.append(own[held:])
    return torch.cat(train).sort().values, torch.cat(test).sort().values


def _check_counts(labels: Tensor, rows: tuple[Tensor, Tensor], classes: tuple[str, ...], directory: Path) -> None:
    """Every class needs a picture to learn from, unless all are for testing."""
    counts = labels[rows[0]].bincount(minlength=len(classes)).tolist()
    if len(rows[0]) and 0 in counts:
        lacking = [name for name, count in zip(classes, counts, strict=True) if not count]
        raise UsageError(f"{directory}: no picture of {_few(lacking)} can be read to train on")
