"""Indexing, splitting, attention, recurrence and factories against examples worked out on paper."""

import pytest
import torch

import shapeproof as sp
from shapeproof.dims import letter
from shapeproof.rules.registry import COUNTED, Operand, Violation, rules


def derived(op, *args, **kwargs):
    return rules()[op].function(*args, **kwargs)


def t(*shape, dtype="float32"):
    return Operand(shape, dtype)


def ints(*shape):
    return t(*shape, dtype="int64")


WORKED = [
    ("as_strided", (t(12), (3, 4), (4, 1)), (3, 4)),
    ("corrcoef", (t(3, 9),), (3, 3)),
    ("empty_strided", ((2, 3), (3, 1)), (2, 3)),
    ("fft_fftfreq", (8,), (8,)),
    ("fft_rfftfreq", (9,), (5,)),
    ("isin", (t(4, 2), t(3)), (4, 2)),
    ("new_empty_strided", (t(1), (2, 3), (3, 1)), (2, 3)),
    ("new_tensor", (t(1), [[1, 2, 3], [4, 5, 6]]), (2, 3)),
    ("qr", (t(5, 3),), ((5, 3), (3, 3))),
    ("resize", (t(7), 2, 5), (2, 5)),
    ("t", (t(4, 6),), (6, 4)),
    ("nms", (t(300, 4), t(300), 0.5), (COUNTED,)),
    ("roi_align", (t(2, 256, 10, 11), t(150, 5), 0.25, 7, 6, 2, False), (150, 256, 7, 6)),
    ("roi_pool", (t(2, 256, 10, 11), t(150, 5), 0.25, 7, 7), ((150, 256, 7, 7), (150, 256, 7, 7))),
    ("T", (t(2, 3, 4),), (4, 3, 2)),
    ("adjoint", (t(2, 3, 4),), (2, 4, 3)),
    ("H", (t(3, 4),), (4, 3)),
    ("linalg_lu", (t(2, 5, 3),), ((2, 5, 5), (2, 5, 3), (2, 3, 3))),
    ("linalg_lu_factor", (t(2, 5, 3),), ((2, 5, 3), (2, 3))),
    ("lu_unpack", (t(2, 5, 3), t(2, 3)), ((2, 5, 5), (2, 5, 3), (2, 3, 3))),
    ("linalg_lu_solve", (t(2, 3, 3), t(2, 3), t(3, 4)), (2, 3, 4)),
    ("linalg_lstsq", (t(2, 5, 3), t(2, 5, 4)), ((2, 3, 4), (0,), (2,), (0,))),
    ("linalg_householder_product", (t(2, 5, 3), t(2, 2)), (2, 5, 3)),
    ("ormqr", (t(5, 3), t(3), t(5, 4)), (5, 4)),
    ("linalg_tensorinv", (t(2, 3, 6),), (6, 2, 3)),
    ("linalg_tensorsolve", (t(2, 3, 6), t(2, 3)), (6,)),
    ("triangular_solve", (t(3, 2), t(4, 3, 3)), ((4, 3, 2), (4, 3, 3))),
    ("cumulative_trapezoid", (t(4, 5), t(5)), (4, 4)),
    ("gradient", (t(4, 5),), ((4, 5), (4, 5))),
    ("histogram", (t(5, 2), 4), ((4,), (5,))),
    ("unravel_index", (ints(3, 2), (4, 5)), ((3, 2), (3, 2))),
    ("linear_cross_entropy", (t(4, 3), t(5, 3), ints(4)), ()),
    ("native_layer_norm", (t(2, 3, 4), (4,), None, None, 1e-5), ((2, 3, 4), (2, 3, 1), (2, 3, 1))),
    ("native_group_norm", (t(2, 6, 3), None, None, 2, 6, 3, 2, 1e-5), ((2, 6, 3), (2, 2), (2, 2))),
    ("arange", (2,), (2,)),
    ("istft", (t(10, 7), 10), (12,)),
    ("istft", (t(6, 7), 10), (12,)),
    ("is_all_true", (t(4, 6, dtype="bool"),), ()),
    ("linalg_diagonal", (t(2, 3, 3),), (2, 3)),
    ("nuclear_norm", (t(2, 3, 4),), (2,)),
    ("frobenius_norm", (t(2, 3), (1,)), (2,)),
    ("chain_matmul", (t(2, 3), t(3, 4), t(4, 5)), (2, 5)),
    ("dropout1d", (t(2, 3, 4), 0.5), (2, 3, 4)),
    ("adaptive_avg_pool1d", (t(2, 3, 0), 1), (2, 3, 1)),
    ("batch_norm", (t(0, 3, 4), None, None, None, None, True), (0, 3, 4)),
    ("pad_sequence", ([t(3, 2), t(1)], True), (2, 3, 2)),
    ("type", (t(4, 6), "torch.DoubleTensor"), (4, 6)),
    ("type", (t(4, 6),), None),
    ("pad_sequence", ([t(5, 2), t(3, 2), t(4, 2)], True), (3, 5, 2)),
    ("pad", (t(2, 3, 5), (1, 2, 0, 1)), (2, 4, 8)),
    ("einsum", ("bhqd,bhkd->bhqk", t(2, 4, 6, 8), t(2, 4, 9, 8)), (2, 4, 6, 9)),
    ("topk", (t(4, 9), 3), ((4, 3), (4, 3))),
    ("cross_entropy", (t(8, 10), ints(8)), ()),
    ("fold", (t(1, 12, 4), (4, 5), 2, 1, 0, 2), (1, 3, 4, 5)),
    ("getitem", (t(4, 10, 7), (0, slice(2, None, 3))), (3, 7)),
    ("getitem", (t(4, 10, 7), (Ellipsis, None, slice(-3, -1))), (4, 10, 1, 2)),
    ("getitem", (t(4, 10, 7), (slice(None), ints(5, 2))), (4, 5, 2, 7)),
    ("getitem", (t(4, 10, 7), (ints(5), slice(None), ints(5))), (5, 10)),
    ("setitem", (t(4, 10), (slice(None), 0), t(4)), None),
    ("chunk", (t(2, 10), 4, 1), ((2, 3), (2, 3), (2, 3), (2, 1))),
    ("split", (t(7, 2), 3), ((3, 2), (3, 2), (1, 2))),
    ("split", (t(7, 2), [5, 2]), ((5, 2), (2, 2))),
    ("unbind", (t(3, 2, 8, 5), 0), ((2, 8, 5),) * 3),
    ("select", (t(3, 2, 8), 1, -1), (3, 8)),
    ("narrow", (t(3, 9), 1, 2, 4), (3, 4)),
    ("expand", (t(1, 3), 5, 4, -1), (5, 4, 3)),
    ("expand_as", (t(1, 3), t(4, 3)), (4, 3)),
    ("broadcast_to", (t(1, 3), (4, 3)), (4, 3)),
    ("repeat", (t(2, 3), 4, 1, 2), (4, 2, 6)),
    ("tile", (t(2, 3), 2), (2, 6)),
    ("flip", (t(2, 3), (1,)), (2, 3)),
    ("movedim", (t(2, 3, 4), 0, -1), (3, 4, 2)),
    ("mT", (t(2, 3, 4),), (2, 4, 3)),
    ("triu", (t(5, 5), 1), (5, 5)),
    ("zeros", (2, 3), (2, 3)),
    ("new_zeros", (t(1), (2, 3)), (2, 3)),
    ("full", ((2, 3), 1.0), (2, 3)),
    ("new_full", (t(1), (2, 3), 1.0), (2, 3)),
    ("arange", (1, 10, 4), (3,)),
    ("conv_transpose2d", (t(1, 4, 7, 7), t(4, 2, 3, 3), None, 2, 1, 1), (1, 2, 14, 14)),
    ("interpolate", (t(1, 3, 7, 9), None, 1.5), (1, 3, 10, 13)),
    ("pixel_shuffle", (t(1, 8, 3, 5), 2), (1, 2, 6, 10)),
]


@pytest.mark.parametrize(("op", "args", "shape"), WORKED, ids=lambda v: v if isinstance(v, str) else "")
def test_worked_example(op, args, shape):
    assert derived(op, *args).shape == shape


def test_attention_counts_both_products():
    found = derived("scaled_dot_product_attention", t(2, 12, 10, 64), t(2, 12, 7, 64), t(2, 12, 7, 32))
    assert found.shape == (2, 12, 10, 32)
    assert found.macs == 2 * 12 * 10 * 7 * (64 + 32)


def test_grouped_heads_share_keys():
    q, kv = t(1, 8, 5, 4), t(1, 2, 5, 4)
    assert derived("scaled_dot_product_attention", q, kv, kv, enable_gqa=True).shape == (1, 8, 5, 4)


def test_multi_head_attention_counts_projections_and_products():
    x = t(10, 2, 16)
    found = derived("multi_head_attention_forward", x, x, x, 16, 4, t(48, 16), t(48), None, None, False)
    assert found.shape == ((10, 2, 16), (2, 10, 10))
    assert found.macs == 4 * 20 * 16 * 16 + 2 * 2 * 10 * 10 * 16


@pytest.mark.parametrize(("op", "gates"), [("lstm", 4), ("gru", 3), ("rnn_tanh", 1)])
def test_recurrence_counts_every_weight_at_every_step(op, gates):
    weights = [t(gates * 20, 10), t(gates * 20, 20), t(gates * 20), t(gates * 20)]
    state = t(1, 3, 20)
    states = (state, state) if op == "lstm" else state
    found = derived(op, t(7, 3, 10), states, weights, True, 1, 0.0, False, False, False)
    assert found.shape == ((7, 3, 20), *((1, 3, 20),) * (2 if op == "lstm" else 1))
    assert found.macs == 7 * 3 * gates * 20 * (10 + 20)


def test_letters_survive_slices_and_pieces():
    n = letter("N", 8)
    assert str(derived("getitem", t(n, 4), (slice(1, None),)).shape) == "(N - 1, 4)"
    assert str(derived("chunk", t(n, 4), 2).shape[0]) == "(N/2, 4)"


@pytest.mark.parametrize(
    ("op", "args", "code"),
    [
        ("getitem", (t(4, 3), (4,)), "index-range"),
        ("getitem", (t(4, 3), (0, 0, 0)), "index-rank"),
        ("split", (t(7, 2), [5, 3]), "split"),
        ("expand", (t(2, 3), 4, 3), "expand"),
        ("zeros", (-1,), "argument"),
    ],
)
def test_a_condition_that_fails_has_its_code(op, args, code):
    with pytest.raises(Violation) as found:
        derived(op, *args)
    assert found.value.code == code


def test_how_many_a_mask_keeps_the_values_decide():
    assert derived("getitem", t(4, 3, 7), t(4, 3, dtype="bool")).shape == (COUNTED, 7)
    found = sp.derive(lambda x: x[x > 0.5], torch.tensor([[0.2, 0.7], [0.9, 0.6]]))
    assert (found.verdict, found.output) == ("proved", (3,))
    assert found.steps[-1].notes == ("a size that the values decide: the number is the one PyTorch found",)


def test_pieces_may_be_asked_for_by_keyword():
    found = sp.derive(lambda x: (x.tensor_split(indices=(1, 3), dim=1), x.hsplit(sections=2)), (2, 6))
    assert (found.verdict, found.output) == ("proved", (((2, 1), (2, 2), (2, 3)), ((2, 3), (2, 3))))


REFUSED = [
    ("allclose", (t(2, 3), t(2))),
    ("is_nonzero", (t(2),)),
    ("chain_matmul", (t(2, 3), t(3))),
    ("dropout1d", (t(2, 3, 4, 5), 0.5)),
    ("nuclear_norm", (t(4),)),
    ("lstm_cell", (t(2, 4), [t(2, 3), t(2, 3)], t(13, 4), t(12, 3))),
    ("gru_cell", (t(2, 4), t(2, 3), t(9, 4), t(10, 3))),
    ("rnn_tanh_cell", (t(2, 4), t(2, 3), t(4, 4), t(3, 3))),
    ("conv2d", (t(2, 3, 0, 5), t(4, 3, 1, 1), None, 1, 1)),
    ("conv1d", (t(2, 3, 5), t(4, 3, 0))),
    ("conv1d", (t(2, 4, 5), t(1, 2, 3), None, 1, 0, 1, 2)),
    ("conv_transpose1d", (t(2, 3, 0), t(3, 4, 3))),
    ("adaptive_max_pool2d", (t(2, 0, 4, 4), 2)),
    ("adaptive_avg_pool2d", (t(2, 3, 0, 4), 2)),
    ("linalg_vector_norm", (t(0), float("inf"))),
    ("resize", (t(7), 2, -1)),
]


@pytest.mark.parametrize(("name", "args"), REFUSED)
def test_what_pytorch_refuses_is_foreseen(name, args):
    with pytest.raises(Violation):
        derived(name, *args)


def test_a_shift_in_place_must_fit_into_its_first_argument():
    def shifts(a, b):
        a = a.clone()
        a <<= b
        return a

    assert sp.derive(shifts, "int64[3]", "int64[1]").verdict == "proved"
    assert sp.derive(shifts, "int64[1]", "int64[3]").diagnosis.code == "broadcast"
