"""Every rule's domain against brute force at small sizes: where it is called exact, PyTorch agrees at each of them.

A sample of the makers runs here; ``python tests/test_rules_domains.py CASES SEED [MAKER ...]`` runs all of them.
"""

import random
import sys

import pytest
import torch

from by_force import cases, contradictions, shorter
from shapeproof.derivation import free
from shapeproof.rules import registry
from test_rules_agree import ALL

EACH = 3
SAMPLED = sorted(ALL)[::4]


def found_wrong(name, most, seed=""):
    """The calls of one maker whose domain PyTorch contradicts, plain and with every lettered size cut by one."""
    rng = random.Random(f"domains {name}{seed}")
    torch.manual_seed(0)
    wrong = []
    for fn, specs, closed in cases(ALL[name], rng, most):
        for asked, given in ((fn, specs), shorter(fn, specs)):
            bad = contradictions(asked, given)
            if bad:
                wrong.append((name, given, closed, bad))
    return wrong


@pytest.mark.parametrize("name", SAMPLED)
def test_what_is_called_exact_is_what_pytorch_does(name):
    assert not found_wrong(name, EACH)


ONCE_WRONG = {
    "of nothing any sizes are a square": (lambda a, b: torch.linalg.tensorsolve(a[:, 1:, 1:], b[:, 1:]),
                                          ["float32[3,W=4,H=10]", "float32[3,K=4]"]),
    "no channels have no weights": (lambda x, w: torch.nn.functional.instance_norm(x[:, 1:], weight=w),
                                    ["float32[2,W=4,3,3]", "float32[H=3]"]),
    "channels are given as a number": (lambda x: torch.native_group_norm(x, None, None, 2, 6, 2, 2, 1e-5),
                                       ["float32[W=2,H=6,K=2]"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_domains_that_were_once_wrong(name):
    model, specs = ONCE_WRONG[name]
    assert contradictions(model, specs) == []


def test_a_wrong_domain_would_be_found(monkeypatch):
    """Of a rule that forgot its condition, claimed without a run at the edges."""

    def forgetful(tensors, dim=0):
        return registry.becomes(tensors[0], (len(tensors), *tensors[0].shape), "insert the count")

    monkeypatch.setattr(free, "_borne_out", lambda *_: (None, "", []))
    monkeypatch.setitem(registry.rules(), "stack", registry.Rule("stack", forgetful, ""))
    assert contradictions(lambda a, b: torch.stack([a, b]), ["float32[H=3]", "float32[W=3]"])


if __name__ == "__main__":
    for maker in sys.argv[3:] or ALL:
        for line in found_wrong(maker, int(sys.argv[1]), sys.argv[2]):
            print("WRONG", *line, flush=True)
