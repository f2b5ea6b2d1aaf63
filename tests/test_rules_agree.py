"""Every rule against PyTorch on random arguments: the shape, whether the call is refused, and the letters."""

import random

import pytest
import torch

import makers_factors
import makers_layers
import makers_names
import makers_products
import makers_reductions
import test_rules_against_pytorch
import test_rules_against_pytorch_more
from agreement import Disagreement, agree, assert_agreement, assert_letters_hold, judged
from variations import WAYS, varied

FILES = (makers_reductions, makers_products, makers_layers, makers_factors)
MAKERS = {name: maker for file in FILES for name, maker in file.MAKERS.items()}
NEVER_REFUSED = {name: maker for file in FILES for name, maker in file.NEVER_REFUSED.items()}
ALL = {**test_rules_against_pytorch.MAKERS, **test_rules_against_pytorch_more.MAKERS, **MAKERS, **NEVER_REFUSED}

NAMES = {**makers_names.MAKERS, **makers_names.NEVER_REFUSED}
EVERY = {**ALL, **NAMES}


@pytest.mark.parametrize("name", MAKERS)
def test_rule_and_pytorch_agree(name):
    assert_agreement(name, MAKERS[name])


@pytest.mark.parametrize("name", NEVER_REFUSED)
def test_rule_and_pytorch_agree_where_nothing_is_refused(name):
    assert agree(name, NEVER_REFUSED[name])["agreed"] == 200


@pytest.mark.parametrize("name", ALL)
def test_letters_hold_at_other_sizes(name):
    assert_letters_hold(name, ALL[name])


def test_names_that_share_a_rule_agree():
    """A few cases of each name; their rules have 200 by other names."""
    counts = [agree(name, maker, 8) for name, maker in NAMES.items()]
    assert min(sum(c["agreed"] for c in counts), sum(c["refused"] for c in counts)) > 100


@pytest.mark.parametrize("way", WAYS)
def test_it_agrees_on_tensors_of_another_kind(way):
    """Laid out otherwise, of another dtype, or with a size of 0; a dtype that PyTorch refuses is none of a rule's."""
    outcomes = [_outcome(way, maker, rng) for maker, rng in _varied(way) for _ in range(4)]
    assert outcomes.count("agreed") > 1000
    assert outcomes.count("refused") > 300


def _varied(way):
    torch.manual_seed(0)
    found = ((name, varied(way, name, maker)) for name, maker in EVERY.items())
    return [(maker, random.Random(f"{way} {name}")) for name, maker in found if maker]


def _outcome(way, maker, rng):
    fn, tensors = maker(rng)
    try:
        return judged(fn, tensors)
    except Disagreement as problem:
        if way == "another dtype" and "PyTorch refuses" in str(problem):
            return "let through"
        raise
