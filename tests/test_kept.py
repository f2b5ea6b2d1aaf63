"""What backward keeps: by rule, beside what PyTorch's autograd holds, and beside a count made without shapeproof."""

import json
import random
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeproof as sp
import test_zoo_networks
from networks_of_every_kind import KINDS
from shapeproof.capture.run import run
from shapeproof.derivation.keeping import kept_of
from shapeproof.models.document import FourStage
from shapeproof.rules import keeping
from test_macs import GPT2, resnet50
from test_networks import NETWORKS
from test_rules_agree import ALL


def held(model, *inputs):
    """Bytes of the distinct storages that autograd saves in a plain run, but for weights, inputs and single numbers."""
    there = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers(), *inputs)}
    found = {}

    def pack(tensor):
        if tensor.dim():
            found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()  # kept, so that no other lies there
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept_alive = model(*inputs)
    assert kept_alive is not None
    return sum(storage.nbytes() for place, storage in found.items() if place not in there)


def test_by_hand():
    # the convolution keeps its input, which is there anyhow; relu its result; pooling its input, which relu keeps
    # already, and an index of 8 bytes for each of 3 * 2 * 2 results; linear its input, which is pooling's result
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 5))
    found = sp.derive(net, (1, 1, 6, 6)).kept
    assert found.derived == (0, 4 * 3 * 16, 8 * 12, 0, 4 * 12)
    assert found.pytorch == found.derived
    assert found.total == 192 + 96 + 48
    assert (found.agreeing, found.differing) == (5, ())


def test_normalisation_keeps_its_statistics_in_training_alone():
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3))
    assert sp.derive(net.train(), (2, 1, 4, 4)).kept.derived == (0, 4 * 96 + 2 * 4 * 3)
    assert sp.derive(net.eval(), (2, 1, 4, 4)).kept.derived == (0, 4 * 96)


def test_what_is_kept_twice_counts_once():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x):
            y = self.a(x).sigmoid()
            return self.a(y) + y * y

    assert sp.derive(Shared(), (2, 4)).kept.derived == (0, 32, 0, 0, 0)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_agree_with_autograd_at_every_step_that_has_a_rule(name, training):
    make, spec = NETWORKS[name]
    found = sp.derive(make().train(training), spec).kept
    assert found.total is not None
    assert found.differing == ()
    assert found.agreeing == sum(size is not None for size in found.derived)
    assert found.agreeing >= len(found.derived) - 1  # a recurrent layer, or attention as one call


@pytest.mark.parametrize("name", test_zoo_networks.NETWORKS)
def test_blocks_of_the_zoos_agree_with_autograd(name):
    net, shape = test_zoo_networks.NETWORKS[name]
    found = sp.derive(net, torch.rand(shape).requires_grad_()).kept
    assert found.differing == ()
    assert found.total is not None


@pytest.mark.parametrize("name", ["causal attention", "dense", "pyramid", "relative bias", "wavenet"])
def test_networks_with_letters_agree_with_autograd(name):
    make, specs, _ = KINDS[name]
    assert sp.derive(make().train(), *specs).kept.differing == ()


@pytest.mark.parametrize("name", ["residual", "gpt", "vit", "inception", "mobile"])
def test_totals_are_those_of_a_plain_run(name):
    make, spec = NETWORKS[name]
    model = make().train()
    x = torch.zeros(2, 10, dtype=torch.long) if "int64" in spec else torch.rand(2, *SIZES[name])
    assert sp.derive(model, x).kept.total == held(model, x)


SIZES = {"residual": (8, 6, 6), "vit": (3, 16, 16), "inception": (4, 14, 14), "mobile": (4, 14, 14)}


def test_the_document_network_is_as_a_plain_run():
    model, x = FourStage().train(), torch.rand(2, 1, 28, 28)
    found = sp.derive(model, x).kept
    assert (found.agreeing, found.total) == (17, held(model, x))


def test_on_shapes_alone_it_is_the_same():
    with torch.device("meta"):
        alone = resnet50()
    x = torch.rand(1, 3, 64, 64)
    found = sp.derive(alone, (1, 3, 64, 64)).kept
    assert found.differing == ()
    assert found.total == sp.derive(resnet50(), x).kept.total == 7_183_872


def test_attention_is_told_by_rule_where_the_meta_device_chooses_another_kernel():
    with torch.device("meta"):
        found = sp.derive(GPT2(depth=2), "int64[1,16]").kept
    assert found.differing == ()
    assert sum(size is None for size in found.pytorch) == 2
    real = sp.derive(GPT2(depth=2), "int64[1,16]").kept
    assert real.differing == ()
    assert None not in real.pytorch


def fed(fn, tensors, wants):
    """The function on results of steps, so that what it keeps is counted."""
    return lambda *given: fn(*[t.neg() if t.is_floating_point() else t.clone() for t in given])


@pytest.mark.parametrize("part", range(8))
def test_every_rule_agrees_with_autograd_on_random_arguments(part):
    agreed = 0
    for name in sorted(ALL)[part::8]:
        rng = random.Random(f"kept {name}")
        for _ in range(4):
            fn, tensors = ALL[name](rng)
            if any(t.is_sparse or t.dtype.is_complex for t in tensors):
                continue
            given = [t.clone().requires_grad_(t.is_floating_point() and rng.random() < 0.8) for t in tensors]
            try:
                trace = run(fed(fn, tensors, given), [(t, None) for t in given], {}, keeping=True)
            except Exception:  # noqa: BLE001  # refused for its values: told by other tests
                continue
            if trace.error is None:
                found = kept_of(trace)
                assert found.differing == (), (name, [call.op for call in trace.calls], found)
                agreed += found.agreeing
    assert agreed > 50


def test_a_wrong_rule_shows(monkeypatch):
    monkeypatch.setitem(keeping._TABLE, "relu", lambda ran: [])
    d = sp.derive(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), (2, 4))
    assert d.kept.differing == (1, 2)
    assert "0 (PyTorch 32)" in d.to_text(view=columns("module", "kept"))


def columns(*names):
    from shapeproof.render.view import View

    return View(columns=names)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x * 2
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return Doubled.apply(self.a(x))


def test_a_function_of_the_users_own_is_pytorchs_word_alone():
    found = sp.derive(Own(), (2, 4)).kept
    assert found.derived[-1] is None
    assert found.total == 32


def test_what_is_not_known_is_not_zero():
    class Forbids(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(4))

        def forward(self, x):
            self.w += 1  # without gradients PyTorch lets that pass
            return x * self.w

    d = sp.derive(Forbids(), (2, 4))
    assert d.kept.total is None
    assert "with gradients the model raises RuntimeError" in d.kept.trouble
    assert "unknown" in d.to_text(view=columns("module", "kept"))


def test_letters_give_expressions_that_hold_at_other_sizes():
    d = sp.derive(FourStage().train(), "N,1,H,W")
    at = sp.derive(FourStage().train(), "3,1,20,30").kept
    assert d.kept.differing == ()
    assert d.at(N=3, H=20, W=30).kept.derived == at.derived
    assert [int(size.expr.value({"N": 3, "H": 20, "W": 30})) if hasattr(size, "expr") else size
            for size in d.kept.derived] == list(at.derived)  # fmt: skip
    assert str(d.kept.derived[1]) == "64*H*N*W"
    assert str(d.steps[0].cost.activation_bytes) == "64*H*N*W"


def test_it_costs_nothing_until_it_is_asked_for_and_leaves_no_gradient():
    class Counts(nn.Module):
        calls = 0

        def __init__(self):
            super().__init__()
            self.a, self.bn = nn.Linear(4, 4), nn.BatchNorm1d(4)

        def forward(self, x):
            Counts.calls += 1
            return F.dropout(self.bn(self.a(x)), training=self.training)

    model = Counts().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    d = sp.derive(model, (2, 4))
    assert d.to_dict()["kept"] is None
    calls = Counts.calls
    assert d.kept is d.kept
    assert Counts.calls == calls + 1
    assert d.to_dict()["kept"]["total"] == d.kept.total
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()


def test_the_command_tells_it():
    line = [sys.executable, "-m", "shapeproof", "derive", "four-stage", "--input", "1,1,28,28", "--train", "--kept"]
    text = subprocess.run(line, capture_output=True, text=True, timeout=120).stdout
    assert "backward keeps 201,344 bytes: at 17 of 17 steps the rule and PyTorch's autograd agree" in " ".join(
        text.split()
    )
    done = subprocess.run([*line, "--format", "json"], capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["kept"]["total"] == 201_344
    done = subprocess.run([*line, "--format", "html"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, "goes with" in done.stderr) == (2, True)


def test_frozen_layers_blocks_without_gradients_and_other_dtypes():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
            self.a.requires_grad_(False)

        def forward(self, x):
            x = self.b(F.relu(self.a(x)))
            with torch.no_grad():
                y = self.b(x).sigmoid()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self.c(x * y)

    found = sp.derive(Mixed(), (2, 4)).kept
    assert found.derived[:5] == (0, 0, 32, 0, 0)
    assert found.derived[-1] is None  # autocast makes copies
    assert found.differing == ()
    half = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)).bfloat16()
    assert sp.derive(half, "bfloat16[2,1,8,8]").kept.differing == ()
