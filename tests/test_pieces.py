"""What ``a, b, c = x`` needs of sizes, joined lists of nothing, and positions that are known below a size."""

import pytest
import torch
import torch.nn.functional as F

import shapeproof as sp
from by_force import contradictions


def three_rows(x):
    a, b, c = x
    return a + b + c


def three_columns(x):
    a, b, c = x.unbind(1)
    return a + b + c


def two_pieces(x):
    a, _ = x.split(4, -1)
    return a


def three_chunks(x):
    a, b, _ = x.chunk(3)
    return a + b


def both(x, y):
    a, b = x
    c, d = y
    return a + b + c + d


def rows_and_a_pair(x):
    p, q = x
    return sum(x[:2]) + p + q


DOMAINS = {
    "H = 3": (three_rows, ["H,4"]),
    "H = 3, N >= 1": (three_columns, ["N,H"]),
    "5 <= H <= 8, N >= 1": (two_pieces, ["N,H"]),
    "A = 2, B = 2": (both, ["A,3", "B,3"]),
    "H = 2": (rows_and_a_pair, ["H,2"]),
}


@pytest.mark.parametrize("said", DOMAINS)
def test_the_number_of_names_is_a_condition(said):
    model, specs = DOMAINS[said]
    found = sp.derive(model, *specs).domain
    assert str(found) == said
    assert found.exact
    assert not contradictions(model, specs)


FAILING = [
    (three_rows, (4, 3), "expected a first dimension of 3, one for each name, got 4"),
    (three_columns, (2, 4), "expected 3 pieces, one for each name, got 4"),
    (two_pieces, (2, 12), "expected 2 pieces, one for each name, got 3"),
    (three_chunks, (4, 3), "expected 3 pieces, one for each name, got 2"),
]


@pytest.mark.parametrize(("model", "shape", "said"), FAILING)
def test_another_number_is_a_shape_error(model, shape, said):
    found = sp.derive(model, shape).diagnosis
    assert found.code == "unpack"
    assert said in found.message


def test_chunks_are_sought_where_they_are_as_many_as_the_names():
    found = sp.derive(three_chunks, "H,3")
    assert found.verdict == "proved"
    assert found.domain.contains(H=3)
    assert not found.domain.contains(H=4)


@pytest.mark.parametrize(
    ("model", "specs"),
    [
        (lambda x, y: torch.cat([x[2:], y]), ["H", "K"]),
        (lambda x, y: torch.cat([x[2:], y]), ["H", "K,2"]),
        (lambda x: x[torch.arange(3)], ["H,3"]),
        (lambda x: x.gather(0, torch.zeros(2, 3, dtype=torch.int64)), ["H,W"]),
    ],
    ids=["two lists", "a list and rows", "positions", "gathered"],
)
def test_sizes_of_0_and_positions_leave_the_domain_exact(model, specs):
    assert sp.derive(model, *specs).domain.exact
    assert not contradictions(model, specs)


@pytest.mark.parametrize("part", [lambda n: n[:5], lambda n: n.view(20, 5)[0], lambda n: n.split(5)[0]])
def test_a_part_of_positions_may_be_below_a_smaller_size(part):
    assert sp.derive(lambda x: F.embedding(part(torch.arange(100)), torch.zeros(10, 3)) + x, "5,3").verdict == "proved"


BEYOND = [
    lambda x: x[torch.arange(100).view(4, 25)],
    lambda x: x.index_select(0, torch.arange(11)),
    lambda x: x.gather(0, torch.arange(11).unsqueeze(1)),
]


@pytest.mark.parametrize("model", BEYOND)
def test_positions_beyond_a_table_are_foreseen(model):
    found = sp.derive(model, (10, 3))
    assert found.verdict == "failed"
    assert found.diagnosis.code == "index-range"


def test_no_positions_at_all_are_beyond_nothing():
    assert sp.derive(lambda x: x[torch.arange(50, 50)], (10, 3)).verdict == "proved"


def test_positions_are_a_condition_on_the_size():
    found = sp.derive(lambda x: x.index_select(1, torch.arange(5)), "N,H").domain
    assert str(found) == "H >= 5, N >= 1"
    assert found.exact
