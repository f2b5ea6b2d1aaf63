"""IDX sets as torchvision lays them out: Fashion-MNIST, KMNIST, EMNIST with its letters; and memory maps."""

import gzip
import struct

import pytest
import torch

from shapeproof.data import idx, load
from shapeproof.data.known import CLOTHES, KANA, KNOWN, LETTERS
from shapeproof.data.reading import Reading
from shapeproof.data.uniform import with_classes
from shapeproof.errors import UsageError
from shapeproof.training.batches import Batches
from shapeproof.training.preparation import measured
from shapeproof.training.recipes import FAST


def pack(values):
    shape = values.shape
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(values.flatten().tolist())


def four_files(folder, prefix="", test="t10k", first=0, classes=10, zipped=True, joint="-"):
    """A small set: picture ``i`` has a bright upper right corner and the number ``i`` in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 2 * classes), (test, classes)):
        images = torch.zeros(count, 6, 6, dtype=torch.uint8)
        images[:, 0, 4:] = 250
        images[:, 3, 3] = torch.arange(count)
        labels = (torch.arange(count) % classes + first).to(torch.uint8)
        for what, values, size in (("images", images, 3), ("labels", labels, 1)):
            path = folder / f"{prefix}{part}-{what}{joint}idx{size}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(pack(values)) if zipped else pack(values))
    return folder


@pytest.mark.parametrize(("folder", "classes"), [("FashionMNIST", CLOTHES), ("KMNIST", KANA)])
@pytest.mark.parametrize("zipped", [True, False])
def test_torchvisions_folders_give_the_classes_their_names(tmp_path, folder, classes, zipped):
    four_files(tmp_path / folder / "raw", zipped=zipped)
    for place in (tmp_path, tmp_path / folder, tmp_path / folder / "raw"):
        data = load(str(place))
        assert data.classes == classes
        assert data.train_labels[:10].tolist() == list(range(10))
    name = {"FashionMNIST": "fashion-mnist", "KMNIST": "kmnist"}[folder]
    assert load(name, root=tmp_path).checksum == load(str(tmp_path)).checksum
    assert data.name == name


def test_emnist_letters_start_at_one_and_lie_transposed(tmp_path):
    four_files(tmp_path / "EMNIST" / "raw", "emnist-letters-", "test", first=1, classes=26)
    data = load(str(tmp_path))
    assert data.name == "emnist-letters"
    assert data.classes == LETTERS
    assert data.train_labels[:27].tolist() == [*range(26), 0]
    assert data.train_images[0, 0, 4:, 0].tolist() == [250, 250]  # the bright corner was upper right in the file
    assert any("upright" in note for note in data.notes)
    assert any("start at 1" in note for note in data.notes)
    assert load("emnist-letters", root=tmp_path).checksum == data.checksum


@pytest.mark.parametrize("split", ["balanced", "byclass", "bymerge", "digits", "mnist"])
def test_the_other_splits_of_emnist(tmp_path, split):
    known = KNOWN[f"emnist-{split}"]
    four_files(tmp_path, known.prefix, "test", classes=len(known.classes))
    data = load(str(tmp_path))
    assert data.classes == known.classes
    assert data.classes[: len("0123456789")] == tuple("0123456789")


def test_the_classes_of_emnist_are_torchvisions():
    assert len(KNOWN["emnist-byclass"].classes) == 62
    assert "".join(KNOWN["emnist-balanced"].classes) == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"


def test_of_several_sets_one_must_be_chosen(tmp_path):
    raw = tmp_path / "EMNIST" / "raw"
    for split in ("letters", "digits"):
        four_files(
            raw, f"emnist-{split}-", "test", first=int(split == "letters"), classes=26 if split == "letters" else 10
        )
    with pytest.raises(UsageError, match=r"holds 2 data sets; choose one: --data .*emnist-digits, --data .*letters"):
        load(str(tmp_path))
    assert load(str(tmp_path / "emnist-letters")).classes == LETTERS
    assert load(str(raw / "emnist-digits")).name == "emnist-digits"
    with pytest.raises(UsageError, match="no data set or directory"):
        load(str(tmp_path / "emnist-balanced"))


def test_sets_that_are_not_downloaded_say_where_they_belong(tmp_path, capsys):
    from shapeproof.cli import main

    for words in (
        ["data", "fetch", "kmnist"],
        ["data", "check", "emnist-letters"],
        ["train", "--data", "fashion-mnist"],
    ):
        with pytest.raises(SystemExit) as end:
            main([*words, "--data-root", str(tmp_path)])
        assert end.value.code == 2
        err = capsys.readouterr().err
        assert "put its" in err
        assert "raw" in err


def test_an_unknown_set_is_named_by_its_folder_and_its_classes_by_a_file(tmp_path):
    four_files(tmp_path / "shapes", classes=3, joint=".", zipped=False)
    data = load(str(tmp_path / "shapes"))
    assert (data.name, data.classes) == ("shapes", ("0", "1", "2"))
    (tmp_path / "shapes" / "classes.txt").write_text("circle\nsquare\nstar\n")
    assert load(str(tmp_path / "shapes")).classes == ("circle", "square", "star")
    (tmp_path / "shapes" / "classes.txt").write_text("circle\nsquare\n")
    with pytest.raises(UsageError, match="with 2 classes, labels run from 0 to 1"):
        load(str(tmp_path / "shapes"))


def test_unknown_labels_from_one_keep_their_names(tmp_path):
    data = load(str(four_files(tmp_path / "mine", classes=4, first=1)))
    assert data.classes == ("1", "2", "3", "4")
    assert data.test_labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["", "emnist-digits-"])
def test_a_memory_map_holds_the_same(tmp_path, monkeypatch, zipped, prefix):
    folder = four_files(tmp_path / "set", prefix, "test" if prefix else "t10k", zipped=zipped)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    whole = load(str(folder))
    monkeypatch.setenv("SHAPEPROOF_MEMORY", "100")
    mapped = load(str(folder))
    assert (whole.way, mapped.way) == ("memory", "memory map")
    assert mapped.checksum == whole.checksum
    assert torch.equal(mapped.train_images[:], whole.train_images)
    assert any("memory map" in note for note in mapped.notes)
    batches = [
        Batches(
            d.train_images,
            d.train_labels,
            measured(d.train_images, normalise=True, margin=0),
            FAST,
            0,
            torch.device("cpu"),
        )
        for d in (whole, mapped)
    ]
    assert torch.equal(batches[0].at(0).x, batches[1].at(0).x)
    assert (tmp_path / "cache").exists() == zipped


def test_a_broken_file_beyond_the_limit_is_one_line_too(tmp_path, monkeypatch):
    folder = four_files(tmp_path / "set", zipped=False)
    monkeypatch.setenv("SHAPEPROOF_MEMORY", "100")
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UsageError, match="asks for"):
        load(str(folder))
    path.unlink()
    with pytest.raises(UsageError, match="missing"):
        idx.mapped(path)


def test_idx_pictures_take_another_size_and_colours_where_asked(tmp_path, monkeypatch):
    folder = four_files(tmp_path / "set")
    reading = Reading(image_size=(9, 12), colour="rgb")
    data = load(str(folder), reading=reading)
    assert data.shape == (3, 9, 12)
    assert torch.equal(data.train_images[:, 0], data.train_images[:, 2])
    monkeypatch.setenv("SHAPEPROOF_MEMORY", "100")
    lazy = load(str(folder), reading=reading)
    assert torch.equal(lazy.train_images[torch.tensor([3, 5])], data.train_images[[3, 5]])
    assert torch.equal(lazy.test_images[4], data.test_images[4])
    assert data.reading == reading


def test_other_classes_are_counted_by_their_names(tmp_path):
    data = load(str(four_files(tmp_path / "mine", classes=2)))
    turned = with_classes(data, ("1", "7", "0"))
    assert turned.test_labels.tolist() == [2, 0]
    with pytest.raises(UsageError, match="unknown ones: 1"):
        with_classes(data, ("0", "7", "8"))
