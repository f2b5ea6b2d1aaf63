"""Folders of pictures: layouts, sizes and colours, unreadable files, the split, and sets larger than memory."""

import json
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

import shapeproof as sp
from shapeproof.cli import main
from shapeproof.data import load
from shapeproof.data.pictures import UnreadableError, read
from shapeproof.data.reading import Reading, memory_limit, parse_bytes, parse_size
from shapeproof.errors import UsageError
from shapeproof.training import ahead
from shapeproof.training.recipes import FAST
from shapeproof.training.run import load_run
from training_data import small


def picture(path, value, size=(12, 12), mode="L"):
    """A picture of one brightness with a little noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(f"{value}{path.name}".encode())).integers(0, 20, size)
    grey = Image.fromarray((noise + value).astype(np.uint8))
    grey.convert(mode).save(path)


def tree(root, parts=("train", "test"), count=10, **more):
    for part in parts:
        for name, value in (("dark", 20), ("grey", 110), ("light", 210)):
            for i in range(count):
                picture(root / part / name / f"{i}.png", value, **more)
    return root


def test_parts_are_read_with_their_classes(tmp_path):
    data = load(str(tree(tmp_path)))
    assert data.train_images.shape == (30, 1, 12, 12)
    assert data.test_labels.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert data.classes == ("dark", "grey", "light")
    assert data.way == "memory"
    stored = np.asarray(Image.open(tmp_path / "train" / "grey" / "3.png"))
    assert np.array_equal(data.train_images[13, 0].numpy(), stored)


def test_a_val_part_serves_for_testing_and_one_beside_test_is_said_not_to(tmp_path):
    data = load(str(tree(tmp_path, parts=("train", "val"))))
    assert len(data.test_labels) == 30
    tree(tmp_path, parts=("test",), count=2)
    again = load(str(tmp_path))
    assert len(again.test_labels) == 6
    assert any("val/ is not used" in note for note in again.notes)


def test_one_folder_is_split_by_its_own_seed_class_by_class(tmp_path):
    tree(tmp_path, parts=("",))
    first, again = load(str(tmp_path)), load(str(tmp_path))
    assert torch.equal(first.test_images, again.test_images)
    assert first.test_labels.bincount().tolist() == [2, 2, 2]
    assert first.train_labels.bincount().tolist() == [8, 8, 8]
    pairs = {tuple(image.flatten().tolist()) for images in (first.train_images, first.test_images) for image in images}
    assert len(pairs) == 30
    other = load(str(tmp_path), reading=Reading(split_seed=1, test_share=0.5))
    assert other.test_labels.bincount().tolist() == [5, 5, 5]
    assert any("--test-share" in note for note in first.notes)


def test_a_class_may_be_called_train(tmp_path):
    for name in ("plane", "train"):
        for i in range(4):
            picture(tmp_path / name / f"{i}.png", 50)
    assert load(str(tmp_path)).classes == ("plane", "train")


def test_sizes_that_differ_need_one_that_is_asked_for(tmp_path):
    tree(tmp_path)
    picture(tmp_path / "train" / "dark" / "odd.png", 20, size=(20, 10))
    with pytest.raises(UsageError, match=r"differ in size: 12x12 \(60\), 20x10 \(1\).*--image-size 12x12"):
        load(str(tmp_path))
    data = load(str(tmp_path), reading=Reading(image_size=(8, 9)))
    assert data.shape == (1, 8, 9)
    assert any("stretched to 8x9" in note for note in data.notes)


def test_colours_are_kept_where_there_are_any_and_grey_where_asked(tmp_path):
    tree(tmp_path)
    assert load(str(tmp_path)).shape == (1, 12, 12)
    picture(tmp_path / "train" / "dark" / "red.png", 20, mode="RGB")
    data = load(str(tmp_path))
    assert data.shape == (3, 12, 12)
    assert any("1 of 61 pictures are coloured" in note for note in data.notes)
    assert load(str(tmp_path), reading=Reading(colour="grey")).shape == (1, 12, 12)


def test_unreadable_pictures_stop_or_are_skipped_and_listed(tmp_path):
    tree(tmp_path)
    (tmp_path / "train" / "dark" / "bad.png").write_text("no picture")
    cut = tmp_path / "test" / "light" / "cut.png"
    cut.write_bytes((tmp_path / "test" / "light" / "1.png").read_bytes()[:90])
    (tmp_path / "train" / "dark" / "notes.txt").write_text("not a picture, and not meant as one")
    with pytest.raises(UsageError, match=r"2 pictures cannot be read: test/light/cut.png: .*train/dark/bad.png: ") as e:
        load(str(tmp_path))
    assert "--unreadable skip" in str(e.value)
    assert "\n" not in str(e.value)
    data = load(str(tmp_path), reading=Reading(unreadable="skip"))
    assert (len(data.train_labels), len(data.test_labels)) == (30, 30)
    assert sum("skipped" in note for note in data.notes) == 2


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda root: None, "holds no data set"),
        (lambda root: picture(root / "a.png", 5), "not in one folder per class"),
        (lambda root: (root / "cat").mkdir(), "no folder in it holds pictures"),
        (lambda root: [picture(root / "cat" / "a.png", 5), (root / "dog").mkdir()], "dog holds no pictures"),
        (lambda root: tree(root, parts=("test",)), "no train/"),
        (
            lambda root: [tree(root), picture(root / "test" / "purple" / "a.png", 5)],
            "the class purple, which is no class to train on; those are dark, grey, light",
        ),
    ],
)
def test_a_directory_that_is_no_data_set_says_what_is_wrong(tmp_path, make, told):
    make(tmp_path)
    with pytest.raises(UsageError, match=told) as error:
        load(str(tmp_path))
    assert "\n" not in str(error.value)


def test_transparency_depth_and_orientation(tmp_path):
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.putpixel((1, 2), (10, 20, 30, 255))
    clear.save(tmp_path / "clear.png")
    values = read(tmp_path / "clear.png", (4, 4), "rgb")
    assert values[:, 0, 0].tolist() == [255, 255, 255]
    assert values[:, 2, 1].tolist() == [10, 20, 30]
    Image.fromarray(np.array([[0, 257 * 100], [65535, 257]], dtype=np.uint16)).save(tmp_path / "deep.png")
    assert read(tmp_path / "deep.png", (2, 2), "grey").flatten().tolist() == [0, 100, 255, 1]
    turned = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    assert read(tmp_path / "turned.png", (3, 2), "grey")[0].tolist() == [[3, 0], [4, 1], [5, 2]]
    with pytest.raises(UnreadableError):
        read(tmp_path / "absent.png", (2, 2), "grey")


def test_sizes_and_limits_are_parsed_or_refused(monkeypatch):
    assert (parse_size("28"), parse_size("28x32")) == ((28, 28), (28, 32))
    assert (parse_bytes("500M"), parse_bytes("2g"), parse_bytes("12")) == (500 << 20, 2 << 30, 12)
    for wrong in ("x", "28x", "1x2x3", "-4", "a"):
        with pytest.raises(UsageError):
            parse_size(wrong)
    monkeypatch.setenv("SHAPEPROOF_MEMORY", "lots")
    with pytest.raises(UsageError, match="give bytes"):
        memory_limit()


def weights(path):
    return (path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_beyond_the_limit_give_the_same_weights_from_their_files(tmp_path, monkeypatch, workers):
    tree(tmp_path / "set")
    monkeypatch.setattr(ahead, "MOST_WORKERS", workers)
    monkeypatch.setattr(ahead.threads, "available", lambda: workers + 1)
    options = {"epochs": 2, "batch_size": 7, "drop_last": False, "rotation": 5.0}
    recipe = FAST.with_changes(**options)
    ways = {}
    for name, limit in (("memory", "1G"), ("files", "1K")):
        monkeypatch.setenv("SHAPEPROOF_MEMORY", limit)
        run = sp.train(
            small(1), str(tmp_path / "set"), recipe, output=tmp_path / name, threads=1, validation=0.2, device="cpu"
        )
        ways[name] = run.record["data"]["way"]
    assert ways == {"memory": "memory", "files": "files"}
    assert weights(tmp_path / "memory") == weights(tmp_path / "files")


NETWORK = """
from torch import nn
class Net(nn.Module):
    def __init__(self, num_classes=3, channels=1):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.fc = nn.Linear(4, num_classes)
    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))
"""


def command(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.py").write_text(NETWORK)
    return f"{tmp_path / 'net.py'}:Net"


def test_train_and_evaluate_from_the_command_line(tmp_path, net, capsys):
    root, run = tree(tmp_path / "set", mode="RGB"), tmp_path / "run"
    words = ["train", net, "--data", root, "--colour", "grey", "--image-size", "14", "--epochs", "2"]
    assert command(*words, "--threads", "1", "--output", run) == 0
    record = json.loads((run / "run.json").read_text())
    assert record["data"]["classes"] == ["dark", "grey", "light"]
    assert record["data"]["reading"]["image_size"] == [14, 14]
    assert record["preparation"]["channels"] == 1
    capsys.readouterr()
    assert command("evaluate", run, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [score["name"] for score in found["classes"]] == ["dark", "grey", "light"]
    other = tree(tmp_path / "other", parts=("",), count=3, size=(30, 20))
    assert command("evaluate", run, "--data", other, "--json") == 0
    assert json.loads(capsys.readouterr().out)["count"] == 9
    assert load_run(run).load_data(str(other)).shape == (1, 14, 14)
    picture(other / "violet" / "a.png", 3)
    assert command("evaluate", run, "--data", other) == 2
    assert "violet" in capsys.readouterr().err


def test_a_network_that_does_not_fit_is_met_with_what_to_do(tmp_path, net, capsys):
    root = tree(tmp_path / "set", mode="RGB")
    assert command("train", net, "--data", root, "--output", tmp_path / "a") == 1
    err = capsys.readouterr().err
    assert "in-channels" in err
    assert "which --colour grey makes of them" in err
    grey = ["--colour", "grey", "--set", "num_classes=7", "--output", tmp_path / "a"]
    assert command("train", net, "--data", root, *grey) == 1
    err = capsys.readouterr().err
    assert "tells 7 classes apart, but set has 3 (dark, grey, light)" in err
    assert "--set num_classes=3" in err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("words", [["--image-size", "0"], ["--image-size", "big"], ["--test-share", "0"]])
def test_options_of_reading_that_make_no_sense_are_one_line(tmp_path, net, capsys, words):
    assert command("train", net, "--data", tree(tmp_path / "set"), *words, "--output", tmp_path / "a") == 2
    err = capsys.readouterr().err
    assert words[0] in err
    assert "Traceback" not in err
