"""Broken files: each is one clear sentence that names the file and says what to do."""

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from shapeproof.data import load
from shapeproof.errors import UsageError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def images(count):
    return struct.pack(">4I", 0x803, count, 28, 28) + bytes(count * 784)


def labels(*values):
    return struct.pack(">2I", 0x801, len(values)) + bytes(values)


@pytest.fixture
def folder(tmp_path):
    """A small sound set; a test breaks one file of it."""
    for name, body in zip(FILES, (images(3), labels(0, 1, 9), images(2), labels(9, 0)), strict=True):
        (tmp_path / name).write_bytes(body)
    return tmp_path


def test_the_four_files_alone_in_raw_or_gzipped(folder, tmp_path_factory):
    assert load("mnist", root=folder).train_images.shape == (3, 1, 28, 28)
    other = tmp_path_factory.mktemp("layout")
    raw = other / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        (raw / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    assert load("mnist", root=other).checksum == load("mnist", root=folder).checksum
    assert load(str(other)).test_labels.tolist() == [9, 0]


BROKEN = [
    (0, lambda b: b[:-5], "asks for"),
    (0, lambda b: b"", "empty"),
    (0, lambda b: b"\x00\x00\x0d\x03" + b[4:], "no IDX"),
    (0, lambda b: b"not an IDX file at all", "no IDX"),
    (0, lambda b: gzip.compress(b)[:-6], "cut short"),
    (0, lambda b: gzip.compress(b)[:20] + b"xxxx" + gzip.compress(b)[24:], "gzip"),
    (1, lambda b: labels(0, 1), "2 labels"),
    (1, lambda b: labels(0, 1, 10), "label 10"),
    (3, lambda b: images(2), "no labels"),
    (2, lambda b: labels(1, 2), "no pictures"),
    (0, lambda b: None, "missing"),
]


@pytest.mark.parametrize(("place", "breaking", "words"), BROKEN)
def test_a_broken_file_is_named_with_what_is_wrong(folder, place, breaking, words):
    path = folder / FILES[place]
    body = breaking(path.read_bytes())
    if body is None:
        path.unlink()
    else:
        path.write_bytes(body)
    with pytest.raises(UsageError, match=words) as error:
        load("mnist", root=folder, download=False)
    assert FILES[place] in str(error.value)
    with pytest.raises(UsageError):  # a set that is there and broken is never replaced silently
        load("auto", root=folder, download=False)


def test_an_unknown_set_is_said():
    with pytest.raises(UsageError, match="known are"):
        load("nothing-such")


def test_the_command_line(folder):
    def data(*args):
        command = [sys.executable, "-m", "shapeproof", "data", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    listed = data("list", "--data-root", folder)
    assert (listed.returncode, "CC BY 4.0" in listed.stdout, str(folder) in listed.stdout) == (0, True, True)
    checked = data("check", "mnist", "--data-root", folder)
    assert checked.returncode == 1  # readable, and not MNIST
    assert data("check", "digits").returncode == 0
    (folder / FILES[0]).write_bytes(b"")
    broken = data("check", "mnist", "--data-root", folder)
    assert broken.returncode == 2
    assert "Traceback" not in broken.stderr
    assert len(broken.stderr.strip().splitlines()) == 1
    assert data("fetch", "nothing").returncode == 2


@pytest.mark.mnist
@pytest.mark.skipif("SHAPEPROOF_DATA" not in os.environ, reason="SHAPEPROOF_DATA does not say where MNIST is")
def test_the_real_mnist_is_whole():
    data = load("mnist", root=Path(os.environ["SHAPEPROOF_DATA"]), download=False)
    assert data.train_images.shape == (60_000, 1, 28, 28)
    assert data.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
