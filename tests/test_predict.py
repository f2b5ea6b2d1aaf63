"""A person's own picture: found, prepared as MNIST's were, told, and not trusted where it is no digit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import oddities
from photographs import claiming, encoded, photograph
from shapeproof.cli import main
from shapeproof.serving.opening import open_run
from shapeproof.serving.pictures import decode
from shapeproof.serving.preparing import prepare
from shapeproof.serving.reading import read_pixels


@pytest.fixture(scope="module")
def run():
    return open_run(None)


@pytest.fixture(scope="module")
def mnist():
    if not os.environ.get("SHAPEPROOF_DATA"):
        pytest.skip("needs the real MNIST under SHAPEPROOF_DATA")
    from shapeproof.data import load

    found = load("mnist")
    return found.test_images[:, 0].numpy(), found.test_labels.numpy()


@pytest.fixture
def command(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return call


def pixels(image):
    return np.asarray(image.convert("RGB"), np.float32) / 255


def seven(ground=255, ink=0, mode="L", side=300, width=22):
    """A seven drawn with a pen of ``width`` pixels."""
    image = Image.new(mode, (side, side), ground)
    line = [(side * 0.3, side * 0.25), (side * 0.7, side * 0.25), (side * 0.45, side * 0.8)]
    ImageDraw.Draw(image).line(line, fill=ink, width=width, joint="curve")
    return image


def test_what_is_seen_lies_as_mnists_pictures_do():
    seen = prepare(pixels(seven())).seen
    rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    middle = [(seen.sum(axis) * (np.arange(28) + 0.5)).sum() / seen.sum() for axis in (0, 1)]
    assert all(14 <= m < 15 for m in middle)
    assert seen.max() == 255


@pytest.mark.mnist
def test_mnists_own_pictures_come_out_almost_as_they_are(mnist):
    images, _ = mnist
    whole = (np.repeat(x[..., None] / np.float32(255), 3, 2) for x in images[:200])
    away = [np.abs(prepare(p).seen - x.astype(float)).mean() for p, x in zip(whole, images, strict=False)]
    assert np.mean(away) < 1


@pytest.mark.parametrize(
    ("ground", "ink", "mode"),
    [(255, 0, "L"), (0, 255, "L"), ((240, 220, 180), (20, 40, 120), "RGB"), ((0, 90, 0), (250, 240, 90), "RGB"),
     # the same brightness, another colour
     ((200, 60, 60), (20, 136, 60), "RGB"),
     ((0, 0, 0, 0), (0, 0, 0, 255), "RGBA"), ((0, 0, 0, 0), (255, 255, 255, 255), "RGBA"),
     ((255, 255, 255, 0), (40, 40, 200, 255), "RGBA")],
)  # fmt: skip
def test_a_seven_is_sure_in_any_colours(run, ground, ink, mode):
    picture = decode(encoded(seven(ground, ink, mode), "PNG"), "seven.png")
    reading = read_pixels(run, picture)
    assert (reading.answer.name, reading.answer.sure) == ("7", True), reading.letters


@pytest.mark.parametrize(("side", "width"), [(28, 3), (60, 5), (300, 3), (1200, 20), (3000, 200)])
def test_size_and_pen_do_not_matter(run, side, width):
    reading = read_pixels(run, decode(encoded(seven(side=side, width=width), "PNG"), "seven.png"))
    assert (reading.answer.name, reading.answer.sure) == ("7", True), reading.letters


@pytest.mark.parametrize("form", ["JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_forms_of_files(run, form):
    assert read_pixels(run, decode(encoded(seven(), form), "seven")).answer.name == "7"


def test_sixteen_bits_and_palettes_and_turned_photographs(run):
    deep = Image.fromarray(np.asarray(seven(), np.uint16) * 257)
    assert read_pixels(run, decode(encoded(deep, "PNG"), "deep")).answer.name == "7"
    assert read_pixels(run, decode(encoded(seven().convert("P"), "PNG"), "palette")).answer.name == "7"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    turned = encoded(seven().rotate(90), "JPEG", exif=exif)
    assert read_pixels(run, decode(turned, "turned")).answer.name == "7"


@pytest.mark.mnist
def test_photographs_of_real_test_digits_are_told(run, mnist):
    images, labels = mnist
    rng = np.random.default_rng(1)
    right = sure = 0
    for i in range(0, 10_000, 50):
        reading = read_pixels(run, decode(encoded(photograph(images[i], rng), quality=80), "photo"))
        assert reading.prepared.dark_on_light
        right += reading.answer.label == labels[i]
        sure += reading.answer.sure
    assert right >= 195  # of 200; 99.6 % of 1,000 when measured
    assert sure >= 190


@pytest.mark.mnist
def test_real_digits_are_sure_and_what_is_none_mostly_is_not(run, mnist):
    images, _ = mnist
    sure = [read_pixels(run, np.repeat(x[..., None] / np.float32(255), 3, 2)).answer.sure for x in images[:300]]
    assert np.mean(sure) >= 0.97


def odd_pictures():
    rng = np.random.default_rng(2)
    yield from ((f"letter {c}", oddities.letter(c, rng)) for c in oddities.LETTERS)
    yield from (("scribble", oddities.scribble(rng)) for _ in range(20))
    yield from (("noise", oddities.noise(rng)) for _ in range(10))
    yield from (("cloud", oddities.cloud(rng)) for _ in range(10))
    yield from ((kind, oddities.shape(kind, rng)) for kind in oddities.SHAPES)


def test_what_is_no_digit_is_seldom_sure(run):
    sure = [name for name, image in odd_pictures() if read_pixels(run, pixels(image)).answer.sure]
    assert len(sure) <= 0.2 * len(list(odd_pictures())), sure
    assert not {"noise", "cloud", "square", "disc", "stripes"} & set(sure)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_picture_shows_nothing(run, value):
    answer = read_pixels(run, pixels(Image.new("L", (100, 60), value))).answer
    assert (answer.label, answer.sure, answer.reason) == (None, False, "no-ink")


def bad_files(folder):
    (folder / "text.png").write_text("hello")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes(encoded(seven(), "PNG")[:-300])
    (folder / "cut.jpg").write_bytes(encoded(seven())[:300])
    (folder / "huge.png").write_bytes(claiming(60_000, 60_000))
    (folder / "wide.png").write_bytes(claiming(9_000, 9_000))
    (folder / "zero.png").write_bytes(claiming(0, 0))
    (folder / "folder.png").mkdir()
    return sorted(folder.iterdir())


def test_a_bad_picture_is_one_clear_line(tmp_path, command):
    for path in [*bad_files(tmp_path), tmp_path / "missing.png"]:
        status, out, err = command("predict", "pretrained", path)
        assert (status, out) == (2, ""), path
        assert err.startswith("shapeproof: "), err
        assert str(path) in err
        assert err.count("\n") == 1, err


def test_one_bad_picture_does_not_hide_the_others(tmp_path, command):
    seven().save(tmp_path / "seven.png")
    (tmp_path / "bad.png").write_text("no")
    status, out, _ = command("predict", tmp_path / "seven.png", tmp_path / "bad.png", "--quiet")
    assert status == 2
    assert "seven.png: 7, sure" in out


def test_json_and_what_was_seen(tmp_path, command):
    seven().save(tmp_path / "mine.png")
    status, out, _ = command("predict", "pretrained", tmp_path / "mine.png", "--json", "--save-seen", tmp_path / "seen")
    (found,) = json.loads(out)
    assert (status, found["name"], found["sure"], len(found["probabilities"])) == (0, "7", True, 10)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "seen" / "mine-seen.png")), np.array(found["seen"]))


def test_bad_runs(tmp_path, command):
    picture, run = tmp_path / "mine.png", tmp_path / "run"
    seven().save(picture)
    shipped = Path(open_run(None).path)
    assert command("predict", tmp_path / "nowhere", picture)[0] == 2
    run.mkdir()
    assert command("predict", run, picture)[0] == 2
    (run / "run.json").write_bytes((shipped / "run.json").read_bytes())
    status, _, err = command("predict", run, picture)
    assert (status, "model.safetensors" in err) == (2, True)
    (run / "model.safetensors").write_bytes((shipped / "judge.safetensors").read_bytes())
    status, _, err = command("predict", run, picture)
    assert (status, "another network" in err) == (2, True)


def test_the_shipped_network_is_small_and_names_no_machine():
    folder = Path(open_run(None).path)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_000_000
    record = json.loads((folder / "run.json").read_text())
    assert record["final"]["test_accuracy"] > 0.99
    assert "/" not in record["data"]["source"]


def test_a_missing_extra_is_named(tmp_path):
    seven().save(tmp_path / "mine.png")
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        f"from shapeproof.cli import main; main(['predict', {str(tmp_path / 'mine.png')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'shapeproof[train]'" in done.stderr


@pytest.mark.parametrize(
    ("given", "words"), [([], "name the pictures"), (["nowhere.png"], "there is no file nowhere.png")]
)
def test_nothing_to_read_is_one_line(given, words, command):
    status, _, err = command("predict", *given)
    assert (status, err.count("\n"), words in err) == (2, 1, True)
