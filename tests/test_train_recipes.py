"""Recipes, schedules, optimisers, threads, batches: each piece by itself."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from shapeproof.errors import UsageError
from shapeproof.models.document import FourStage, TwoStage
from shapeproof.training import kernels, optimisers, threads
from shapeproof.training.batches import Batches, distorted, held_back, plan, split
from shapeproof.training.fit import suited
from shapeproof.training.preparation import Preparation, measured
from shapeproof.training.recalibrate import recalibrate
from shapeproof.training.recipes import BEST, FAST, RECIPES, REFERENCE, find, from_dict
from training_data import small, stripes

PICTURES = torch.randn(2, 1, 28, 28)
CPU = torch.device("cpu")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name):
    assert from_dict(json.loads(json.dumps(find(name).to_dict()))) == find(name)
    assert name in str(find(name))


def test_a_recipe_from_a_toml_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('base = "fast"\nepochs = 3\nlearning_rate = 0.02\n')
    assert find(file) == FAST.with_changes(name="mine", epochs=3.0, learning_rate=0.02)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("epochs = 0", "epochs = 0.0, but it must be greater than 0"),
        ('epochs = "many"', "must be of type float"),
        ("depth = 3", "no field 'depth'"),
        ('base = "slow"', "base = 'slow'"),
        ("epochs = = 3", "not a TOML file"),
        ("batch_size = true", "must be of type int"),
        ('optimiser = "sgd"', "one of adam, adamw, muon"),
    ],
)
def test_a_wrong_recipe_file_is_one_clear_line(tmp_path, text, wrong):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=wrong) as caught:
        find(file)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(UsageError, match="known are reference, fast, best"):
        find("quick")


def test_the_rate_rises_over_a_fifth_and_falls_to_zero():
    rates = [optimisers.rate(BEST, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == rates[19] == rates[20] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.0125)
    assert optimisers.rate(REFERENCE, 99, 100) == 1.0


@pytest.mark.parametrize(
    ("count", "batch", "epochs", "drop", "per_epoch", "total"),
    [
        (60_000, 100, 5, False, 600, 3000),
        (60_000, 200, 0.3, True, 300, 90),
        (1437, 200, 1, True, 7, 7),
        (10, 100, 1, False, 1, 1),
    ],
)
def test_the_plan(count, batch, epochs, drop, per_epoch, total):
    made = plan(count, REFERENCE.with_changes(batch_size=batch, epochs=epochs, drop_last=drop))
    assert (made.per_epoch, made.total) == (per_epoch, total)


@given(count=st.integers(2, 500), share=st.floats(0.001, 0.999), seed=st.integers(0, 9))
def test_a_split_holds_each_picture_once(count, share, seed):
    train, held = split(count, share, seed)
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(count))
    assert len(held) == held_back(count, share)
    assert len(train) > 0


def test_orthogonalised_brings_singular_values_near_one():
    matrix = torch.randn(16, 40, generator=torch.Generator().manual_seed(0))
    for m in (matrix, matrix.T):
        values = torch.linalg.svdvals(optimisers.orthogonalised(m, dtype=torch.float32))
        assert values.min() > 0.6
        assert values.max() < 1.3


class Mixed(nn.Module):
    """Convolutions that Muon may serve and that it may not, registered in another order than they run."""

    def __init__(self):
        super().__init__()
        self.stem, self.plain = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.point, self.grouped = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.served, self.late = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 8, (1, 3))
        self.norms = nn.ModuleList([*(nn.BatchNorm2d(4) for _ in range(4)), nn.GroupNorm(2, 8)])
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.norms[0](self.stem(x))
        x = self.norms[1](self.plain(x).relu())
        x = self.norms[2](self.grouped(self.norms[3](self.served(self.point(x)))))
        return self.fc(self.norms[4](self.late(x)).mean((2, 3)))


def test_muon_serves_kernels_that_a_normalisation_follows_directly():
    model = Mixed()
    model.norms[0].eval()
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    chosen = optimisers.normalised_kernels(model, PICTURES)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert [names[id(kernel)] for kernel in chosen] == ["served.weight", "late.weight"]
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    assert model.training
    assert not model.norms[0].training
    assert not nn.modules.module._global_forward_hooks


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_parameter_belongs_to_one_optimiser(recipe):
    model = FourStage()
    groups = [g["params"] for o in optimisers.build(model, recipe, PICTURES, bfloat16=False) for g in o.param_groups]
    owned = [id(parameter) for group in groups for parameter in group]
    assert sorted(owned) == sorted(id(parameter) for parameter in model.parameters())


def test_weight_decay_reaches_adamw():
    built = optimisers.build(FourStage(), FAST.with_changes(weight_decay=0.05), PICTURES, bfloat16=False)
    assert built[1].param_groups[0]["weight_decay"] == 0.05


@pytest.mark.parametrize("network", [TwoStage, FourStage])
def test_pooling_first_is_the_same_bits_forwards_and_backwards_and_keeps_names(network):
    torch.manual_seed(0)
    model, x = network().train(), torch.randn(4, 1, 28, 28)
    names = list(model.state_dict())

    def gradients():
        model.zero_grad()
        out = model(x)
        out.square().sum().backward()
        return [out.detach(), *[p.grad.clone() for p in model.parameters()]]

    before = gradients()
    with kernels.pooled_first(model, x) as count:
        assert count == (2 if network is TwoStage else 4)
        assert list(model.state_dict()) == names
        inside = gradients()
    assert all(torch.equal(a, b) for a, b in zip(before, inside, strict=True))
    assert isinstance(model.conv1[1], nn.ReLU)


class Peeks(nn.Module):
    """Reads its layers by their place: swapping two of them would change what it computes."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))

    def forward(self, x):
        return self.layers[:2](x).mean((2, 3))


def test_a_model_that_reads_its_layers_its_own_way_is_left_alone():
    model = Peeks()
    with kernels.pooled_first(model, torch.randn(2, 1, 8, 8)) as count:
        assert count == 0
        assert isinstance(model.layers[1], nn.ReLU)


def test_a_flattening_view_forbids_channels_last_only_where_it_breaks():
    x = torch.randn(2, 1, 28, 28)
    assert kernels.runs_channels_last(FourStage(), x)
    assert not kernels.runs_channels_last(TwoStage(), x)


@pytest.mark.parametrize(
    ("text", "limit"), [("max 100000", None), ("150000 100000", 1.5), ("50000 100000", 0.5), ("nonsense", None)]
)
def test_the_control_groups_limit(tmp_path, text, limit):
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert threads.cgroup_limit(tmp_path) == limit
    assert threads.available(tmp_path) >= 1
    if limit:
        assert threads.available(tmp_path) == 1


def test_the_older_control_groups_limit(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("200000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert threads.cgroup_limit(tmp_path) == 2.0


def test_the_quicker_number_of_threads_is_chosen(monkeypatch):
    monkeypatch.setattr(threads, "available", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before, now = torch.get_num_threads(), [0.0]
    monkeypatch.setattr(threads.time, "perf_counter", lambda: now[0])
    try:
        for slow, chosen in ((1, 2), (2, 1)):

            def step(slow=slow):
                now[0] += 0.5 if torch.get_num_threads() == slow else 0.1

            assert threads.choose(step).threads == chosen
        assert threads.choose(step, asked=2).reason == "as asked"
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert "OMP_NUM_THREADS" in threads.choose(step).reason
    finally:
        torch.set_num_threads(before)


def test_preparation_is_totensor_and_normalise():
    images = torch.randint(0, 256, (50, 3, 6, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    plain = measured(images, normalise=False, margin=0)
    assert torch.equal(plain(images), images.float() / 255)
    full = measured(images, normalise=True, margin=1)
    x = images.float() / 255
    assert full.mean == pytest.approx(x.mean((0, 2, 3)).tolist(), abs=1e-4)
    assert full.std == pytest.approx(x.std((0, 2, 3), correction=0).tolist(), abs=1e-4)
    assert full(images).shape == (50, 3, 4, 3)
    assert Preparation.from_dict(json.loads(json.dumps(full.to_dict()))) == full
    assert full.spec == "N,3,4,3"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("margin", [0, 2])
def test_moving_cuts_whole_pixels_near_the_middle(channels, margin):
    images = torch.arange(channels * 100, dtype=torch.uint8).view(1, channels, 10, 10).repeat(40, 1, 1, 1)
    preparation = Preparation(channels, 10, 10, margin, (0.0,) * channels, (1.0,) * channels)
    recipe = REFERENCE.with_changes(shift=1, margin=margin)
    out = distorted(images, preparation, recipe, 0, 0, 40, torch.arange(40))
    assert out.shape == (40, channels, 10 - 2 * margin, 10 - 2 * margin)
    corner = {round(float(picture[0, 1, 1]) * 255) for picture in out}  # one pixel inside, where no rim is continued
    middle = 11 * (margin + 1)
    assert corner == {middle + dy + dx for dy in (-10, 0, 10) for dx in (-1, 0, 1)}


def test_a_warp_of_nothing_is_the_picture_itself():
    images = torch.randint(0, 256, (4, 2, 9, 7), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    preparation = Preparation(2, 9, 7, 1, (0.0, 0.0), (1.0, 1.0))
    recipe = REFERENCE.with_changes(rotation=1e-7, margin=1)
    out = distorted(images, preparation, recipe, 0, 0, 4, torch.arange(4))
    assert torch.allclose(out, preparation(images), atol=1e-4)


def test_a_turn_is_the_one_that_kornia_makes():
    from kornia.geometry.transform import rotate

    x = torch.zeros(1, 1, 21, 21)
    x[0, 0, 4:16, 9:12] = 200
    preparation = Preparation(1, 21, 21)
    recipe = REFERENCE.with_changes(rotation=90.0)
    from shapeproof.training.batches import DISTORTION, random_stream

    chance = torch.rand(1, 7, generator=random_stream(0, DISTORTION, 0)) * 2 - 1
    ours = distorted(x.to(torch.uint8), preparation, recipe, 0, 0, 1, torch.arange(1))
    theirs = rotate(x / 255, chance[:, 1] * 90.0, align_corners=False)
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("recipe", [FAST, BEST.with_changes(flip=True)], ids=["fast", "best"])
@pytest.mark.parametrize("world", [2, 3])
def test_the_shares_of_all_processes_are_the_batch(recipe, world):
    data = stripes(count=200)
    preparation = measured(data.train_images, normalise=True, margin=2)
    recipe = recipe.with_changes(batch_size=40)

    def batches(rank, world):
        return Batches(data.train_images, data.train_labels, preparation, recipe, 3, CPU, rank, world)

    for step in (0, 5):
        whole = batches(0, 1).at(step)
        shares = [batches(rank, world).at(step) for rank in range(world)]
        assert torch.allclose(torch.cat([share.x for share in shares]), whole.x, atol=1e-6)
        assert torch.equal(torch.cat([share.y for share in shares]), whole.y)
        assert {share.count for share in shares} == {40}


def test_the_first_batches_are_small_and_the_others_whole():
    data = stripes(count=200)
    preparation = measured(data.train_images, normalise=True, margin=0)
    plain = REFERENCE.with_changes(batch_size=30, epochs=2)
    whole = Batches(data.train_images, data.train_labels, preparation, plain, 3, CPU)
    batches = Batches(data.train_images, data.train_labels, preparation, plain.with_changes(small_first=0.35), 3, CPU)
    assert batches.plan.total == 10
    sizes = [tuple(batches.at(step).x.shape[1:]) for step in range(10)]
    assert sizes == [(1, 8, 8)] * 4 + [(1, 12, 12)] * 6
    assert torch.equal(batches.at(4).x, whole.at(4).x)
    means = batches.at(0).x.mean((1, 2, 3)), whole.at(0).x.mean((1, 2, 3))
    assert torch.allclose(*means, atol=0.1)  # the same pictures, only smaller
    assert torch.equal(batches.at(0).y, whole.at(0).y)


def test_pictures_are_small_at_first_only_where_the_network_runs_on_them():
    recipe = REFERENCE.with_changes(small_first=0.4)
    data = stripes(size=28)

    def told(model, data):
        changed, notes = suited(model, measured(data.train_images, normalise=True, margin=0), recipe)
        return changed.small_first, notes[-1]

    pooled = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    share, note = told(pooled, data)
    assert (share, "at 19x19" in note) == (0.4, True)
    share, note = told(nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), data)
    assert (share, "does not run on 19x19" in note) == (0.0, True)
    share, note = told(pooled, stripes(size=12))
    assert (share, "8x8 would be very little" in note) == (0.0, True)


def test_a_network_without_normalisation_gets_a_lower_rate_from_a_recipe_with_muon():
    layers = [layer for _ in range(4) for layer in (nn.Conv2d(1, 1, 3, padding=1), nn.ReLU())]
    bare = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3))
    preparation = measured(stripes(size=28).train_images, normalise=True, margin=0)
    recipe, notes = suited(bare, preparation, FAST)
    assert recipe.learning_rate == pytest.approx(0.012)
    assert "5 layers have no normalisation after them: AdamW's rate is 0.012 instead of 0.02" in notes[0]
    assert suited(bare, preparation, recipe) == (recipe, notes[1:])
    assert suited(bare, preparation, FAST.with_changes(optimiser="adamw"))[0].learning_rate == 0.02
    assert suited(FourStage(), preparation, FAST)[0] == FAST


def test_reading_a_batch_leaves_the_stored_pictures_alone():
    data = stripes()
    kept = data.train_images.clone()
    Batches(data.train_images, data.train_labels, measured(kept, normalise=True, margin=0), BEST, 0, CPU).at(0)
    assert torch.equal(kept, data.train_images)


def test_timing_steps_leaves_the_model_and_its_buffers_alone(tmp_path, monkeypatch):
    import shapeproof as sp

    monkeypatch.setattr(threads, "available", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_timed", lambda step, most, repeats: [step(), threads.Choice(1, "timed")][1])
    first, second = small(1), small(1)
    before = torch.get_num_threads()
    recipe = REFERENCE.with_changes(epochs=1)
    try:
        timed = sp.train(first, stripes(), recipe, output=tmp_path / "timed", device="cpu")
        sp.train(second, stripes(), recipe, output=tmp_path / "asked", threads=1, device="cpu")
    finally:
        torch.set_num_threads(before)
    assert timed.record["machine"]["threads_reason"] == "timed"
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_recalibrating_takes_the_statistics_of_undistorted_pictures():
    data, model = stripes(), small(2)
    preparation = measured(data.train_images, normalise=True, margin=0)
    model.train()
    momentum = model.features[1].momentum
    assert recalibrate(model, data.train_images, preparation, 90, CPU, bfloat16=False) == 1
    assert model.training
    assert model.features[4].training
    assert model.features[1].momentum == momentum
    rows = torch.arange(90) * 180 // 90
    inner = model.features[0](preparation(data.train_images[rows]))
    assert torch.allclose(model.features[1].running_mean, inner.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(model.features[1].running_var, inner.var((0, 2, 3)), rtol=1e-3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert recalibrate(model, data.train_images, preparation, 0, CPU, bfloat16=False) == 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert recalibrate(nn.Linear(2, 2), data.train_images, preparation, 90, CPU, bfloat16=False) == 0
