"""The generated page of operations is that of the rules, and every operation is met by random arguments."""

import importlib.util
import random
from pathlib import Path

import torch

from agreement import REFUSALS, copies
from shapeproof.capture.run import run
from shapeproof.rules.registry import rules
from test_rules_agree import EVERY

ROOT = Path(__file__).parent.parent

# Operations that no maker calls, each with what tests it instead.
ELSEWHERE = {
    "transformer_encoder_layer_fwd": "tests/test_macs.py, on the fast path", "native_multi_head_attention": "the same",
    "grouped_mm": "tests/test_zoo_networks.py", "pad_packed_sequence": "tests/test_zoo_networks.py",
    "nested_tensor_from_mask_left_aligned": "tests/test_zoo_networks.py",
    **dict.fromkeys(("nms", "roi_align", "roi_pool", "is_all_true", "is_any_true"), "tests/test_rules_by_hand_more.py"),
}  # fmt: skip
# By other names that a maker calls, by the same rule: of a device or a backend, or PyTorch's own inside of others.
ALIKE = set(
    """
    autocast_to_full_precision autocast_to_reduced_precision coalesce constant cross cuda dequantize
    fake_quantize_per_tensor_affine from_numpy grid_sampler grid_sampler_2d grid_sampler_3d ipu kaiming_uniform
    logsigmoid mtia orgqr pin_memory record_stream requires_grad retain_grad rnn_relu rnn_relu_cell saddmm sspaddmm
    to_mkldnn upsample weight_norm_interface xpu
""".split()
)


def test_the_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("operations", ROOT / "scripts" / "operations.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run python scripts/operations.py"


def test_every_operation_is_met_by_random_arguments():
    met = set()
    torch.manual_seed(0)
    for name, maker in EVERY.items():
        rng = random.Random(name)
        for _ in range(8):
            fn, tensors = maker(rng)
            try:
                trace = run(fn, [(t, None) for t in copies(tensors)], {})
            except REFUSALS:
                continue
            met |= {call.op for call in trace.calls}
    missing = rules().keys() - met
    assert missing == ELSEWHERE.keys() | ALIKE, sorted(missing ^ (ELSEWHERE.keys() | ALIKE))
    of_rules = {rules()[name].function for name in ALIKE} - {rules()[name].function for name in met & rules().keys()}
    assert not of_rules
