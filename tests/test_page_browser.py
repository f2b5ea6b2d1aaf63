"""The derivation's page in a real browser: sliders, the window, languages, keyboard, phone."""

import re

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.models.document import FourStage

pytestmark = pytest.mark.browser


class Dilated(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, stride=2, padding=1, dilation=2)

    def forward(self, x):
        return self.conv(x)


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "four.html"
    path.write_text(sp.derive(FourStage().eval(), "N,1,H,W").to_html(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def shown(visit, tmp_path):
    def show(model, *specs, **settings):
        path = tmp_path / "page.html"
        path.write_text(sp.derive(model.eval(), *specs).to_html(), encoding="utf-8")
        return visit(path.as_uri(), **settings)

    return show


def shape(page, step):
    return page.locator(f"#s{step} .shape").inner_text()


def test_sliders_recompute_every_size(visit, four):
    page = visit(four)
    assert shape(page, 14) == "(2, 128, 1, 1)"
    page.fill("input[type=number][data-letter=H]", "31")
    page.fill("input[type=number][data-letter=N]", "5")
    model = FourStage().eval()
    for step in sp.derive(model, (5, 1, 31, 28)).steps:
        assert shape(page, step.index) == str(tuple(step.output)), step.op
    assert "128" in page.locator("#s16 .sum").inner_text()
    assert "runs at N = 5, H = 31, W = 28" in page.locator(".state").inner_text()
    page.click("#reset")
    assert shape(page, 0) == "(2, 16, 28, 28)"


@pytest.mark.parametrize(("height", "runs"), [(15, False), (16, True), (31, True), (32, False)])
def test_the_page_turns_red_where_the_domain_ends(visit, four, height, runs):
    page = visit(four)
    page.fill("input[type=number][data-letter=H]", str(height))
    assert page.locator("#sizes.beyond").count() == (0 if runs else 1)
    broken = page.locator(".step.broken h3")
    assert (broken.count() == 0) is runs
    if not runs:
        assert "linear" in broken.last.inner_text()
        assert "does not run" in page.locator(".state").inner_text()


def test_the_way_that_the_model_s_own_code_takes_is_told_apart_from_failing(shown):
    class Branching(nn.Module):
        def forward(self, x):
            return x[:, :10] if x.shape[1] > 20 else x * 2

    page = shown(Branching(), "N,W=28")
    assert "The model runs" in page.locator(".state").inner_text()
    page.fill("input[type=number][data-letter=W]", "20")
    assert "another way" in page.locator(".state").inner_text()
    assert page.locator("#sizes.beyond").count() == 0


def test_the_slider_itself_works_by_keyboard(visit, four):
    page = visit(four)
    page.focus("#rH")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.input_value("input[type=number][data-letter=H]") == "31"
    page.keyboard.press("ArrowRight")
    assert page.locator("#sizes.beyond").count() == 1


def test_pointing_at_a_layer_slides_its_window_and_shades_what_the_floor_drops(visit, four):
    page = visit(four, reduced_motion="reduce")
    page.hover("#s10")  # 7 -> 3: a row and a column are dropped
    page.wait_for_selector("#window .grid-frame")
    marks = page.locator("#window .grid-drop")
    boxes = [[float(m.get_attribute(k)) for k in ("x", "y", "width", "height")] for m in marks.all()]
    assert boxes == [[0, 6, 7, 1], [6, 0, 1, 6]]
    assert page.locator("#window .grid-tap").count() == 4
    assert "1 of 9" in page.locator("#window .told").inner_text()
    page.locator("#window input").fill("4")
    assert page.locator("#window .slides").first.get_attribute("transform") == "translate(2 2)"
    assert "last row and the last column" in page.locator("#s10 .drops").inner_text()
    page.fill("input[type=number][data-letter=H]", "24")  # 24 -> 12 -> 6 -> 3: no row is dropped
    assert page.locator("#s10 .drops").inner_text() == "the floor drops the last column"


def test_the_window_has_its_stride_padding_and_dilation(shown):
    page = shown(Dilated(), "N,1,9,9", reduced_motion="reduce")
    page.focus("#s0")
    assert page.locator("#window .grid-frame").first.get_attribute("width") == "5"  # 2 * (3 - 1) + 1
    xs = sorted({float(t.get_attribute("x")) for t in page.locator("#window .grid-tap").all()})
    assert xs == [0.08, 2.08, 4.08]
    page.locator("#window input").fill("5")  # row 1, column 1 of 4 x 4
    assert page.locator("#window .slides").first.get_attribute("transform") == "translate(1 1)"


def test_the_window_moves_by_itself_and_can_be_stopped(visit, four):
    page = visit(four)
    page.focus("#s2")
    for _ in range(50):
        page.wait_for_timeout(100)
        if int(page.input_value("#window .controls input")) > 1:
            break
    else:
        pytest.fail("the window does not move")
    page.click("#window .controls button")
    place = page.input_value("#window .controls input")
    page.wait_for_timeout(400)
    assert page.input_value("#window .controls input") == place


def test_by_keyboard_alone(visit, four):
    page = visit(four)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "s1"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.id") == "s16"


def test_the_browser_s_language_chooses_and_a_button_switches(visit, four):
    page = visit(four, locale="zh-CN")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert "已证明" in page.locator(".verdict").inner_text()
    before = page.locator("#s2 .sum").first.locator("math").text_content()
    page.click("#language")
    assert "Proved" in page.locator(".verdict").inner_text()
    assert page.locator("#s2 .sum").first.locator("math").text_content() == before
    left = page.evaluate(
        "[...document.querySelectorAll('[data-t]')].filter(e => /[\\u4e00-\\u9fff]/.test(e.textContent)).length"
    )
    assert left == 1  # the button that leads back


def test_nothing_is_left_in_english_on_the_chinese_page(visit, four):
    page = visit(four, locale="zh-CN")
    words = page.evaluate("[...document.querySelectorAll('[data-t], [data-zh]')].map(e => e.textContent)")
    english = [w for w in words if re.search(r"[A-Za-z]{4,}", re.sub(r"PyTorch|shapeproof|English|dim", "", w))]
    assert english == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(visit, four, scheme):
    page = visit(four, color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []


# every piece of text against the ground behind it: at least 4.5 to 1 (WCAG 2.2, AA)
CONTRAST = """() => {
  const rgb = (c) => c.match(/[\\d.]+/g).map(Number);
  const part = (v) => (v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4);
  const light = (c) => { const [r, g, b] = rgb(c).map(part); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (rgb(colour)[3] !== 0) return colour;
    }
    return "rgb(255,255,255)";
  };
  const bad = [];
  for (const e of document.querySelectorAll("h1, h2, h3, p, dt, dd, span, summary, small, button, code, mn, mi")) {
    if (!e.textContent.trim() || !e.checkVisibility() || e.classList.contains("unseen")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) bad.push(`${e.tagName} ${e.className} ${e.textContent.slice(0, 30)}`);
  }
  return bad; }"""


def test_on_a_phone_nothing_runs_off_the_side(visit, four):
    page = visit(four, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.focus("#s2")
    assert page.locator("#window .grid-frame").first.is_visible()


class Awkward(nn.Module):
    """Several outputs, nested; long shapes; one axis; an operation without a rule."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 8)
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.conv = nn.Conv1d(16, 4, 5, stride=3)

    def forward(self, x):
        out, (hidden, cell) = self.lstm(self.embed(x))
        found = self.conv(out.transpose(1, 2))
        return {"found": found.chunk(2, 1), "state": [hidden, cell], "svd": torch.linalg.svd(out)}


def test_awkward_models_fit_a_phone_and_follow_their_sliders(shown):
    page = shown(Awkward(), "int64[N,T=28]", viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    step = page.locator(".step", has_text="conv1d")
    assert "the last 2 elements" in step.locator(".drops").inner_text()
    page.fill("input[type=number][data-letter=T]", "26")
    assert step.locator(".shape").inner_text() == "(2, 4, 8)"
    assert not step.locator(".drops").is_visible()
    page.fill("input[type=number][data-letter=T]", "999999")
    strange = page.evaluate(
        "[...document.querySelectorAll('[data-x]')].filter(e => !/^-?[\\d,]+$/.test(e.textContent)).length"
    )
    assert strange == 0


def test_a_name_cannot_become_markup(visit, tmp_path):
    class Evil(nn.Module):
        def forward(self, x):
            return x + 1

    Evil.__name__ = "<img src=x onerror=alert(1)></script><script>window.hit=1</script>"
    path = tmp_path / "evil.html"
    path.write_text(sp.derive(Evil(), "N,3").to_html(), encoding="utf-8")
    page = visit(path.as_uri())
    assert page.evaluate("window.hit === undefined && !document.querySelector('img')")
    assert "<img" in page.locator("h1").inner_text()


def test_in_a_notebook_the_page_lives_in_a_frame_of_its_own(visit, tmp_path):
    framed = sp.derive(FourStage().eval(), "N,1,H,W")._repr_html_()
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><p id=mine>mine</p>{framed}", encoding="utf-8")
    page = visit(path.as_uri())
    inside = page.frame_locator("iframe")
    inside.locator("input[type=number][data-letter=H]").fill("20")
    assert inside.locator("#s0 .shape").inner_text() == "(2, 16, 20, 28)"
    assert page.evaluate("getComputedStyle(document.getElementById('mine')).color") == "rgb(0, 0, 0)"
