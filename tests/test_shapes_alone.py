"""Large models are run on shapes alone; where values are needed the run is made on real tensors, and said so."""

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.capture import effort


class Net(nn.Module):
    """Has a buffer, a plain tensor, tied weights, and makes tensors on the device of what comes in."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(300, 300)
        self.norm = nn.BatchNorm1d(300)
        self.head = nn.Linear(300, 300, bias=False)
        self.head.weight = self.embedding.weight
        self.scale = torch.ones(300)

    def forward(self, ids):
        x = self.embedding(ids)
        x = x + torch.arange(ids.shape[1], device=x.device)[:, None].to(x) * self.scale.to(x.device)
        mask = torch.ones(ids.shape[1], ids.shape[1]).tril().bool()
        scores = (x @ x.transpose(1, 2)).masked_fill(~mask, float("-inf")).softmax(-1)
        steps = int(torch.ones(3).sum())  # small and made here: its value is there
        x = self.norm((scores @ x).flatten(0, 1))
        return self.head(x)[:, :steps]


@pytest.fixture
def heavy(monkeypatch):
    monkeypatch.setattr(effort, "WEIGHTS", 1000)


def test_heavy_weights_are_never_computed_with(heavy, monkeypatch):
    model = Net()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    real = sp.derive(model, "int64[2,70]")
    assert "GiB" in real.manner.alone
    assert "run on shapes alone" in real.to_text()
    assert (real.verdict, real.output) == ("proved", (140, 3))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.head.weight is model.embedding.weight
    monkeypatch.undo()
    plain = sp.derive(model, "int64[2,70]")
    assert plain.manner.alone == ""
    assert [(s.op, s.output, s.cost) for s in plain.steps] == [(s.op, s.output, s.cost) for s in real.steps]
    assert plain.cost == real.cost


def test_no_large_result_is_ever_real(heavy):
    seen = []

    class Watches(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(300, 300)

        def forward(self, x):
            y = self.fc(x)
            seen.append(y)
            return y

    sp.derive(Watches(), (4, 300))
    assert seen[0].untyped_storage().data_ptr() == 0


def test_a_run_that_takes_too_long_goes_on_without_values(monkeypatch):
    monkeypatch.setattr(effort, "MACS", 100_000)
    d = sp.derive(nn.Sequential(nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 100)), (11, 100))
    assert "G multiply-adds" in d.manner.alone
    assert (d.verdict, d.cost.macs) == ("proved", 2 * 11 * 100 * 100)


def test_a_run_that_holds_too_much_goes_on_without_values(monkeypatch):
    monkeypatch.setattr(effort, "ELEMENTS", 10_000)
    d = sp.derive(lambda x: x[:, None] + x[None], (300, 7))
    assert "numbers" in d.manner.alone
    assert d.output == (300, 300, 7)


@pytest.mark.parametrize(
    "reads",
    [
        lambda x: x * x.sum().item(),
        lambda x: x if x.mean() > 0 else -x,
        lambda x: x * float(x.max()),
        lambda x: x[x > 2],
        lambda x: x.nonzero(),
        lambda x: torch.tensor(x.tolist()),
        lambda x: torch.masked_select(x, x > 0),
    ],
)
def test_values_are_read_from_a_real_run_after_all_and_it_is_said(heavy, reads):
    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(30, 30)

        def forward(self, x):
            return reads(self.fc(x))

    d = sp.derive(Reads(), (4, 30))
    assert d.verdict in ("proved", "incomplete")
    assert "test_shapes_alone.py:" in d.manner.values
    assert "run on real tensors" in d.to_text()
    with pytest.raises(sp.ValuesError, match=r"needs values.*to_empty"):
        sp.derive(Reads().to("meta"), (4, 30))


def test_a_shape_error_is_found_without_values(heavy):
    d = sp.derive(nn.Sequential(nn.Linear(30, 40), nn.Linear(41, 2)), (4, 30))
    assert (d.verdict, d.diagnosis.code) == ("failed", "in-features")
    assert d.diagnosis.fixes[0].proved
    assert d.manner.alone


def test_letters_go_through_without_values(heavy):
    d = sp.derive(Net().eval(), "int64[N,T]")
    assert d.verdict == "proved"
    assert str(d.output) == "(N*T, 3)"


def test_models_on_the_meta_device_stay_there():
    with torch.device("meta"):
        model = Net()
    d = sp.derive(model, "int64[2,5]")
    assert (d.verdict, d.output) == ("proved", (10, 3))
    assert all(p.device.type == "meta" for p in model.parameters())


class Places(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, x):
        return x.unsqueeze(-1) + self.table(torch.arange(x.shape[1], device=x.device))


def test_places_beyond_a_table_fail_where_the_table_has_no_values():
    with torch.device("meta"):
        model = Places()
        assert sp.derive(model, torch.zeros(2, 10)).verdict == "proved"
        found = sp.derive(model, torch.zeros(2, 11))
    assert (found.verdict, found.diagnosis.code, found.steps[-1].verdict) == ("failed", "num-embeddings", "failed")
    assert str(sp.derive(model, "N,T").domain) == "1 <= T <= 10, N >= 1"


def resized_to(x, grid):
    """Encoders of pictures of any size: their grids lie in a table on the processor, and stay tensors."""
    for height, width in grid:
        x = nn.functional.interpolate(x, size=(height, width), mode="bilinear")
    return x[:, :, : grid[0, 0]].view(x.shape[0], -1, grid[0, 1])


def test_sizes_that_stand_in_tensors_keep_their_values():
    grid = torch.tensor([[6, 5]])
    for x in (torch.zeros(2, 3, 8, 8, device="meta"), torch.zeros(2, 3, 8, 8)):
        d = sp.derive(resized_to, x, grid)
        assert (d.verdict, d.output) == ("proved", (2, 18, 5))
