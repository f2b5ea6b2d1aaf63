"""Models as people write them: compiled, scripted, with their own autograd, odd inputs and outputs. None crashes."""

import collections
import dataclasses
import threading
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import shapeproof as sp


@torch.compile
def compiled(x):
    return x.relu() + 1


@torch.jit.script
def scripted(x):
    return x.relu() + 1


@torch.jit.script
def matrix(x):
    return x @ torch.ones(4, 4)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return grad


class Sub(torch.Tensor):
    pass


@dataclasses.dataclass
class Out:
    logits: torch.Tensor
    extra: Any = None


@dataclasses.dataclass
class ModelOutput(collections.OrderedDict):
    """Both a mapping and a dataclass, as the outputs of large libraries are."""

    logits: torch.Tensor = None
    loss: torch.Tensor = None

    def __post_init__(self):
        for entry in dataclasses.fields(self):
            if getattr(self, entry.name) is not None:
                self[entry.name] = getattr(self, entry.name)


Pair = collections.namedtuple("Pair", "a b")


class Opaque:
    def __init__(self, y):
        self.y, self.name = y, "o"


def energy(m, x):
    x.requires_grad_(True)
    return torch.autograd.grad(m.fc(x).sum(), x)[0]


def catches(m, x):
    try:
        return m.fc(x[:, :3])
    except RuntimeError:
        return m.fc(x)


def autocast(m, x):
    with torch.autocast(x.device.type, dtype=torch.bfloat16):
        return m.fc(x)


def in_a_thread(m, x):
    out = []
    thread = threading.Thread(target=lambda: out.append(m.fc(x)))
    thread.start()
    thread.join()
    return out[0] + m.fc(x)


class Calls(nn.Module):
    """Does what a function says."""

    def __init__(self, does):
        super().__init__()
        self.fc, self.does = nn.Linear(4, 4), does

    def forward(self, *args, **kwargs):
        return self.does(self, *args, **kwargs)


# what a forward does: what it is, the output's text, the operations without a rule
FORWARDS = [
    (lambda m, x: compiled(m.fc(x)), "(N, 4)", []),
    (lambda m, x: Square.apply(m.fc(x)), "(N, 4)", []),
    (lambda m, x: m.fc(x.as_subclass(Sub)).relu(), "(N, 4)", []),
    (lambda m, x: checkpoint(m.fc, x, use_reentrant=False), "(N, 4)", []),
    (lambda m, x: torch.func.functional_call(m.fc, dict(m.fc.named_parameters()), (x,)), "(N, 4)", []),
    (autocast, "(N, 4)", []),
    (lambda m, x: Out(m.fc(x), {"h": [x, None]}), "{'logits': (N, 4), 'extra': {'h': [(N, 4), None]}}", []),
    (lambda m, x: ModelOutput(logits=m.fc(x)), "{'logits': (N, 4)}", []),
    (lambda m, x: Pair(m.fc(x), (x,)), "Pair(a=(N, 4), b=((N, 4),))", []),
    (lambda m, x: Opaque(m.fc(x)), "{'y': (N, 4)}", []),
    (lambda m, x: (m.fc(x) for _ in range(2)), "[(N, 4), (N, 4)]", []),
    (lambda m, x: nn.DataParallel(m.fc)(x), "(N, 4)", []),
    (lambda m, x: None, "None", []),
    (lambda m, x: m.fc(x) if x == None else m.fc(x.data), "(N, 4)", []),  # noqa: E711  # as people write it
    (lambda m, x: m.fc(x + len([print, x.shape[0] // 2, f"{x.shape} {x.size(0):3d}"])), "(N, 4)", []),
]
# likewise, where a letter is lost on a way that nobody can see: that is said
LOSING = [
    (lambda m, x: m.fc(scripted(m.fc(x))), "(2, 4)", ["ScriptFunction"]),
    (lambda m, x: torch.vmap(lambda row: (row * 2).sum())(m.fc(x)), "(2,)", []),
    (lambda m, x: m.fc(torch.from_numpy(m.fc(x).numpy() * 2)), "(2, 4)", []),
    (energy, "(2, 4)", []),
    (lambda m, x: torch.sparse.mm(x.t().to_sparse(), x), "(4, 4)", ["to_sparse", "sparse_mm"]),
]


@pytest.mark.parametrize(("does", "output", "without"), FORWARDS)
def test_it_derives(does, output, without):
    d = sp.derive(Calls(does), "N,4")
    assert (str(d.output), [s.op for s in d.steps if s.verdict == "unsupported"]) == (output, without)
    assert d.verdict == ("incomplete" if without else "proved")


@pytest.mark.parametrize(("does", "output", "without"), LOSING)
def test_a_letter_lost_out_of_sight_is_told(does, output, without):
    d = sp.derive(Calls(does), "N,4")
    assert str(d.output) == output
    assert {s.op for s in d.steps if s.verdict == "unsupported"} <= set(without)
    assert not d.domain.exact
    assert "lost-letter" in [warning.code for warning in d.warnings]


def test_what_runs_in_another_thread_is_no_step():
    d = sp.derive(Calls(in_a_thread), (2, 4))
    assert ([s.op for s in d.steps], d.verdict, d.output) == (["linear", "add"], "proved", (2, 4))


def test_a_compiled_model_is_derived_as_it_is_written():
    inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    d = sp.derive(torch.compile(inner), "N,4")
    assert ([s.module for s in d.steps], d.verdict) == (["0", "1"], "proved")
    d = sp.derive(nn.Sequential(torch.compile(inner), nn.Linear(4, 2)), "N,4")
    assert [s.module for s in d.steps] == ["0.0", "0.1", "1"]
    assert "torch.compile was left aside" in d.to_text()


def test_a_scripted_part_is_one_step_without_a_rule():
    d = sp.derive(nn.Sequential(nn.Linear(4, 4), torch.jit.script(nn.Sequential(nn.Linear(4, 3), nn.ReLU()))), (2, 4))
    assert (d.verdict, d.output, d.steps[-1].verdict) == ("incomplete", (2, 3), "unsupported")
    assert d.cost.macs is None


def test_a_quantised_part_has_no_rule():
    with pytest.warns(DeprecationWarning, match="quantization"):
        model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)), {nn.Linear})
    assert (sp.derive(model, (2, 4)).verdict, sp.derive(model, (2, 4)).output) == ("incomplete", (2, 3))


def test_an_error_that_the_model_catches_is_no_failure():
    d = sp.derive(Calls(catches), "N,4")
    assert (d.verdict, str(d.output)) == ("proved", "(N, 4)")
    refused = d.steps[1]
    assert (refused.op, refused.output, refused.verdict) == ("linear", None, "proved")
    assert "catches" in refused.notes[0]


def test_tensors_inside_inputs_are_found_and_copied():
    given = {"x": torch.zeros(2, 4), "more": [Out(torch.ones(2, 4)), None, "text"]}

    def adds(m, batch):
        batch["more"][0].logits.add_(1)
        return m.fc(batch["x"] + batch["more"][0].logits)

    d = sp.derive(Calls(adds), given)
    assert (d.verdict, d.output) == ("proved", (2, 4))
    assert torch.equal(given["more"][0].logits, torch.ones(2, 4))
    assert sp.derive(Calls(lambda m, b: m.fc(b.logits)), Out(torch.zeros(2, 4))).output == (2, 4)


def test_tied_and_repeated_modules_cost_parameters_once_and_multiply_adds_each_time():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(10, 4)
            self.head = nn.Linear(4, 10, bias=False)
            self.head.weight = self.table.weight
            self.never = nn.Linear(3, 3)

        def forward(self, ids):
            x = self.table(ids)
            return self.head(x), self.head(x), nn.functional.linear(x, self.head.weight)

    d = sp.derive(Tied(), "int64[2,5]")
    assert d.cost.parameters == 40 + 12
    assert d.cost.macs == 3 * 2 * 5 * 4 * 10
    assert d.unused == ("never",)
    assert [s.cost.parameters for s in d.steps] == [40, 0, 0, 0]


def test_hooks_of_the_users_run_and_stay():
    model, seen = nn.Linear(4, 3), []
    model.register_forward_pre_hook(lambda m, args, kwargs: ((args[0] * 2,), kwargs), with_kwargs=True)
    model.register_forward_hook(lambda m, args, out: seen.append(out) or out.mean(1))
    d = sp.derive(model, "N,4")
    assert ([s.op for s in d.steps], str(d.output)) == (["mul", "linear", "mean"], "(N,)")
    assert seen
    assert (len(model._forward_hooks), len(model._forward_pre_hooks)) == (1, 1)


@pytest.mark.parametrize("error", [MemoryError("none left"), NotImplementedError("later"), ZeroDivisionError("mine")])
def test_errors_of_the_models_own_pass_through_as_they_are(error):
    def raises(m, x):
        raise error

    with pytest.raises(type(error), match=str(error)):
        sp.derive(Calls(raises), (2, 4))


def test_a_run_that_is_stopped_tells_what_it_showed():
    def forever(m, x):
        for n in range(1000):
            x = m.fc(x)
            if n == 5:
                raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt) as stopped:
        sp.derive(Calls(forever), (2, 4))
    assert [call.op for call in stopped.value.trace.calls] == ["linear"] * 6


def test_a_tensor_unpacked_into_the_wrong_number_of_names_is_a_shape_error():
    def unpacks(x):
        a, b, c = x
        return a + b + c

    d = sp.derive(unpacks, (2, 4))
    assert (d.verdict, d.steps[-1].op, d.diagnosis.got) == ("failed", "unpack", "2")
    assert "a first dimension of 3" in d.diagnosis.expected
    assert sp.derive(unpacks, "N,C").domain.intervals["N"] == [(3, 3)]


@pytest.mark.parametrize("ask", [torch.Tensor.item, float, int, bool])
def test_a_tensor_of_several_asked_for_its_one_number_is_a_shape_error(ask):
    def asks(x):
        return x + ask(x)

    d = sp.derive(asks, (2, 3))
    assert (d.verdict, d.diagnosis.code, d.steps[-1].inputs) == ("failed", "one-number", ((2, 3),))
    assert sp.derive(asks, (1, 1)).verdict == "proved"
    assert str(sp.derive(asks, "N,1").domain) == "N = 1"


def test_a_slice_whose_ends_are_tensors_is_as_long_as_their_values_say():
    ends = torch.tensor([1, 2, 5])

    def cuts(x):
        canvas = torch.zeros(8, 9)
        canvas[ends[0] : ends[2], 0:4] = x[ends[0] - 1 : ends[2] - 1, :4]
        return canvas

    d = sp.derive(cuts, (6, 5))
    assert d.verdict == "proved", d.to_text()
    assert [step.output for step in d.steps if step.op == "getitem" and step.output] == [(4, 4)]


class Chooses(nn.Module):
    """Takes texts, by a default and by an annotation."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x, way="through", act: str | None = None):
        y = self.fc(x) if way == "through" else x
        return getattr(torch, act)(y) if act else y


def test_a_text_that_the_model_takes_is_no_spec():
    assert str(sp.derive(Chooses(), "N,4", "past").output) == "(N, 4)"
    d = sp.derive(Chooses(), "N,4", way="through", act="relu")
    assert ([s.op for s in d.steps], d.at(N=5).output) == (["linear", "relu"], (5, 3))


def test_a_model_all_of_torchscript_is_one_step_without_a_rule():
    inner = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    for model in (torch.jit.script(inner), torch.jit.trace(inner, torch.zeros(2, 4))):
        d = sp.derive(model, "N,4")
        assert (d.verdict, d.output, len(d.steps)) == ("incomplete", (2, 3), 1)
        assert "compiled by TorchScript" in d.steps[0].notes[0]
        assert "never called" not in d.to_text()
    assert sp.derive(scripted, (2, 4)).verdict == "incomplete"
    wrong = sp.derive(torch.jit.script(inner), (2, 5))
    assert (wrong.verdict, "\n" in wrong.diagnosis.message) == ("failed", False)
    wrong = sp.derive(lambda x: matrix(x), (2, 5))
    assert (wrong.verdict, "\n" in wrong.diagnosis.message) == ("failed", False)
    assert torch.jit.ScriptFunction.__call__(scripted, torch.ones(1)).tolist() == [2.0]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors_have_no_rules_and_no_mismatch(layout):
    def forward(m, a, b):
        whole = torch.nested.as_nested_tensor([a, b], layout=layout)
        return m.fc(whole) * 2

    d = sp.derive(Calls(forward), (2, 4), (3, 4))
    assert d.verdict == "incomplete"
    assert {s.op: s.verdict for s in d.steps}["linear"] == "unsupported"


class Drawn(nn.Module):
    """Pictures down and up again, and words: what ``torch.export`` writes with PyTorch's inner operators."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 8, 3, padding="same"), nn.BatchNorm2d(8), nn.MaxPool2d(2), nn.Dropout())
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 4, 2, stride=2), nn.GroupNorm(2, 4), nn.ReLU(inplace=True))
        self.words, self.read = nn.Embedding(9, 6), nn.LSTM(6, 4, batch_first=True)
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x, words):
        y = self.up(self.down(x))
        y = nn.functional.interpolate(y, scale_factor=2.0, mode="bilinear")[:, :, 1:, :-1]
        z = self.attend(*[self.read(self.words(words))[0]] * 3)[0]
        return torch.cat(y.chunk(2, 1), 1).flatten(2).mean(-1) + z[:, -1]


@pytest.mark.parametrize("decomposed", [False, True])
def test_what_torch_export_has_written_is_proved_like_its_model(decomposed):
    model, given = Drawn().eval(), (torch.zeros(2, 3, 8, 8), torch.zeros(2, 5, dtype=torch.int64))
    program = torch.export.export(model, given)
    program = program.run_decompositions() if decomposed else program
    plain, d = sp.derive(model, *given), sp.derive(program.module(), *given)
    unproved = {s.op for s in d.steps if s.verdict != "proved"}
    assert unproved <= ({"native_batch_norm_legit_no_training"} if decomposed else set())
    assert (d.output, sum(s.cost.macs or 0 for s in d.steps)) == (plain.output, plain.cost.macs)


class Asserts(nn.Module):
    """timm's and torchvision's check of a picture's size; and one of values, which is the model's own affair."""

    def __init__(self, check):
        super().__init__()
        self.check = check

    def forward(self, x):
        height = x.shape[-2]
        mean = x.mean()
        (torch._assert if self.check == "size" else torch._check)(height == 8, lambda: f"height {height}, not 8")
        torch._assert(mean < 1, "too bright")
        return x


@pytest.mark.parametrize("check", ["size", "_check"])
def test_an_assertion_about_sizes_is_a_shape_error_wherever_pytorch_raises_it(check):
    found = sp.derive(Asserts(check), (2, 3, 6, 8))
    assert found.verdict == "failed"
    assert "test_odd_models.py" in found.diagnosis.message
    assert str(sp.derive(Asserts(check), "N,3,H,8").domain) == "H = 8, N >= 1"
    with pytest.raises(AssertionError, match="too bright"):
        sp.derive(Asserts(check), torch.full((2, 3, 8, 8), 5.0))


@pytest.mark.parametrize("name", ["max_pool2d", "adaptive_max_pool2d"])
def test_a_pooling_by_the_name_that_always_gives_indices(name):
    d = sp.derive(lambda x: getattr(nn.functional, f"{name}_with_indices")(x, 2), "N,3,8,9")
    shape = {"max_pool2d": "(N, 3, 4, 4)", "adaptive_max_pool2d": "(N, 3, 2, 2)"}[name]
    assert (d.verdict, str(d.output), d.steps[-1].op) == ("proved", f"({shape}, {shape})", name)
