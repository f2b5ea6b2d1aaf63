"""``Derivation.at``: numbers put into letters give what deriving with those numbers gives, without a run."""

import itertools
from dataclasses import fields, replace

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.capture.trace import Manner
from shapeproof.models.document import FourStage, TwoStage
from test_domain_zoo import ZOO


def numeric(model, specs, sizes):
    """The derivation of the same model with numbers in the specs."""
    given = [",".join(str(sizes.get(part.split("=")[0], part)) for part in spec.split(",")) for spec in specs]
    return sp.derive(model, *given)


def assert_same(made, wanted):
    """Everything but how it came about."""
    made = replace(made, manner=Manner())
    for field in fields(made):
        if field.compare:
            assert getattr(made, field.name) == getattr(wanted, field.name), field.name


def points(domain, box, most=3):
    """Some sizes of a box that lie in the domain, far apart."""
    inside = [
        dict(zip(box, values, strict=True))
        for values in itertools.product(*box.values())
        if domain.contains(**dict(zip(box, values, strict=True)))
    ]
    return inside[:: max(1, len(inside) // most)][-most:]


@pytest.mark.parametrize("name", ZOO)
def test_it_is_what_deriving_with_numbers_gives(name):
    model, specs, box, _ = ZOO[name]
    found = sp.derive(model, *specs)
    for sizes in points(found.domain, box):
        made = found.at(**sizes)
        assert bool(made.manner.put) is not bool(made.manner.again)
        assert_same(made, numeric(model, specs, sizes))


class Counts(nn.Module):
    """Counts how often it is run."""

    def __init__(self):
        super().__init__()
        self.net = FourStage()
        self.runs = 0

    def forward(self, x):
        type(self).seen += 1
        return self.net(x)


def test_the_model_is_not_run_again_where_the_letters_tell_it():
    Counts.seen = 0
    found = sp.derive(Counts().eval(), "N,1,H,W")
    before = Counts.seen
    made = found.at(N=8, H=20, W=30)
    assert Counts.seen == before
    assert made.manner.put == "N = 2, H = 28, W = 28"
    assert made.steps[0].arithmetic == "floor((20 + 2*2 - 5)/1) + 1 = 20; floor((30 + 2*2 - 5)/1) + 1 = 30"
    assert "not run at these sizes" in made.to_text()
    assert made.cost.macs == numeric(FourStage().eval(), ["N,1,H,W"], {"N": 8, "H": 20, "W": 30}).cost.macs


def test_another_way_is_run_again_and_said():
    def halves_large(x):
        return x[:, ::2] if x.shape[1] >= 100 else x

    found = sp.derive(halves_large, "N,H=200")
    made = found.at(N=3, H=50)
    assert made.output == (3, 50)
    assert made.manner.again == "the model goes another way at these sizes"
    assert found.at(N=3, H=150).manner.put


def test_a_model_whose_domain_is_not_exact_is_run_again():
    def through_a_tensor(x):
        return x[:, : torch.tensor(x.shape[1]).item() // 2]

    found = sp.derive(through_a_tensor, "N,H")
    assert not found.domain.exact
    made = found.at(N=3, H=10)
    assert made.output == (3, 5)
    assert made.manner.again == "the domain is not exact"


def test_some_letters_stay_with_what_the_domain_leaves_of_them():
    found = sp.derive(TwoStage().eval(), "N,1,H,W")
    narrow = found.at(H=5)
    assert narrow.inputs == ("N,1,5,W",)
    assert str(narrow.domain) == "196 <= W <= 199, N >= 1"
    assert narrow.domain.exact
    assert narrow.at(N=1, W=197).output == (1, 10)
    assert narrow.at(W=197).at(N=1) == narrow.at(N=1, W=197)
    with pytest.raises(sp.DomainError, match=r"does not run at N=1, W=28"):
        narrow.at(N=1, W=28)


def test_tied_letters_move_together():
    found = sp.derive(lambda a, b: a + b, "N,H=8", "N,K=8")
    assert found.at(H=5, K=5, N=2).output == (2, 5)
    assert str(found.at(H=5).domain) == "(K = 1 or K = 5), N >= 1"


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"H": 40, "W": 28, "N": 1}, "fc"),
        ({"H": 0}, "at least 1, got H=0"),
        ({"H": 20.5}, "whole number, got H=20.5"),
        ({"H": "20"}, "whole number, got H='20'"),
        ({"Q": 3}, "called Q"),
    ],
)
def test_sizes_that_make_no_sense(sizes, words):
    with pytest.raises(sp.DomainError, match=words):
        sp.derive(FourStage().eval(), "N,1,H,W").at(**sizes)


def test_a_models_own_refusal_is_a_domain_error():
    def short(x):
        if x.shape[1] > 10:
            raise ValueError("too long")
        return x

    found = sp.derive(short, "N,T=5")
    with pytest.raises(sp.DomainError, match="too long"):
        found.at(T=12)


def test_most_of_the_zoo_needs_no_second_run():
    model, specs, box, _ = ZOO["u-net of 3"]
    found = sp.derive(model, *specs)
    assert all(found.at(**sizes).manner.put for sizes in points(found.domain, box))


def test_the_page_says_that_it_was_not_run_there_and_tells_the_domain_in_both_languages():
    found = sp.derive(TwoStage().eval(), "N,1,H,W")
    assert (
        "not run at these sizes: they are put into the letters of a run at N = 2" in found.at(N=1, H=29, W=30).to_html()
    )
    assert "28 ≤ W ≤ 31, N ≥ 1) 或 (4 ≤ H ≤ 7" in found.to_html()
