"""The page in a real browser: drawn on, broken and mended, in both languages, by keyboard alone."""

import io
import os
import signal

import numpy as np
import pytest
from PIL import Image, ImageDraw

from browser import HOW
from strokes import strokes
from test_serve import started

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api", reason=HOW)
FRAMED = """() => {
  const canvas = document.getElementById("overlay");
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(value => value > 0);
}"""


@pytest.fixture(scope="module")
def address():
    process, found = started()
    yield found
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


@pytest.fixture
def page(visit, address):
    def opened(part="", **settings):
        found = visit(f"{address}/{part}", home=address, **settings)
        found.set_default_timeout(30_000)
        found.wait_for_selector("body[data-ready]")
        return found

    return opened


@pytest.fixture(scope="module")
def digits():
    """For each digit a real test picture: MNIST's where it is, else the shipped set's."""
    from shapeproof.data import load

    data = load("mnist" if os.environ.get("SHAPEPROOF_DATA") else "digits")
    labels = data.test_labels.numpy()
    return {d: [data.test_images[int(i), 0].numpy() for i in np.flatnonzero(labels == d)[:6]] for d in range(10)}


def size(*numbers):
    return " \N{MULTIPLICATION SIGN} ".join(map(str, numbers))


def draw(page, lines):
    box = page.locator("#ink").bounding_box()
    places = [[(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line] for line in lines]
    for line in places:
        page.mouse.move(*line[0])
        page.mouse.down()
        for place in line[1:] or line:
            page.mouse.move(*place)
        page.mouse.up()


def settled(page, text):
    page.wait_for_function("text => document.getElementById('digit').textContent === text", arg=text, timeout=15_000)


def test_each_digit_is_recognised_as_it_is_drawn(page, digits):
    found = page()
    for digit, pictures in digits.items():
        for place, picture in enumerate(pictures):
            found.click("#clear")
            settled(found, "?")
            draw(found, strokes(picture))
            try:
                settled(found, str(digit))
                break
            except sync_api.TimeoutError:
                # the middle line of one picture may lose what told it apart; not of all six
                assert place < len(pictures) - 1, digit
    assert found.locator("canvas.maps").count() == 4
    assert "28 + 2\N{MIDDLE DOT}2 - 5" in found.locator("#stages").inner_text()


def test_a_unit_shows_what_it_sees(page):
    found = page()
    draw(found, [[(0.5, 0.2), (0.5, 0.8)]])
    settled(found, "1")
    found.locator("canvas.maps").nth(1).click(position={"x": 20, "y": 20})
    assert size(16, 16) in found.locator("#unit").inner_text()
    assert found.evaluate(FRAMED)


def test_a_picture_is_opened(page):
    image = Image.new("RGB", (640, 480), (235, 228, 205))
    ImageDraw.Draw(image).line([(250, 120), (390, 120), (300, 380)], fill=(30, 30, 90), width=24, joint="curve")
    target = io.BytesIO()
    image.save(target, "JPEG")
    found = page()
    found.set_input_files("#file", {"name": "seven.jpg", "mimeType": "image/jpeg", "buffer": target.getvalue()})
    settled(found, "7")


def test_the_mistake_is_found_and_mended(page):
    found = page()
    found.click("#tab-design")
    row = found.locator(".layer[data-layer=pool1] .row")
    row.click()
    assert "= 14" in row.inner_text()
    assert found.locator("#cause").is_hidden()
    found.locator(".layer[data-layer=pool3] .row").click()
    found.wait_for_selector("#puzzle.solved")
    assert f"{size(7, 7)} → {size(3, 3)}" in found.locator("#puzzle").inner_text()
    found.click("[data-fix='0']")
    found.wait_for_selector(".verdict.proved")
    assert "nn.Linear(128, 10)" in found.locator("#code").inner_text()
    found.wait_for_function("() => document.getElementById('sum-domain').textContent.includes('16 ≤ H ≤ 31')")


def test_a_kernel_changes_every_size_below(page):
    found = page()
    found.click("#tab-design")
    found.select_option("#preset", "two-stage")
    found.wait_for_selector(".verdict.proved")
    found.locator(".layer[data-layer=conv1] .row").click()
    found.get_by_label("kernel_size (conv1)").fill("7")
    found.get_by_label("kernel_size (conv1)").press("Enter")
    shown = "size => document.querySelector('[data-layer=conv1] .out').textContent === size"
    found.wait_for_function(shown, arg=size(16, 26, 26))
    assert found.locator("[data-layer=pool1] .out").inner_text() == size(16, 13, 13)
    # broken by that: 6 x 6 arrive where 7 x 7 were expected
    found.wait_for_selector(".layer.failed[data-layer=fc]")
    found.click("[data-fix='0']")
    found.wait_for_selector(".verdict.proved")


def test_layers_are_added_moved_removed_and_linked_to(page):
    found = page()
    found.click("#tab-design")
    found.select_option("#preset", "u-net")
    found.wait_for_selector(".verdict.proved")
    before = found.locator(".layer").count()
    found.select_option("#kind", "relu")
    found.click("#add")
    found.wait_for_function("n => document.querySelectorAll('.layer').length === n", arg=before + 1)
    link = found.evaluate("() => location.hash")
    again = page(link)
    again.wait_for_selector(".verdict.proved")
    assert again.locator(".layer").count() == before + 1
    again.locator(".layer .row").last.press("Delete")
    again.wait_for_function("n => document.querySelectorAll('.layer').length === n", arg=before)


@pytest.mark.parametrize("name", ["four-stage", "lenet-5", "alexnet", "vgg-11", "u-net", "resnet-18"])
def test_every_preset_opens(page, name):
    found = page()
    found.click("#tab-design")
    found.select_option("#preset", name)
    found.wait_for_selector(".verdict.proved")
    assert found.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_the_browsers_language_and_the_switch(page):
    assert page(locale="zh-CN").locator("#tab-draw").inner_text() == "手写"
    found = page(locale="fr-FR")
    assert found.locator("#tab-draw").inner_text() == "Draw"
    found.click("#language")
    assert found.locator("#tab-design").inner_text() == "设计"
    assert found.evaluate("() => document.documentElement.lang") == "zh-CN"
    found.reload()
    found.wait_for_selector("body[data-ready]")
    assert found.locator("#tab-draw").inner_text() == "手写"


def test_by_keyboard_alone(page):
    found = page()
    found.locator("#ink").focus()
    keys = found.keyboard
    keys.press("Space")
    for _ in range(12):
        keys.press("ArrowDown")
    keys.press("Space")
    settled(found, "1")
    found.locator("#tab-draw").focus()
    keys.press("ArrowRight")
    found.wait_for_selector(".layer")
    found.locator("#show-me").focus()
    keys.press("Enter")
    found.locator("[data-fix='0']").focus()
    keys.press("Enter")
    found.wait_for_selector(".verdict.proved")
    first = found.locator(".layer .row").first
    first.focus()
    keys.press("ArrowDown")
    assert found.evaluate("() => document.activeElement.dataset.key") == "row:relu1"
    keys.press("Alt+ArrowUp")
    found.wait_for_function("() => document.querySelector('.layer').dataset.layer === 'relu1'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(page, scheme):
    found = page(viewport={"width": 390, "height": 800}, color_scheme=scheme, has_touch=True, is_mobile=True)
    for tab in ("draw", "design"):
        found.click(f"#tab-{tab}")
        found.wait_for_timeout(300)
        assert found.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), tab
