"""Whatever a forward changes is put back: when it comes through, when a shape fails, when it raises an error."""

import gc
import random
import weakref
from collections import OrderedDict, deque
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import shapeproof as sp
from shapeproof.capture.guard import Memory


class Tracker:
    def __init__(self):
        self.steps, self.log = 0, [[1]]


class Changed(nn.Module):
    """Has something of every kind, and lets a function change it in the middle of its forward."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.table = nn.Embedding(5, 4, max_norm=0.1)
        self.bn = nn.BatchNorm1d(4)
        self.register_buffer("state", torch.zeros(3))
        self.plain = torch.ones(3)
        self.nested = {"a": [1, {"b": deque([2])}], "o": OrderedDict(k={3})}
        self.tracker = Tracker()
        self.generator = torch.Generator().manual_seed(1)
        self.random = random.Random(1)
        self.change = self.end = None

    def forward(self, x):
        x = self.fc(x)
        self.change(self)
        return self.end(x)


def fails(x):
    return x @ x.new_ones(7, 7)


def raises(x):
    raise KeyError("mine")


CHANGES = {
    "weights": lambda m: m.fc.weight.mul_(2),
    "weights, a part": lambda m: m.fc.weight[0].zero_(),
    "weights, by data": lambda m: setattr(m.fc.weight, "data", torch.zeros(4, 4)),
    "weights, by inplace": lambda m: F.relu(m.fc.weight, inplace=True),
    "weights, by out": lambda m: torch.add(m.fc.bias, 1, out=m.fc.bias),
    "weights, brought to a norm": lambda m: m.table(torch.arange(2)),
    "a new parameter in its place": lambda m: setattr(m.fc, "weight", nn.Parameter(torch.zeros(4, 4))),
    "buffers": lambda m: m.state.add_(1),
    "running statistics": lambda m: m.bn.train()(torch.rand(6, 4)),
    "a tensor that is no buffer": lambda m: m.plain.add_(1),
    "statistics that are no buffers": lambda m: F.batch_norm(torch.rand(6, 3), m.plain, m.plain, None, None, True),
    "a new buffer": lambda m: m.register_buffer("more", torch.zeros(1)),
    "a new module": lambda m: m.add_module("more", nn.ReLU()),
    "a module taken away": lambda m: delattr(m, "bn"),
    "mode": lambda m: m.eval(),
    "attributes": lambda m: setattr(m, "seen", 1),
    "containers": lambda m: m.nested["a"][1]["b"].append(4),
    "ordered containers": lambda m: m.nested["o"]["k"].add(4),
    "plain objects": lambda m: (setattr(m.tracker, "steps", 5), m.tracker.log[0].append(2)),
    "hooks": lambda m: m.fc.register_forward_hook(lambda *_: None),
    "gradients wanted": lambda m: m.requires_grad_(False),
    "gradients": lambda m: setattr(m.fc.weight, "grad", torch.zeros(4, 4)),
    "torch's random state": lambda m: torch.rand(3),
    "python's random state": lambda m: random.random(),
    "numpy's random state": lambda m: np.random.rand(),
    "its own generators": lambda m: (torch.rand(3, generator=m.generator), m.random.random()),
    "the default dtype": lambda m: torch.set_default_dtype(torch.float64),
    "a backend's flag": lambda m: setattr(torch.backends.cudnn, "benchmark", True),
    "determinism": lambda m: torch.use_deterministic_algorithms(True),
    "grad mode": lambda m: torch.set_grad_enabled(False),
}  # fmt: skip


def state(m):
    """All that could change, as values that can be compared."""
    tensors = {**dict(m.named_parameters()), **dict(m.named_buffers()), "plain": m.plain}
    return {
        "tensors": {k: (id(t), t.requires_grad, t.grad is None, t.device, t.tolist()) for k, t in tensors.items()},
        "keys": list(m.state_dict()),
        "modules": [(n, id(c), c.training, len(c._forward_hooks), set(c.__dict__)) for n, c in m.named_modules()],
        "plain": repr((m.nested, vars(m.tracker))),
        "random": (torch.get_rng_state().tolist(), random.getstate(), repr(np.random.get_state())),
        "own": (m.generator.get_state().tolist(), m.random.getstate()),
        "settings": (torch.get_default_dtype(), torch.backends.cudnn.benchmark, torch.is_grad_enabled()),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "functions": (F.linear, torch.Tensor.add_, nn.Module.__call__, torch.relu),
        "hooks": (len(nn.modules.module._global_forward_hooks), len(nn.modules.module._global_forward_pre_hooks)),
    }


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("end", [torch.relu, fails, raises])
def test_everything_is_put_back(change, end):
    model = Changed()
    model.change, model.end = CHANGES[change], end
    before = state(model)
    if end is raises:
        with pytest.raises(KeyError, match="mine"):
            sp.derive(model, (6, 4))
    else:
        assert sp.derive(model, (6, 4)).verdict == ("failed" if end is fails else "proved")
    assert state(model) == before


@pytest.mark.parametrize("change", CHANGES)
def test_the_changes_are_seen_by_this_test(change):
    """Each of them, made outside of derive, shows in the state that is compared."""
    model = Changed()
    before = state(model)
    try:
        with torch.no_grad():
            CHANGES[change](model)
            assert state(model) != before
    finally:
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False


def test_lazy_layers_stay_without_sizes():
    model = nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.LazyBatchNorm1d())
    d = sp.derive(model, (6, 7))
    assert (d.verdict, d.output, d.cost.parameters) == ("proved", (6, 5), 7 * 5 + 5 + 10)
    assert all(isinstance(p, nn.UninitializedParameter) for p in model.parameters())
    assert type(model[0]) is nn.LazyLinear
    assert str(sp.derive(model, "N,F").output) == "(N, 5)"


def test_an_input_that_is_written_into_stays_as_it_is():
    x = torch.ones(2, 3)
    assert sp.derive(lambda a: a.mul_(2).add_(a), x).verdict == "proved"
    assert torch.equal(x, torch.ones(2, 3))


def test_a_tensor_from_outside_that_is_written_into_stays_as_it_is():
    cache = torch.zeros(4, 3)

    def keeps(x):
        cache[:2] = x
        return cache.sum(0)

    assert sp.derive(keeps, (2, 3)).output == (3,)
    assert torch.equal(cache, torch.zeros(4, 3))


class Cache:
    """As those of text generation: grown by what goes through, and written into in its first half."""

    def __init__(self):
        self.kept, self.room, self.seen = [torch.zeros(1, 3)], torch.zeros(4, 3), 0


def test_a_cache_that_is_given_stays_as_it_is():
    cache = Cache()
    first = cache.kept[0]

    def grows(x, cache):
        cache.kept.append(torch.cat([cache.kept[-1], x]))
        cache.kept[0] = cache.kept[-1]
        cache.room[:2] = x[:2]
        cache.seen += len(x)
        return cache.kept[-1]

    for given in ({"cache": cache}, {"cache": [cache]}):
        sizes = [sp.derive(lambda x, cache: grows(x, cache[0] if isinstance(cache, list) else cache), (2, 3), **given)]
        assert [d.output for d in sizes] == [(3, 3)]
    assert (len(cache.kept), cache.kept[0] is first, cache.seen, float(cache.room.sum())) == (1, True, 0, 0.0)


def test_memory_that_a_run_makes_larger_is_as_large_as_before():
    results, buffer = torch.zeros(0), torch.tensor([1.0, 2.0, 3.0])
    assert sp.derive(lambda x: torch.cat([x, x], out=results), torch.rand(2, 3)).verdict == "proved"
    assert sp.derive(lambda x: (buffer.resize_(5).fill_(9), x)[1], torch.rand(2)).verdict == "proved"
    assert (results.shape, results.untyped_storage().nbytes()) == ((0,), 0)
    assert (buffer.tolist(), buffer.untyped_storage().nbytes()) == ([1.0, 2.0, 3.0], 12)


def test_a_tensor_from_outside_that_is_turned_in_place_is_as_it_was():
    weights = torch.arange(6.0).reshape(2, 3)
    assert sp.derive(lambda x: x @ weights.t_().unsqueeze_(0), torch.rand(1, 4, 3)).output == (1, 4, 2)
    assert (weights.shape, weights.stride(), weights[1].tolist()) == ((2, 3), (3, 1), [3.0, 4.0, 5.0])


def test_a_derivation_its_model_and_its_inputs_are_freed_as_soon_as_nobody_needs_them():
    model, x = nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.zeros(2, 4)
    sp.derive(model, x)  # what is loaded and kept for good is
    gone = [weakref.ref(model), weakref.ref(x)]
    gc.disable()  # which would find them in time, if they held one another
    try:
        derivations = [sp.derive(model, x), sp.derive(model, "N,4")]
        derivations.append(derivations[1].at(N=3))
        gone += map(weakref.ref, derivations)
        del model, x, derivations
        assert [ref() for ref in gone] == [None] * len(gone)
    finally:
        gc.enable()


@pytest.mark.parametrize(("norm", "kept"), [(None, 0), (0.1, 1)])
def test_a_table_is_copied_only_where_its_rows_are_brought_to_a_norm(norm, kept):
    model = nn.Sequential(nn.Embedding(5, 4, max_norm=norm), nn.Linear(4, 2))
    with mock.patch.object(Memory, "about_to_write", autospec=True) as copies:
        assert sp.derive(model, "int64[2,3]").verdict == "proved"
    assert copies.call_count == kept


@pytest.mark.parametrize("collects", [True, False])
def test_pythons_collector_runs_afterwards_as_before(collects):
    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        for end in (torch.relu, fails):
            sp.derive(lambda x, end=end: end(x), (2, 3))
            assert gc.isenabled() is collects
    finally:
        (gc.enable if before else gc.disable)()
