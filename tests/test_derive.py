"""``derive`` on whole models: the document's networks, letters, failures, and that nothing of the model changes."""

import copy
import random

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.models.document import FourStage, TwoStage


def stages(derivation):
    """The chain as the document writes it: height x width x channels after each pooling."""
    pooled = [step.output for step in derivation.steps if step.op == "max_pool2d"]
    return " -> ".join(f"{h}x{w}x{c}" for _, c, h, w in pooled)


def test_four_stage_gives_the_documents_chain_and_is_proved():
    d = sp.derive(FourStage().eval(), "N,1,28,28")
    assert d.verdict == "proved"
    assert stages(d) == "14x14x16 -> 7x7x32 -> 3x3x64 -> 1x1x128"
    assert str(d.output) == "(N, 10)"
    assert [s.arithmetic for s in d.steps[-2:]] == ["128 * 1 * 1 = 128", "needs 128, has 128"]
    assert d.steps[0].arithmetic == "floor((28 + 2*2 - 5)/1) + 1 = 28"
    assert [s.op for s in d.steps[-2:]] == ["view", "linear"]
    assert d.steps[-1].module == "fc"


def test_two_stage_gives_the_documents_chain():
    d = sp.derive(TwoStage().eval(), (8, 1, 28, 28))
    assert (d.verdict, d.output, stages(d)) == ("proved", (8, 10), "14x14x16 -> 7x7x32")


def test_costs_are_the_known_ones():
    d = sp.derive(FourStage().eval(), (1, 1, 28, 28))
    assert d.cost.macs == 7_175_680
    assert d.cost.parameters == sum(p.numel() for p in FourStage().parameters())
    assert d.steps[0].cost.parameters == 16 * 25 + 16


def test_multiply_adds_agree_with_torchs_own_counter():
    from torch.utils.flop_counter import FlopCounterMode

    model = FourStage().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(3, 1, 28, 28))
    assert 2 * sp.derive(model, (3, 1, 28, 28)).cost.macs == counter.get_total_flops()


def test_source_is_the_line_of_the_users_forward():
    d = sp.derive(FourStage(), (1, 1, 28, 28))
    assert all("document.py:" in step.source for step in d.steps)


def test_receptive_field_grows_as_worked_out_by_hand():
    d = sp.derive(FourStage().eval(), (1, 1, 28, 28))
    first, last = d.steps[0].receptive_field, d.steps[14].receptive_field
    assert (first.size, first.stride, first.start) == ((5, 5), (1, 1), (-2, -2))
    assert (last.size, last.stride) == ((76, 76), (16, 16))


def test_a_letter_stays_through_what_python_computes():
    class Halves(nn.Module):
        def forward(self, x):
            _, _, h, w = x.shape
            return nn.functional.adaptive_avg_pool2d(x, (h // 2, w)).mean(3)

    d = sp.derive(Halves(), "N,3,H=12,W=8")
    assert str(d.output) == "(N, 3, floor(H/2))"


def test_sizes_are_found_that_run():
    d = sp.derive(FourStage().eval(), "N,1,H,W")
    assert dict(d.sizes) == {"N": 2, "H": 28, "W": 28}
    assert str(d.steps[-2].output) == "(N, 128*floor(H/16)*floor(W/16))"


def test_at_puts_numbers_for_letters():
    d = sp.derive(FourStage().eval(), "N,1,H,W")
    assert d.at(N=8, H=28, W=28).output == (8, 10)
    with pytest.raises(sp.DomainError, match="H=64"):
        d.at(N=8, H=64, W=28)
    with pytest.raises(sp.DomainError, match="K"):
        d.at(K=3)


def test_a_shape_error_is_a_result_with_the_steps_up_to_it():
    d = sp.derive(TwoStage().eval(), "N,1,32,32")
    assert d.verdict == "failed"
    assert d.steps[-1].verdict == "failed"
    assert (d.diagnosis.code, d.diagnosis.step.module) == ("in-features", "fc")
    assert "1568" in d.diagnosis.expected
    assert "2048" in d.diagnosis.got
    assert all(step.verdict == "proved" for step in d.steps[:-1])


def test_an_operation_without_a_rule_is_unsupported_and_the_whole_incomplete():
    lengths = torch.ones(3, dtype=torch.int64)
    d = sp.derive(lambda x: torch.segment_reduce(x, "sum", lengths=lengths) + 1, (3, 3))
    assert [s.verdict for s in d.steps] == ["unsupported", "proved"]
    assert (d.verdict, d.steps[0].output, d.steps[0].derived) == ("incomplete", (3, 3), None)
    assert d.cost.macs is None


def test_an_error_that_has_nothing_to_do_with_shapes_passes_through():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        sp.derive(broken, (2, 3))


@pytest.mark.parametrize("spec", ["1x28x", "N,-1,28,28", "N,,28", "int63[N]", "N,1,H=0", "N 1"])
def test_a_spec_that_makes_no_sense_is_a_spec_error(spec):
    with pytest.raises(sp.SpecError, match="input spec"):
        sp.derive(FourStage(), spec)


class Meddler(nn.Module):
    """Changes everything that a forward can change, and may raise halfway."""

    def __init__(self, fails):
        super().__init__()
        self.fails = fails
        self.bn = nn.BatchNorm1d(4)
        self.fc = nn.Linear(4, 4)
        self.register_buffer("count", torch.zeros(()))
        self.seen = []
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        self.count += 1
        self.seen.append(1)
        self.last = x
        with torch.no_grad():
            self.fc.weight.mul_(2)
        x = self.fc(self.bn(x)) + torch.rand(4) + random.random()
        return x @ torch.ones(5, 5) if self.fails else x


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_left_as_it_was(fails, training):
    model = Meddler(fails).train(training)
    model.fc.register_forward_hook(lambda *_: None)
    before = copy.deepcopy(model.state_dict())
    identities = [id(t) for t in (*model.parameters(), *model.buffers())]
    functions = (nn.functional.linear, torch.Tensor.add, nn.Module.__call__)
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    x = torch.randn(6, 4)
    copy_of_x = x.clone()
    state_after_input = torch.get_rng_state()
    d = sp.derive(model, x)
    assert d.verdict == ("failed" if fails else "incomplete" if "rand" not in _known() else "proved")
    assert model.training is training
    assert (model.calls, model.seen, hasattr(model, "last")) == (0, [], False)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert identities == [id(t) for t in (*model.parameters(), *model.buffers())]
    assert len(model.fc._forward_hooks) == 1
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks
    assert functions == (nn.functional.linear, torch.Tensor.add, nn.Module.__call__)
    assert torch.equal(torch.get_rng_state(), state_after_input)
    assert not torch.equal(torch_state, state_after_input)
    assert random.getstate() == python_state
    assert torch.equal(x, copy_of_x)


def _known():
    from shapeproof.rules.registry import rules

    return rules()


def test_modules_never_called_are_listed():
    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.forgotten = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.used(x)

    assert sp.derive(Forgetful(), (2, 3)).unused == ("forgotten",)
    attention = nn.MultiheadAttention(4, 2)  # which calls a function with its last layer's weights
    assert sp.derive(attention, *[(3, 1, 4)] * 3).unused == ()


def test_outputs_keep_the_models_nesting():
    d = sp.derive(lambda x: {"a": x, "b": [x.mean(0), (x.t(), None)]}, "N=5,3")
    assert d.output["a"] == (5, 3)
    assert d.output["b"] == [(3,), ((3, 5), None)]


def test_several_inputs_share_a_letter_and_keywords_are_passed():
    class Adds(nn.Module):
        def forward(self, x, *, mask):
            return x + mask

    d = sp.derive(Adds(), "N,T=7", mask="N,T")
    assert (d.verdict, str(d.output)) == ("proved", "(N, T)")


def test_json_holds_everything_as_plain_data():
    import json

    data = json.loads(sp.derive(FourStage().eval(), "N,1,28,28").to_json())
    assert data["verdict"] == "proved"
    assert data["steps"][0]["output"] == ["N", 16, 28, 28]
    assert data["steps"][0]["verdict"] == "proved"


def test_the_count_of_batches_that_a_layer_keeps_is_no_step():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    d = sp.derive(model, "N,1,8,8")
    assert [step.op for step in d.steps] == ["conv2d", "batch_norm"]
    assert model[1].num_batches_tracked == 0


@pytest.mark.parametrize(("name", "dtype"), [("long", "int64"), ("torch.int32", "int32"), ("double", "float64")])
def test_a_spec_knows_pytorchs_other_names_of_dtypes(name, dtype):
    d = sp.derive(lambda x: (x + 1).to(torch.float32), f"{name}[2,3]")
    assert d.cost.activation_bytes == 6 * (getattr(torch, dtype).itemsize + 4)
