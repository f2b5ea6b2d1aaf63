"""The sizes for which a model runs: known answers, exact, and borne out by running just inside and outside."""

import math

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.dims.dim import at
from shapeproof.models.document import FourStage, TwoStage


def domain(model, *specs):
    return sp.derive(model, *specs).domain


def test_four_stage():
    found = domain(FourStage().eval(), "N,1,H,W")
    assert str(found) == "16 <= H <= 31, 16 <= W <= 31, N >= 1"
    assert found.exact
    assert found.intervals == {"N": [(1, None)], "H": [(16, 31)], "W": [(16, 31)]}
    assert found.contains(H=28, W=28)
    assert found.contains(N=1, H=16, W=31)
    assert not found.contains(H=32, W=28)
    assert not found.contains(H=15, W=28)


def test_two_stage_has_three_solutions_and_the_square_one_first():
    found = domain(TwoStage().eval(), "N,1,H,W")
    assert str(found).startswith("(28 <= H <= 31, 28 <= W <= 31, N >= 1) or")
    assert found.exact
    assert found.intervals["H"] == [(4, 7), (28, 31), (196, 199)]
    assert found.contains(H=5, W=197)
    assert not found.contains(H=5, W=28)


def test_alexnets_features():
    class Features(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 11, stride=4, padding=2), nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 5, padding=2),
                nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 3, padding=1), nn.MaxPool2d(3, 2),
            )  # fmt: skip

        def forward(self, x):
            return self.features(x)

    found = domain(Features(), "N,3,H,W")
    assert str(found) == "H >= 63, W >= 63, N >= 1"
    assert found.exact


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.fc = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Linear(400, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.fc(self.pool(self.c2(self.pool(self.c1(x)))).flatten(1))


def test_lenet_and_its_oblong_twins():
    found = domain(LeNet(), "N,1,H,W")
    assert found.boxes[0]["H"].text("H") == "32 <= H <= 35"
    assert len(found.boxes) == 3
    assert found.exact


def test_a_size_that_runs_is_found_from_the_condition_that_failed():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(53, 2)

        def forward(self, x):
            return self.fc(x)

    d = sp.derive(Odd(), "N,K")
    assert (d.verdict, dict(d.sizes)["K"], str(d.domain)) == ("proved", 53, "K = 53, N >= 1")


def test_a_view_that_divides_gives_a_congruence():
    class Pairs(nn.Module):
        def forward(self, x):
            return x.view(-1, 6)

    found = domain(Pairs(), "K=12,5")
    assert str(found) == "K = 0 mod 6, K >= 6"
    assert found.exact


def test_batch_norm_in_training_needs_more_than_one_value():
    model = nn.BatchNorm1d(3)
    assert str(domain(model, "N,3")) == "N >= 2"
    assert str(domain(model.eval(), "N,3")) == "N >= 1"


def test_a_hard_coded_batch_pins_n():
    class Fixed(nn.Module):
        def forward(self, x):
            return x.view(100, 12)

    assert str(domain(Fixed(), "N=100,3,4")) == "N = 100"


def test_a_branch_on_a_size_is_a_condition_of_the_result():
    class Branches(nn.Module):
        def forward(self, x):
            return x * 2 if x.shape[1] >= 100 else x + 1

    high, low = domain(Branches(), "N,H=120"), domain(Branches(), "N,H=20")
    assert str(high) == "(H >= 100, N >= 1) or (1 <= H <= 99, N >= 1)"
    assert str(low) == "(1 <= H <= 99, N >= 1) or (H >= 100, N >= 1)"
    assert high.exact
    assert [str(r) for r in high.branches[0]] == ["H >= 100"]
    assert all(found.contains(H=h) for found in (high, low) for h in (1, 99, 100, 101))


def test_a_letter_that_python_loses_is_said_and_nothing_is_claimed():
    class Loses(nn.Module):
        def forward(self, x):
            return x.view(x.size(0), int(torch.tensor(x.size(1)).div(2).item()), 2)

    d = sp.derive(Loses(), "N,K=8")
    assert not d.domain.exact


def sizes_of(x):
    """What Python computes of sizes, one for each way of dropping a letter."""
    n, h, _ = x.shape
    return {
        "int": int(h * 0.5),
        "int of a quotient": int(h / 3),
        "int of a rounding": int(math.ceil(h / 4)),  # noqa: RUF046  # what models write
        "round": round(h * 0.25),
        "a float that rounds": int(h * 0.7),
        "square": h**2,
        "root": int(math.sqrt(h)),
        "root as a power": int(h**0.5),
        "shift": h >> 1,
        "mask": h & 7,
        "sum": sum(x.shape),
        "product": math.prod(x.shape),
        "length": len(x) * 2,
        "smaller": min(n, h),
        "abs": abs(-h),
        "float": int(float(h) / 2),
        "several": int((h + 3) / 2 - 1),
        "sides": int(h / n),
    }


@pytest.mark.parametrize("name", sizes_of(torch.zeros(2, 10, 3)))
def test_what_python_computes_of_sizes_keeps_its_letters(name):
    def model(x):
        return torch.zeros(sizes_of(x)[name] + 1)

    d = sp.derive(model, "N,H,3")
    assert not d.warnings
    assert d.domain.exact
    (size,) = d.output
    for n, h in ((1, 90), (3, 7), (2, 10), (7, 64)):
        if all(c.relation.holds({"N": n, "H": h}) for c in d.conditions):
            assert at(size, {"N": n, "H": h}) == sizes_of(torch.zeros(n, h, 3))[name] + 1
    assert [key for key in globals() if key in ("int", "len", "float")] == []


def test_the_solution_is_what_pytorch_does_on_a_whole_grid():
    model = LeNet()
    found = domain(model, "N,1,H,W")
    for h in range(14, 40, 3):
        for w in (14, 17, 31, 32, 35, 36, 113):
            try:
                model(torch.zeros(1, 1, h, w))
                runs = True
            except RuntimeError:
                runs = False
            assert found.contains(H=h, W=w) is runs


def test_a_view_that_a_floor_must_not_shorten_needs_multiples():
    d = sp.derive(lambda x: x.view(x.shape[0], 4, x.shape[2] // 2, 2, x.shape[3] // 3, 3), "N,4,H,W")
    assert str(d.domain) == "H = 0 mod 2, H >= 2, W = 0 mod 3, W >= 3, N >= 1"
    assert d.domain.exact
    half = nn.Conv2d(1, 1, 2, 2)
    d = sp.derive(lambda x: (y := half(x)).view(1, y.shape[2] // 2, 2, y.shape[3]), "1,1,H,4")
    assert [h for h in range(1, 20) if d.domain.contains(H=h)] == [4, 5, 8, 9, 12, 13, 16, 17]


def test_windows_put_together_as_their_count_over_the_windows_of_a_picture():
    def windows(x, w=4):
        n, h, wide, c = x.shape
        y = x.view(n, h // w, w, wide // w, w, c).transpose(2, 3).reshape(-1, w, w, c)
        count = int(y.shape[0] / (h * wide / w / w))
        return y.view(count, h // w, wide // w, w, w, -1).transpose(2, 3).reshape(count, h, wide, -1) + x

    d = sp.derive(windows, "2,H,W,8")
    assert (d.verdict, str(d.domain)) == ("proved", "H = 0 mod 4, H >= 4, W = 0 mod 4, W >= 4")


def test_a_model_that_unrolls_over_a_size_keeps_no_other_size_out():
    cell = nn.GRUCell(3, 4)

    def decodes(x):
        state, out = torch.zeros(x.shape[0], 4), []
        for t in range(x.shape[1]):
            state = cell(x[:, t], state)
            out.append(state)
        return torch.stack(out, 1) + x[..., :1]

    d = sp.derive(decodes, "N,T,3")
    assert (str(d.domain), d.domain.exact) == ("N >= 1, T >= 1", False)
    assert d.domain.why == "the steps are those of T = 28, and other sizes ran too"
    assert (d.domain.contains(T=5), d.at(N=2, T=5).output) == (True, (2, 5, 4))


def test_a_range_of_whole_floats_keeps_its_letter():
    d = sp.derive(lambda x: (torch.arange(len(x) - 1, -1, -1.0), torch.arange(0.0, x.shape[0] * 2.0)), "N,2")
    assert (str(d.output), d.domain.exact) == ("((N,), (2*N,))", True)


def test_a_branch_of_pytorchs_own_code_is_none_of_the_models():
    layer = nn.Linear(4, 3)
    d = sp.derive(lambda x: torch.distributions.Categorical(logits=layer(x)).entropy(), "N,4")
    assert (str(d.domain), d.domain.exact, d.domain.branches) == ("N >= 1", True, ((),))


def test_what_is_at_least_one_leaves_a_condition():
    half = nn.Conv2d(1, 2, 3, 2, 1)
    d = sp.derive(lambda x: (y := half(x)).view(4, -1, y.shape[2], y.shape[3]), "N,1,H,W")
    assert (str(d.domain), d.domain.exact) == ("N = 0 mod 2, N >= 2, H >= 1, W >= 1", True)
