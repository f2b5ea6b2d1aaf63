"""Each rule against an example worked out on paper."""

import pytest

from shapeproof.dims import letter
from shapeproof.rules.registry import Operand, Violation, rule, rules
from shapeproof.rules.window import Window


def derived(op, *args, **kwargs):
    return rules()[op].function(*args, **kwargs)


def t(*shape):
    return Operand(shape)


WORKED = [
    ("conv1d", (t(2, 3, 10), t(4, 3, 3)), {}, (2, 4, 8), "floor((10 + 2*0 - 3)/1) + 1 = 8"),
    ("conv2d", (t(8, 1, 28, 28), t(16, 1, 5, 5), None, 1, 2), {}, (8, 16, 28, 28), "floor((28 + 2*2 - 5)/1) + 1 = 28"),
    (
        "conv2d", (t(1, 3, 227, 227), t(64, 3, 11, 11)), {"stride": 4}, (1, 64, 55, 55),
        "floor((227 + 2*0 - 11)/4) + 1 = 55",
    ),
    (
        "conv2d", (t(1, 1, 9, 12), t(1, 1, 3, 3)), {"dilation": 2}, (1, 1, 5, 8),
        "floor((9 + 2*0 - 2*(3 - 1) - 1)/1) + 1 = 5; floor((12 + 2*0 - 2*(3 - 1) - 1)/1) + 1 = 8",
    ),
    ("conv3d", (t(1, 1, 4, 6, 8), t(2, 1, 2, 2, 2)), {"stride": 2}, (1, 2, 2, 3, 4), None),
    ("max_pool2d", (t(8, 64, 7, 7), 2), {}, (8, 64, 3, 3), "floor((7 + 2*0 - 2)/2) + 1 = 3"),
    ("max_pool2d", (t(8, 64, 7, 7), 2), {"ceil_mode": True}, (8, 64, 4, 4), "ceil((7 + 2*0 - 2)/2) + 1 = 4"),
    ("avg_pool1d", (t(2, 3, 9), 3, 2), {}, (2, 3, 4), "floor((9 + 2*0 - 3)/2) + 1 = 4"),
    ("adaptive_avg_pool2d", (t(2, 512, 7, 9), (1, None)), {}, (2, 512, 1, 9), "(7, 9) -> (1, 9)"),
    ("linear", (t(8, 128), t(10, 128), t(10)), {}, (8, 10), "needs 128, has 128"),
    ("matmul", (t(5, 1, 3, 4), t(6, 4, 2)), {}, (5, 6, 3, 2), "(5, 1, 3, 4) @ (6, 4, 2) -> (5, 6, 3, 2)"),
    ("view", (t(8, 128, 1, 1), 8, -1), {}, (8, 128), "128 * 1 * 1 = 128"),
    ("reshape", (t(8, 6), (4, -1)), {}, (4, 12), "(8 * 6) / 4 = 12"),
    ("flatten", (t(8, 32, 7, 7), 1), {}, (8, 1568), "32 * 7 * 7 = 1568"),
    ("batch_norm", (t(8, 32, 7, 7), t(32), t(32)), {}, (8, 32, 7, 7), "32 channels, (8, 32, 7, 7)"),
    ("add", (t(8, 16, 28, 28), t(16, 1, 1)), {}, (8, 16, 28, 28), "(8, 16, 28, 28) with (16, 1, 1) -> (8, 16, 28, 28)"),
    ("relu", (t(3, 4),), {}, (3, 4), "(3, 4)"),
    ("dropout", (t(3, 4), 0.5, False, False), {}, (3, 4), "(3, 4)"),
    ("cat", ([t(2, 3, 5), t(2, 4, 5)], 1), {}, (2, 7, 5), "3 + 4 = 7"),
    ("stack", ([t(2, 3), t(2, 3)], -1), {}, (2, 3, 2), None),
    ("transpose", (t(2, 3, 4), 0, -1), {}, (4, 3, 2), "(2, 3, 4) -> (4, 3, 2)"),
    ("permute", (t(2, 3, 4), (0, 2, 1)), {}, (2, 4, 3), "(2, 3, 4) -> (2, 4, 3)"),
    ("mean", (t(2, 3, 4, 5), (2, 3)), {}, (2, 3), "(2, 3, 4, 5) -> (2, 3)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "args", "kwargs", "shape", "line"), WORKED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_worked_example(op, args, kwargs, shape, line):
    found = derived(op, *args, **kwargs)
    assert found.shape == shape
    assert line is None or found.arithmetic == line


def test_formula_is_the_textbook_one_and_dilation_shows_only_where_it_is():
    plain = derived("conv2d", t(1, 1, 28, 28), t(1, 1, 5, 5))
    dilated = derived("conv2d", t(1, 1, 28, 28), t(1, 1, 5, 5), dilation=2)
    assert plain.formula == "floor((H + 2p - k)/s) + 1"
    assert dilated.formula == "floor((H + 2p - d(k - 1) - 1)/s) + 1"


def test_pooling_says_which_row_the_floor_drops():
    assert derived("max_pool2d", t(8, 64, 7, 7), 2).notes == (
        "the floor drops the last row (7 -> 3) and the last column (7 -> 3)",
    )
    assert derived("max_pool2d", t(8, 64, 14, 14), 2).notes == ()
    assert Window(8, 3, 2, 1).dropped == 0  # what is left over there is padding, nothing of the input's own


def test_padding_same_with_an_even_kernel_keeps_the_size():
    assert derived("conv2d", t(1, 1, 9, 9), t(1, 1, 4, 4), padding="same").shape == (1, 1, 9, 9)


def test_convolution_counts_multiply_adds():
    assert derived("conv2d", t(1, 16, 14, 14), t(32, 16, 5, 5), None, 1, 2).macs == 14 * 14 * 32 * 16 * 25
    assert derived("conv2d", t(1, 16, 14, 14), t(32, 4, 5, 5), None, 1, 2, groups=4).macs == 14 * 14 * 32 * 4 * 25


@pytest.mark.parametrize(
    ("op", "args", "code"),
    [
        ("linear", (t(8, 1568), t(10, 128)), "in-features"),
        ("conv2d", (t(8, 3, 28, 28), t(16, 1, 5, 5)), "in-channels"),
        ("conv2d", (t(8, 1, 3, 3), t(16, 1, 5, 5)), "kernel-too-large"),
        ("conv2d", (t(28, 28), t(16, 1, 5, 5)), "missing-batch"),
        ("batch_norm", (t(8, 16, 3, 3), t(32)), "num-features"),
        ("add", (t(8, 3), t(8, 4)), "broadcast"),
        ("view", (t(8, 3), 5, -1), "view-size"),
        ("matmul", (t(2, 3), t(2, 3)), "matmul"),
        ("cat", ([t(2, 3), t(3, 3)], 1), "concat"),
    ],
)
def test_a_condition_that_fails_has_its_code(op, args, code):
    with pytest.raises(Violation) as found:
        derived(op, *args)
    assert found.value.code == code


def test_letters_go_through_the_same_rules():
    n, h, w = letter("N", 2), letter("H", 28), letter("W", 20)
    pooled = derived("max_pool2d", t(n, 64, h, w), 2).shape
    assert str(pooled) == "(N, 64, floor(H/2), floor(W/2))"
    again = derived("max_pool2d", t(*pooled), 2)
    assert str(again.shape) == "(N, 64, floor(H/4), floor(W/4))"
    assert str(derived("flatten", t(*again.shape), 1).shape) == "(N, 64*floor(H/4)*floor(W/4))"
    assert again.shape == (2, 64, 7, 5)


def test_a_name_cannot_have_two_rules():
    with pytest.raises(ValueError, match="two rules"):
        rule("conv2d")(lambda: None)
