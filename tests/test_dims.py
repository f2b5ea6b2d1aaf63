"""Expressions with letters: folding, and the same value as plain arithmetic at random numbers."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeproof.dims import Dim, ceil_div, exact_div, letter, product
from shapeproof.dims.expr import constant, floor, symbol


def test_nested_floors_fold():
    h = letter("H", 28)
    for _ in range(4):
        h = (h + 4 - 5) // 1 + 1
        h = h // 2
    assert (str(h), int(h)) == ("floor(H/16)", 1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda h: (h + 4 - 11) // 4 + 1, "floor((H - 3)/4)"),
        (lambda h: (h - 1) // 2 + 1, "ceil(H/2)"),
        (lambda h: ((((h - 1) // 2 + 1) - 1) // 2 + 1) * 64, "64*ceil(H/4)"),
        (lambda h: (h + 3) // 2, "ceil(H/2) + 1"),
        (lambda h: -((-h - 2) // 4) - ceil_div(h + 2, 4), "0"),
        (lambda h: h * 2 // 2, "H"),
        (lambda h: (h + h) - h, "H"),
        (lambda h: math.ceil(h / 4), "ceil(H/4)"),
        (lambda h: math.floor(h * 0.5), "floor(H/2)"),
        (lambda h: (h - 2) * (h - 2) * 32, "32*(H - 2)^2"),
        (lambda h: exact_div(32 * (h - 2) * h, h), "32*H - 64"),
        (lambda h: exact_div(h * 3, 3), "H"),
    ],
)
def test_written_as_a_person_would(make, text):
    assert str(make(letter("H", 28))) == text


STEPS = st.lists(
    st.tuples(st.sampled_from("+-*/%r"), st.integers(1, 9)),
    max_size=6,
)


def apply(size, steps):
    for kind, number in steps:
        if kind == "+":
            size = size + number
        elif kind == "-":
            size = number - size if number % 2 else size - number
        elif kind == "*":
            size = size * number
        elif kind == "/":
            size = size // number
        elif kind == "%":
            size = size % number
        else:
            size = ceil_div(size, number)
    return size


@given(STEPS, st.integers(1, 200), st.integers(1, 200))
def test_the_expression_has_the_value_of_plain_arithmetic(steps, tried, other):
    made = apply(letter("H", tried), steps)
    assert int(made) == apply(tried, steps)
    if isinstance(made, Dim):
        assert made.expr.value({"H": other}) == apply(other, steps)


@given(st.fractions(-5, 5, max_denominator=6), st.fractions(-5, 5, max_denominator=6), st.integers(1, 50))
def test_floor_of_a_sum_is_the_floor_of_its_value(a, b, h):
    poly = symbol("H").scaled(a) + constant(b)
    assert floor(poly).value({"H": h}) == math.floor(a * h + b)
    again = floor((floor(poly) + constant(3)).scaled(Fraction(1, 2)))
    assert again.value({"H": h}) == (math.floor(a * h + b) + 3) // 2


def test_product_of_sizes_keeps_letters():
    n, h = letter("N", 2), letter("H", 28)
    assert str(product((n, 16, h, 1))) == "16*H*N"
    assert product((2, 3)) == 6
    assert product(()) == 1
