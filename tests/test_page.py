"""The derivation's page as text: whole in itself, small, true; and its parts: trees, mathematics, folding, lanes."""

import html
import json
import math
import random
import re

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.dims import Dim, letter
from shapeproof.dims.trees import of_formula, of_poly, of_relation
from shapeproof.models.document import FourStage, TwoStage
from shapeproof.render import mathml
from shapeproof.render.drawing import extent, extents, scales
from shapeproof.render.folding import Group, folded
from shapeproof.render.lanes import Row, rows
from shapeproof.render.strings import STRINGS, said
from shapeproof.rules.window import DILATED, PLAIN, Window


class Bottleneck(nn.Module):
    """ResNet's block (He et al. 2016), as torchvision has it."""

    def __init__(self, before, middle, stride=1):
        super().__init__()
        after = 4 * middle
        self.conv1 = nn.Conv2d(before, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        plain = before == after and stride == 1
        self.downsample = (
            None if plain else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        )

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, blocks=(3, 4, 6, 3)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = 64
        for stage, count in enumerate(blocks):
            middle = 64 << stage
            made = [Bottleneck(before, middle, 2 if stage else 1)]
            made += [Bottleneck(4 * middle, middle) for _ in range(count - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
            before = 4 * middle
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(before, 1000)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


@pytest.fixture(scope="module")
def resnet50():
    return sp.derive(ResNet().eval(), "N,3,H,W")


@pytest.fixture(scope="module")
def four():
    return sp.derive(FourStage().eval(), "N,1,H,W")


def value(tree, letters):
    """What the page's script does, once more."""
    if not isinstance(tree, list):
        return letters[tree] if isinstance(tree, str) else tree
    kind, *parts = tree
    a, *rest = (value(part, letters) for part in parts)
    b = rest[0] if rest else None
    if kind == "*":
        return math.prod([a, *rest])
    return {
        "+": lambda: a + b, "-": lambda: a - b, "/": lambda: a / b, "^": lambda: a**b, "floor": lambda: math.floor(a),
        "ceil": lambda: math.ceil(a), "==": lambda: a == b, "!=": lambda: a != b, ">=": lambda: a >= b,
        "mod": lambda: a % b == 0,
    }[kind]()  # fmt: skip


def random_size(rng, depth=0):
    """A size computed as models compute them."""
    if depth > 3 or rng.random() < 0.2:
        return rng.choice([letter("H", 28), letter("W", 20), rng.randint(1, 9)])
    a, b = random_size(rng, depth + 1), random_size(rng, depth + 1)
    how = rng.randrange(5)
    if how == 0:
        return a + b
    if how == 1:
        return a - b
    if how == 2:
        return a * b
    return (a + rng.randint(-3, 3)) // rng.randint(1, 5) if how == 3 else -(-a // rng.randint(1, 4))


def test_a_tree_has_the_value_of_its_expression():
    rng = random.Random(0)  # not for secrets
    tried = 0
    while tried < 300:
        size = random_size(rng)
        if not isinstance(size, Dim):
            continue
        tried += 1
        for _ in range(5):
            sizes = {"H": rng.randint(1, 300), "W": rng.randint(1, 300)}
            tree = json.loads(json.dumps(of_poly(size.expr)))
            assert value(tree, sizes) == size.expr.value(sizes), size


def test_a_condition_s_tree_holds_where_the_condition_does(four):
    assert four.conditions
    for condition in four.conditions:
        for height in range(1, 40):
            sizes = {"N": 1, "H": height, "W": 28}
            assert value(of_relation(condition.relation), sizes) == condition.relation.holds(sizes)


def runs(page, sizes):
    """Whether the model runs, as the page's script reads the domain from it."""
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])

    def within(spec, n):
        intervals, period, remainders, start = spec
        repeats = period > 1 and n >= start and n % period in remainders
        return repeats or any(low <= n and (high is None or n <= high) for low, high in intervals)

    return any(
        all(within(spec, sizes[name]) for name, spec in part["sets"].items())
        and all(value(tree, sizes) for tree in part["also"])
        for part in data["domain"]
    )


def unet():
    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Conv2d(1, 4, 3, padding=1)
            self.pool = nn.MaxPool2d(4)
            self.up = nn.ConvTranspose2d(4, 4, 4, 4)

        def forward(self, x):
            x = self.down(x)
            return torch.cat([self.up(self.pool(x)), x], 1)

    return UNet()


class Branching(nn.Module):
    def forward(self, x):
        return x[:, :10] if x.shape[1] > 20 else x * 2


class Tied(nn.Module):
    def forward(self, x):
        return x + x.transpose(1, 2)


DOMAINS = [(TwoStage, "N,1,H,W"), (FourStage, "N,1,H,W"), (unet, "N,1,H,W"), (Branching, "N,W"), (Tied, "N,H,W")]


@pytest.mark.parametrize(("make", "spec"), DOMAINS)
def test_the_page_s_domain_is_the_derivation_s(make, spec):
    derivation = sp.derive(make().eval(), spec)
    page = derivation.to_html()
    rng = random.Random(1)  # not for secrets
    found = set()
    for _ in range(400):
        sizes = {name: rng.randint(1, 40) for name, _ in derivation.sizes}
        if rng.random() < 0.5 and "H" in sizes:
            sizes["H"] = sizes["W"]
        found.add(derivation.domain.contains(**sizes))
        assert runs(page, sizes) == derivation.domain.contains(**sizes), sizes
    assert found == ({True} if make is Branching else {True, False})


@pytest.mark.parametrize(("make", "spec"), DOMAINS)
def test_every_form_shows_every_domain(make, spec):
    derivation = sp.derive(make().eval(), spec)
    for form in ("text", "markdown", "json", "html"):
        assert derivation.render(form)


def test_a_formula_s_tree_has_its_value():
    window = Window(29, 3, 2, 1, 2)
    assert value(of_formula(DILATED), window.sizes) == window.size_out == 14


def plain(text):
    return html.unescape(re.sub(r"<[^>]+>", "", text)).replace("\u2062", "").replace("\u2212", "-")


def test_formulas_are_written_as_on_paper():
    assert plain(mathml.of_tree(of_formula(PLAIN))) == "⌊(H+2p-k)/s⌋+1"
    assert plain(mathml.of_tree(of_formula(DILATED))) == "⌊(H+2p-d(k-1)-1)/s⌋+1"
    values = {name: mathml.number(str(size)) for name, size in Window(28, 5, 1, 2).sizes.items()}
    assert plain(mathml.of_tree(of_formula(PLAIN), values)) == "⌊(28+2·2-5)/1⌋+1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("128 * 1 * 1 = 128", "128·1·1=128"),
        ("(*, n, m) @ (*, m, p) -> (*, n, p)", "(*,n,m)@(*,m,p)→(*,n,p)"),
        ("floor(28 * 0.5) = 14", "⌊28·0.5⌋=14"),
        ("needs 1,024, has <3>", "needs1,024,has<3>"),
        ("", ""),
    ],
)
def test_lines_of_arithmetic_become_mathematics(text, shown):
    assert plain(mathml.of_text(text)) == shown


def test_plain_text_gets_the_signs_of_print():
    assert mathml.brackets("128*floor(H/16)*floor((W + 1)/16) >= 1") == "128*⌊H/16⌋*⌊(W + 1)/16⌋ ≥ 1"


def test_the_page_is_whole_small_and_asks_for_nothing(resnet50):
    text = resnet50.to_html()
    assert len(text.encode()) < 300_000
    assert re.findall(r"""(?:src|href)=["']?(?!#)[^"' >]+""", text.split("<script")[0]) == []
    assert "default-src 'none'" in text
    assert "url(http" not in text
    assert "@import" not in text


def test_every_step_stands_on_the_page_with_its_arithmetic(four):
    text = four.to_html()
    for step in four.steps:
        assert f'id="s{step.index}"' in text
    found = sp.derive(TwoStage().eval(), "N,1,28,28").to_html()
    sums = [plain(line) for line in re.findall(r'<p class="sum">(.*?)</p>', found)]
    assert "⌊(28+2·2-5)/1⌋+1=28" in sums
    assert any("32·7·7=1568" in line for line in sums)


def test_every_string_is_there_in_both_languages():
    for key, (english, chinese) in STRINGS.items():
        assert english
        assert chinese
        assert re.findall(r"\{(\w+)\}", english).sort() == re.findall(r"\{(\w+)\}", chinese).sort(), key
        assert set(re.findall(r"\{(\w+)\}", english)) == set(re.findall(r"\{(\w+)\}", chinese)), key
    with pytest.raises(KeyError):
        said("no such words")


def test_a_failure_is_shown_with_its_fix_and_no_sliders_that_would_not_help():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x):
            return self.fc(x.flatten(1))

    text = sp.derive(Net(), "N,1,30,30").to_html()
    assert "in-features" in text
    assert 'class="sure"' in text
    assert "from 784 to 900" in text
    assert '<input type="range"' not in text


def test_repeated_blocks_are_told_once(resnet50):
    groups = folded(resnet50.steps)
    assert sum(g.length * g.times for g in groups) == len(resnet50.steps) == 175
    assert [(g.length, g.times) for g in groups if g.times > 1] == [(10, 2), (10, 3), (10, 5), (10, 2)]
    text = resnet50.to_html()
    assert "layer3.2" not in text
    assert re.search(r"layer3\.1 … layer3\.5", text)
    assert len(re.findall(r'<li class="step', text)) == 1 + 175 - 10 * (1 + 2 + 4 + 1)
    hidden = {link[1:] for link in re.findall(r'href="(#s\d+)"', text)} - set(re.findall(r'<li[^>]*id="(s\d+)"', text))
    assert hidden == set()


def test_steps_that_only_look_alike_are_not_folded():
    layers = [nn.Linear(8, 8) for _ in range(3)]
    derivation = sp.derive(nn.Sequential(*layers), "N,8")
    assert folded(derivation.steps) == (Group(0, 3),)
    assert folded(()) == ()
    many = sp.derive(nn.Sequential(*[nn.Linear(8, 8) for _ in range(20)], nn.Linear(8, 4)), "N,8")
    assert folded(many.steps) == (Group(0, 1), Group(1, 1, 19), Group(20, 1))


def test_skips_have_lanes_of_their_own():
    # 0 feeds 1 and 3; 1 feeds 2; 2 and 0 meet in 3
    assert rows([(), (0,), (1,), (0, 2)]) == [
        Row(False, begins=0), Row(True, (0,)), Row(True, (0,)), Row(True, ends=(0,)),
    ]  # fmt: skip
    # two sources at once lie beside each other; a source used twice goes on past its first use
    laid = rows([(), (0,), (1,), (0, 2), (1, 3), (0, 4)])
    assert laid[1].begins == 1
    assert laid[3].taps == (0,)
    assert laid[4].ends == (1,)
    assert laid[5].ends == (0,)
    assert max(row.width for row in laid) == 2


def test_boxes_have_the_sizes_of_the_maps():
    derivation = sp.derive(FourStage().eval(), "N,1,28,28")
    boxes = extents(derivation.steps)
    assert [(b.height, b.width, b.channels) for b in (boxes[2], boxes[6], boxes[10], boxes[14])] == [
        (14, 14, 16), (7, 7, 32), (3, 3, 64), (1, 1, 128),
    ]  # fmt: skip
    side, deep = scales(boxes)
    assert side * 28 == pytest.approx(92)
    assert deep * 128 == pytest.approx(60)
    assert extent((2, 50, 64), 0).width == 50
    assert extent((2, 64, 50), 1).width == 50
    assert extent((), 0).channels == 1


@pytest.mark.parametrize("spec", ["N,8", "8", "N,T,8", "N,2,3,8", "2,3,4,5,8"])
def test_any_rank_makes_a_page(spec):
    derivation = sp.derive(nn.Linear(8, 4), spec)
    assert derivation.verdict == "proved"
    assert '<li class="step proved linear"' in derivation.to_html()
