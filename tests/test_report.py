"""The run's report: every part of it, parts that fail alone, and runs side by side."""

import base64
import io
import json
import re
import shutil

import numpy
import pytest
import torch
from PIL import Image
from torch import nn

import shapeproof as sp
from shapeproof.cli import main
from shapeproof.models.document import FourStage
from shapeproof.render.charts import Line, bars, chart, log_ticks, ticks
from shapeproof.training import report
from shapeproof.training.evaluate import evaluate
from shapeproof.training.images import as_bytes, data_uri, maps, sheet
from shapeproof.training.preparation import Preparation
from shapeproof.training.report_parts import confusion, mistakes, settings, through
from shapeproof.training.stages import stages
from training_data import Small, stripes


def shapeproof(*args):
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in args])
    return stop.value.code


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "first"
    assert shapeproof("train", "two-stage", "--data", "digits", "--epochs", "1", "--output", path, "--quiet") == 0
    return path


@pytest.fixture
def copied(digits_run, tmp_path):
    return shutil.copytree(digits_run, tmp_path / "copy")


def test_every_training_ends_with_a_whole_report(digits_run):
    text = (digits_run / "report.html").read_text(encoding="utf-8")
    for title in ("How it learned", "Each class", "What was taken for what", "The worst mistakes",
                  "What the first layer looks for", "One picture through all stages", "how to repeat it",
                  "The network, step by step"):  # fmt: skip
        assert title in text
    assert "This part could not be made" not in text
    assert "shapeproof train --repeat" in text
    record = json.loads((digits_run / "run.json").read_text())
    assert f"{100 * record['final']['test_accuracy']:.2f} %" in text
    assert record["data"]["sha256"] in text
    assert re.findall(r"""(?:src|href)=["']?(?!#|data:)[^"' >]+""", text.split("<script")[0]) == []


def test_the_command_writes_the_same_figures(copied, capsys):
    before = (copied / "report.html").read_text()
    (copied / "report.html").unlink()
    assert shapeproof("report", copied) == 0
    assert capsys.readouterr().out.strip() == str(copied / "report.html")
    after = (copied / "report.html").read_text()
    table = re.compile(r'<table class="confusion">.*?</table>', re.DOTALL)
    assert table.search(after)[0] == table.search(before)[0]


def test_the_mistakes_are_the_pictures_that_were_told_wrong(digits_run):
    run = sp.load_run(digits_run)
    data = run.load_data()
    found = evaluate(run.predict(data.test_images), data.test_labels, data.classes)
    text = mistakes(found, data.test_images)
    first = found.mistakes[0]
    shown = re.search(r'src="data:image/png;base64,([^"]+)"', text)[1]
    picture = numpy.asarray(Image.open(io.BytesIO(base64.b64decode(shown))))
    assert (picture == data.test_images[first.index][0].numpy()).all()
    assert f"{data.classes[first.true]}, taken for {data.classes[first.told]}" in text
    assert text.count("<figure>") == min(24, len(found.mistakes))


CHAIN = ["28x28x1", "14x14x16", "7x7x32", "3x3x64", "1x1x128"]


def test_a_cut_picture_is_shown_whole_where_the_network_can_read_it():
    images = torch.randint(0, 255, (1, 1, 28, 28), dtype=torch.uint8)
    text = through(FourStage(), Preparation(1, 28, 28, 2), images, torch.tensor([0]), ("a",))
    assert re.findall(r"<b>(\d+x\d+x\d+)</b>", text) == CHAIN
    assert "read its middle, 24x24" in text
    fixed = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(242, 3))
    text = through(fixed, Preparation(1, 28, 28, 2), images, torch.tensor([0]), ("a",))
    assert "22x22x2" in text
    assert "read its middle" not in text


def test_the_document_s_chain_is_shown():
    images = torch.randint(0, 255, (2, 1, 28, 28), dtype=torch.uint8)
    text = through(FourStage(), Preparation(1, 28, 28), images, torch.tensor([3, 1]), tuple("abcdef"))
    sizes = re.findall(r"<b>(\d+x\d+x\d+)</b>", text)
    assert sizes == CHAIN
    assert "a d" in text


class Nested(nn.Module):
    """Layers in one child, as VGG has them; colour in."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.MaxPool2d(2)
        )
        self.fc = nn.Linear(8 * 4 * 4, 2)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))


def test_stages_of_nested_layers_and_the_model_left_as_it_was():
    model = Nested().train()
    found = stages(model, torch.rand(1, 3, 16, 16))
    assert [(s.module, tuple(s.maps.shape)) for s in found] == [
        ("features.0", (4, 16, 16)), ("features.2", (4, 8, 8)), ("features.4", (8, 4, 4)),
    ]  # fmt: skip
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert stages(nn.Flatten(), torch.rand(1, 1, 4, 4)) == []


def record_of(classes, channels=1, size=12):
    return {
        "model": {"target": "mine.py:Net<b>", "class": "Net", "parameters": 5, "settings": {"width": 3}},
        "data": {"name": "<i>", "classes": list(classes), "sha256": "0" * 64},
        "recipe": {"name": "fast", "epochs": 1.0},
        "preparation": Preparation(channels, size, size, 0, (0.0,) * channels, (1.0,) * channels).to_dict(),
        "status": "finished",
    }


def test_colour_pictures_other_classes_and_names_that_look_like_markup(tmp_path):
    names = ("cat", "<script>alert(1)</script>")
    images = torch.randint(0, 255, (6, 3, 16, 16), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    chances = torch.tensor([[0.9, 0.1]] * 6)
    text = report.made(tmp_path, record_of(names, 3, 16), [], report.Tested(Nested().eval(), images, labels, chances))
    assert "could not be made" not in text
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "Net&lt;b&gt;" in text
    assert text.count('class="pixels"') == 3 + 1 + 4  # mistakes, filters, the picture and its three stages


def test_a_part_that_fails_says_so_and_the_others_stand(tmp_path):
    class Broken(nn.Module):
        def forward(self, x):
            raise ZeroDivisionError("of its own")

    data = stripes()
    labels = data.test_labels
    chances = torch.nn.functional.one_hot(labels, 3).float()
    tested = report.Tested(Broken(), data.test_images, labels, chances)
    text = report.made(tmp_path, record_of(data.classes), [], tested)
    assert text.count("This part could not be made: ZeroDivisionError: of its own") == 2
    assert "No test picture was told wrong." in text
    assert "100.00 %" in text


def test_a_report_needs_nothing_but_a_record(tmp_path):
    text = report.made(tmp_path, record_of("ab"), [])
    assert "Nothing to draw yet." in text
    text = report.made(tmp_path, record_of("ab"), [], report.Tested(Small(), why="no pictures <here>"))
    assert "no pictures &lt;here&gt;" in text
    assert "could not be made" not in text


def test_many_classes_are_told_in_pairs_instead_of_a_table():
    count = 40
    labels = torch.arange(count).repeat(3)
    chances = torch.nn.functional.one_hot(labels, count).float()
    chances[0] = torch.nn.functional.one_hot(torch.tensor(7), count)
    found = evaluate(chances, labels, tuple(f"class {n}" for n in range(count)))
    text = confusion(found)
    assert "<table" not in text
    assert "class 0 taken for class 7: 1" in text


@pytest.mark.parametrize("file", ["model.safetensors", "run.json"])
def test_a_run_without_its_files_is_one_line_and_status_2(copied, file, capsys):
    (copied / file).unlink()
    assert shapeproof("report", copied) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert file in told


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: (run / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:500]),
        lambda run: (run / "run.json").write_text((run / "run.json").read_text()[:300]),
        lambda run: (run / "run.json").write_text("[]"),
        lambda run: (run / "run.json").write_text((run / "run.json").read_text().replace("two-stage", "four-stage")),
    ],
)
def test_a_half_written_run_is_one_line_and_status_2(copied, spoil, capsys):
    spoil(copied)
    assert shapeproof("report", copied) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_missing_data_leaves_the_rest_standing(copied, capsys):
    record = json.loads((copied / "run.json").read_text())
    record["data"]["asked"] = "/nowhere/at/all"
    (copied / "run.json").write_text(json.dumps(record))
    assert shapeproof("report", copied) == 0
    assert "/nowhere/at/all" in capsys.readouterr().err
    text = (copied / "report.html").read_text()
    assert "not measured" in text
    assert "What the first layer looks for" in text


def test_bad_output_is_one_line_and_status_2(digits_run, tmp_path, capsys):
    assert shapeproof("report", digits_run, "--output", tmp_path / "no" / "such" / "x.html") == 2
    assert "does not exist" in capsys.readouterr().err


def test_runs_side_by_side_tell_what_differs(digits_run, copied, tmp_path, capsys):
    record = json.loads((copied / "run.json").read_text())
    record["recipe"]["learning_rate"] = 0.5
    record["seed"] = 7
    (copied / "run.json").write_text(json.dumps(record))
    target = tmp_path / "both.html"
    assert shapeproof("report", digits_run, copied, "--output", target) == 0
    text = target.read_text()
    differs = re.search(r"What differs.*?</section>", text, re.DOTALL)[0]
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>', differs)
    assert rows == [("seed", "0", "7"), ("recipe learning_rate", "0.02", "0.5")]
    assert ">first<" in text
    assert ">copy<" in text


def test_settings_hold_what_decides_the_result():
    found = settings(record_of("ab"))
    assert found["model width"] == "3"
    assert found["recipe epochs"] == "1.0"


def test_sheets_hold_every_picture_in_its_place():
    pictures = torch.arange(5 * 6, dtype=torch.uint8).view(5, 1, 2, 3)
    made = sheet(pictures, columns=2)
    assert made.shape == (2, 8, 7)
    assert torch.equal(made[:1, 3:5, 4:7], pictures[3])
    assert (made[1, 2] == 0).all()
    assert (made[1, 6:, 4:] == 0).all()
    opened = Image.open(io.BytesIO(base64.b64decode(data_uri(made).split(",")[1])))
    assert (numpy.asarray(opened).transpose(2, 0, 1) == made.numpy()).all()


def test_activations_that_are_no_numbers_do_not_break_a_picture():
    x = torch.tensor([[[0.0, float("nan")], [1.0, 2.0]]])
    assert as_bytes(x).tolist() == [[[0, 0], [255, 255]]]
    assert maps(torch.zeros(300, 1, 1)).shape == (128, 1, 1, 1)


def test_axes_have_round_numbers():
    assert ticks(0, 5) == [0, 1, 2, 3, 4, 5]
    assert ticks(0.61, 0.97) == [0.6, 0.7, 0.8, 0.9, 1.0]
    assert ticks(3, 3)[0] <= 3 <= ticks(3, 3)[-1]
    assert log_ticks(0.03, 2.3) == [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
    assert log_ticks(1e-9, 10)[0] == 1e-9
    assert len(log_ticks(1, 1)) > 1


def test_a_chart_leaves_out_what_cannot_be_drawn_and_keeps_the_ends():
    points = [(n / 100, 1 / (n + 1)) for n in range(1000)] + [(10.0, float("nan")), (10.1, -1.0)]
    text = chart([Line("a", points), Line("b", [])], "run.loss.curve", "run.epochs", log=True)
    assert text.count('class="line') == 1
    way = re.search(r' d="M([^"]+)"/>', text.split('class="line')[1])[1]
    assert len(way.split("L")) <= 401
    assert "nan" not in way
    assert "<ul" not in text
    assert "<svg" not in chart([Line("a", [(1, float("inf"))])], "run.loss.curve", "run.epochs")


def test_a_bar_is_as_long_as_its_share():
    text = bars([("<a>", 0.25, (0.1, 0.5), "25 %"), ("b", None, None, "-")])
    assert "width:25.00%" in text
    assert "left:10.00%;width:40.00%" in text
    assert "&lt;a&gt;" in text
    assert text.count('class="bar"') == 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_report_in_a_browser(visit, digits_run, width):
    page = visit((digits_run / "report.html").as_uri(), viewport={"width": width, "height": 900}, locale="zh-CN")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "学习过程" in page.locator("main").inner_text()
    page.click("#language")
    assert "How it learned" in page.locator("main").inner_text()
    page.focus("#s0")
    assert page.locator("#window .grid-frame").count() >= 1
    broken = page.evaluate("[...document.images].filter((i) => !i.naturalWidth).length")
    assert broken == 0
