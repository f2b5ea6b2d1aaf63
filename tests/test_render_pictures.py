"""Pictures and graphs of a derivation: SVG, PNG, Mermaid, DOT."""

import builtins
import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
import torch
from PIL import Image
from torch import nn

import shapeproof as sp
from shapeproof.cli import main
from shapeproof.errors import UsageError
from shapeproof.models.document import FourStage
from shapeproof.render import png
from shapeproof.render.graph import graph
from shapeproof.render.scene import Area, Scene, Words, mixed, scene

SVG = "{http://www.w3.org/2000/svg}"


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        x = self.first(x)
        return x + self.second(x.relu())


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return x + self.fc(x).relu().sigmoid()


class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(torch.flatten(x, 1))


def odd_name():
    model = Wrong()
    Odd = type('Odd "<b>" $x$ \\ # `', (Wrong,), {})
    model.__class__ = Odd
    return model


@pytest.fixture(scope="module")
def four():
    return sp.derive(FourStage().eval(), "N,1,28,28")


def texts(svg):
    return [e.text for e in ET.fromstring(svg).iter(f"{SVG}text")]  # our own text


def test_the_svg_says_every_step_and_stands_alone(four):
    svg = four.render("svg")
    shown = texts(svg)
    for step in four.steps:
        assert f"{step.op}  {step.module}".strip() in shown
    assert "⌊(7 + 2*0 - 2)/2⌋ + 1 = 3" in shown
    assert "the floor drops the last row (7 → 3) and the last column (7 → 3)" in shown
    assert shown.count("✓") == len(four.steps)
    assert not re.search(r"(href|src)=", svg)


def test_boxes_are_to_scale(four):
    fronts = [s for s in scene(four).shapes if isinstance(s, Area) and len(s.points) == 4][2::3]
    widths = [round(max(x for x, _ in f.points) - min(x for x, _ in f.points), 2) for f in fronts]
    assert widths[0] == 92  # 28
    assert widths[3] == 46  # 14
    assert widths[7] == 23  # 7


def test_rows_do_not_run_into_each_other(four):
    words = [s for s in scene(four).shapes if isinstance(s, Words) and not s.end]
    heights = [word.at[1] for word in words]
    assert heights == sorted(heights)
    assert min(b - a for a, b in pairwise(heights)) >= 15


def test_png_is_the_same_picture_twice_as_large(four):
    pytest.importorskip("matplotlib")
    picture = Image.open(io.BytesIO(four.render("png")))
    drawn = scene(four)
    assert picture.size == (round(drawn.width * 2), round(drawn.height * 2))
    assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    colours = picture.convert("RGB").getcolors(1 << 20)
    assert {(91, 141, 239), (33, 163, 154), (154, 110, 224)} <= {colour for _, colour in colours}


def test_png_without_matplotlib_names_the_extra(four, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"shapeproof\[plot\]"):
        four.render("png")


def test_a_picture_that_no_png_can_hold_is_refused_with_a_way_out():
    with pytest.raises(UsageError, match="svg"):
        png.painted(Scene(1000, 40_000, (), "long"))


def test_png_goes_to_a_file(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["derive", "two-stage", "--input", "N,1,28,28", "--format", "png"])
    assert stop.value.code == 2
    assert "--output" in capsys.readouterr().err
    target = tmp_path / "x.png"
    with pytest.raises(SystemExit) as stop:
        main(["derive", "two-stage", "--input", "N,1,28,28", "--format", "png", "--output", str(target)])
    assert stop.value.code == 0
    assert target.read_bytes().startswith(b"\x89PNG")


def test_mixing_colours():
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"
    assert mixed("#123456", "#ffffff", 0) == "#123456"


def test_the_graph_has_an_arrow_for_every_result_that_is_used():
    found = graph(sp.derive(Skip(), "N,1,8,8"))
    assert found.arrows == (("in0", "s0"), ("s0", "s1"), ("s1", "s2"), ("s0", "s3"), ("s2", "s3"))
    assert [node.name for cluster in found.clusters for node in cluster.nodes] == ["in0", "s0", "s1", "s2", "s3"]


def test_a_repeated_block_is_one_cluster():
    model = nn.Sequential(nn.Linear(4, 8), *[Block() for _ in range(5)], nn.Linear(8, 2))
    found = graph(sp.derive(model, "N,4"))
    assert [(c.title, len(c.nodes)) for c in found.clusters] == [("", 2), ("5 times: 1 ... 5", 4), ("", 1)]
    assert ("s4", "s21") in found.arrows
    assert "subgraph g1" in sp.derive(model, "N,4").render("mermaid")


MODELS = [Skip, FourStage, odd_name]


@pytest.mark.parametrize("make", MODELS)
def test_dot_is_what_graphviz_reads(make):
    if not shutil.which("dot"):
        pytest.skip("needs Graphviz: `apt-get install graphviz`")
    derivation = sp.derive(make().eval(), "N,1,28,30" if make is odd_name else "N,1,28,28")
    done = subprocess.run(
        ["dot", "-Tplain"], input=derivation.render("dot"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert sum(row.startswith("node ") for row in rows) == len(derivation.steps) + 1
    assert sum(row.startswith("edge ") for row in rows) == len(graph(derivation).arrows)


@pytest.mark.parametrize("make", MODELS)
def test_mermaid_is_made_of_its_few_forms(make):
    derivation = sp.derive(make().eval(), "N,1,28,30" if make is odd_name else "N,1,28,28")
    head, title, rule, kind, *body = derivation.render("mermaid").splitlines()
    assert (head, rule, kind) == ("---", "---", "flowchart TD")
    assert title.startswith('title: "')
    box = re.compile(r'  +\w+\["[^"<>`]*(<br>[^"<>`]*)*"\]:::\w+')
    arrow, look = re.compile(r"  \w+ --> \w+"), re.compile(r"  classDef \w+ [\w:#,]+")
    assert all(box.fullmatch(row) or arrow.fullmatch(row) or look.fullmatch(row) for row in body)
    assert len(re.findall(r":::failed", "\n".join(body))) == (1 if make is odd_name else 0)


def test_names_that_look_like_markup_stay_names():
    derivation = sp.derive(odd_name(), "N,1,28,30")
    assert 'Odd "<b>" $x$ \\ # `' in texts(derivation.render("svg"))[0]
    assert "expected" in derivation.render("svg")


@pytest.mark.parametrize("form", ["html", "svg", "mermaid", "dot"])
def test_the_command_knows_every_form(form, tmp_path):
    target = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        main(["derive", "two-stage", "--input", "N,1,H,W", "--format", form, "--output", str(target)])
    assert stop.value.code == 0
    assert "max_pool2d" in target.read_text(encoding="utf-8")
