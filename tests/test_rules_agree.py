"""Every rule against PyTorch on random arguments: the shape, whether the call is refused, and the letters."""

import pytest

import makers_factors
import makers_layers
import makers_products
import makers_reductions
import test_rules_against_pytorch
import test_rules_against_pytorch_more
from agreement import agree, assert_agreement, assert_letters_hold

FILES = (makers_reductions, makers_products, makers_layers, makers_factors)
MAKERS = {name: maker for file in FILES for name, maker in file.MAKERS.items()}
NEVER_REFUSED = {name: maker for file in FILES for name, maker in file.NEVER_REFUSED.items()}
ALL = {**test_rules_against_pytorch.MAKERS, **test_rules_against_pytorch_more.MAKERS, **MAKERS, **NEVER_REFUSED}


@pytest.mark.parametrize("name", MAKERS)
def test_rule_and_pytorch_agree(name):
    assert_agreement(name, MAKERS[name])


@pytest.mark.parametrize("name", NEVER_REFUSED)
def test_rule_and_pytorch_agree_where_nothing_is_refused(name):
    assert agree(name, NEVER_REFUSED[name])["agreed"] == 200


@pytest.mark.parametrize("name", ALL)
def test_letters_hold_at_other_sizes(name):
    assert_letters_hold(name, ALL[name])
