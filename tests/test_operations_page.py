"""The generated page of operations is that of the rules, and every rule is met by random arguments."""

import importlib.util
import random
from pathlib import Path

import torch

from agreement import REFUSALS, copies
from shapeproof.capture.run import run
from shapeproof.rules.registry import rules
from test_rules_agree import ALL

ROOT = Path(__file__).parent.parent

# Rules that no maker calls, each with what tests it instead.
ELSEWHERE = {
    "transformer_encoder_layer": "tests/test_macs.py, on the fast path", "native_multi_head_attention": "the same",
    "grouped_mm": "tests/test_zoo_networks.py", "pad_packed_sequence": "tests/test_zoo_networks.py",
    "nested_from_mask_left_aligned": "tests/test_zoo_networks.py", "weight_norm": "tests/test_zoo_networks.py",
    "rmatmul": "tests/test_rules_by_keyword.py",
}  # fmt: skip
# Short relatives of rules that have a maker; tests/test_rules_by_hand_more.py works each out.
ALIKE = set(
    """
    as_strided corrcoef empty_strided expand_as fftfreq isin new_empty_strided new_tensor old_qr resize rfftfreq t
    truth_of_all type_ pad_sequence nms roi_align roi_pool
""".split()
)


def test_the_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("operations", ROOT / "scripts" / "operations.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run python scripts/operations.py"


def test_every_rule_is_met_by_random_arguments():
    met = set()
    torch.manual_seed(0)
    for name, maker in ALL.items():
        rng = random.Random(name)
        for _ in range(12):
            fn, tensors = maker(rng)
            try:
                trace = run(fn, [(t, None) for t in copies(tensors)], {})
            except REFUSALS:
                continue
            met |= {rules()[call.op].function for call in trace.calls if call.op in rules()}
    missing = {rule.function.__name__ for rule in rules().values() if rule.function not in met}
    assert missing <= ELSEWHERE.keys() | ALIKE, sorted(missing - ELSEWHERE.keys() - ALIKE)
