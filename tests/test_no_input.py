"""Models as people write them, derived without an input: what the layers want is tried, and what was chosen is said."""

import textwrap

import pytest

from shapeproof.cli.deriving import derive_target
from shapeproof.errors import UsageError

SOURCE = textwrap.dedent("""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2 = nn.Linear(400, 120), nn.Linear(120, 10)
        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))

    class CatsAndDogs(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.fc = nn.Conv2d(3, 4, 3, 4), nn.Conv2d(4, 8, 3, 4), nn.Linear(8 * 9 * 9, 1)
        def forward(self, x):
            return self.fc(self.b(self.a(x)).flatten(1))

    class Signal(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.fc = nn.Conv1d(1, 8, 7, 2), nn.Conv1d(8, 16, 5, 2), nn.Linear(16 * 247, 5)
        def forward(self, x):
            x = F.relu(self.b(F.relu(self.a(x))))
            return self.fc(x.view(x.size(0), -1))

    class Perceptron(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(784, 10)
        def forward(self, x):
            return self.fc(x.view(-1, 28 * 28))

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(100, 32), nn.Parameter(torch.zeros(1, 20, 32))
            self.fc = nn.Linear(20 * 32, 2)
        def forward(self, ids):
            return self.fc((self.words(ids) + self.places).flatten(1))

    class Series(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.fc = nn.GRU(7, 32), nn.Linear(32, 1)
        def forward(self, x):
            return self.fc(self.gru(x)[0][-1])

    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.cnn, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4 * 38 * 38, 16)
        def half(self, x):
            return self.fc(self.cnn(x).flatten(1))
        def forward(self, a, b):
            return F.pairwise_distance(self.half(a), self.half(b))

    class TwoTowers(nn.Module):
        def __init__(self):
            super().__init__()
            self.picture, self.table, self.out = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(10, 8), nn.Linear(16, 2)
        def forward(self, picture, table):
            seen = F.adaptive_avg_pool2d(self.picture(picture), 1).flatten(1)
            return self.out(torch.cat([seen, self.table(table)], 1))

    class Recommender(nn.Module):
        def __init__(self):
            super().__init__()
            self.user, self.item, self.fc = nn.Embedding(100, 16), nn.Embedding(50, 16), nn.Linear(32, 1)
        def forward(self, user, item):
            return self.fc(torch.cat([self.user(user), self.item(item)], -1))

    class NoLayer(nn.Module):
        def forward(self, a, b):
            return a @ b
""")

CHOSEN = {
    "LeNet": ("N,1,H,W", {"H": 32, "W": 32}),
    "CatsAndDogs": ("N,3,H,W", {"H": 143, "W": 143}),
    "Signal": ("N,1,L", {"L": 1000}),
    "Perceptron": ("N,784", {}),
    "Tokens": ("int64[N,T]", {"T": 20}),
    "Series": ("T,N,7", {"T": 5}),
    "Twins": ("--input 'N,1,H,W' --input 'N,1,H,W'", {"H": 40, "W": 40}),
    "TwoTowers": ("--input 'N,3,H,W' --input 'N,10'", {"H": 9, "W": 9}),
    "Recommender": ("--input 'int64[N,T]' --input 'int64[N,T]'", {"T": 9}),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "models.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize("name", CHOSEN)
def test_a_size_is_found_and_said(name, models, capsys):
    spec, sizes = CHOSEN[name]
    found = derive_target(f"{models}:{name}", [], (), train=False)
    assert found.verdict == "proved"
    assert f"no --input given: trying {spec}" in capsys.readouterr().err
    assert found.domain.contains(N=3, **sizes)


def test_of_all_sizes_a_square_one_is_tried(models):
    sizes = dict(derive_target(f"{models}:CatsAndDogs", [], (), train=False).sizes)
    assert sizes["H"] == sizes["W"]


def test_inputs_that_no_layer_tells_are_asked_for_by_name(models):
    with pytest.raises(UsageError, match=r"NoLayer takes 2 inputs \(a, b\); give --input once for each"):
        derive_target(f"{models}:NoLayer", [], (), train=False)
