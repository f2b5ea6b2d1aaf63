"""Cells of recurrent layers, packed sequences, and the single calls that transformers become in evaluation.

Source: PyTorch's pages of ``LSTMCell``, ``GRUCell``, ``RNNCell``, ``pack_padded_sequence``.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import product
from shapeproof.dims.conditions import decide
from shapeproof.rules.elementwise import fits
from shapeproof.rules.registry import (
    COUNTED,
    Derived,
    Operand,
    Unsupported,
    Violation,
    require,
    require_rank,
    require_shape,
    rule,
    show,
)


def _cell(input: Operand, hidden: Operand, w_ih: Operand, w_hh: Operand, gates: int) -> Derived:
    """One step: ``(N, H_in)`` and ``(N, H_out)`` to ``(N, H_out)``; a MAC for every weight, H_out rows of each gate."""
    require_rank(input, (1, 2), "rank", "N,H_in")
    require_rank(hidden, (len(input.shape),), "rank", "N,H_out")
    require("==", input.shape[-1], w_ih.shape[-1], "in-features", f"input_size = {w_ih.shape[-1]}",
            f"{input.shape[-1]}")  # fmt: skip
    require("==", hidden.shape[-1], w_hh.shape[-1], "hidden-size", f"hidden_size = {w_hh.shape[-1]}",
            f"{hidden.shape[-1]}")  # fmt: skip
    for name, weight in (("weight_ih", w_ih), ("weight_hh", w_hh)):
        rows = gates * hidden.shape[-1]
        words = f"{name} with {gates} * {hidden.shape[-1]} = {rows} rows"
        require("==", weight.shape[0], rows, "hidden-size", words, f"{weight.shape[0]}")
    if len(input.shape) == 2:
        words = f"a state for each of {input.shape[0]} samples"
        require("==", hidden.shape[0], input.shape[0], "hidden-size", words, f"{hidden.shape[0]}")
    macs = product(input.shape[:-1]) * (product(w_ih.shape) + product(w_hh.shape))
    line = f"{show(input.shape)}, {show(hidden.shape)} -> {show(hidden.shape)}"
    return Derived(hidden.shape, "(N, H_in), (N, H_out) -> (N, H_out)", line, macs)


@rule("gru_cell", page="torch.nn.GRUCell")
def gru_cell(input: Operand, hx: Operand, w_ih: Operand, w_hh: Operand, *_: Any) -> Derived:
    """The next hidden state, by three gates."""
    return _cell(input, hx, w_ih, w_hh, 3)


@rule("rnn_tanh_cell", "rnn_relu_cell", page="torch.nn.RNNCell")
def rnn_cell(input: Operand, hx: Operand, w_ih: Operand, w_hh: Operand, *_: Any) -> Derived:
    """The next hidden state, without gates."""
    return _cell(input, hx, w_ih, w_hh, 1)


@rule("lstm_cell", page="torch.nn.LSTMCell")
def lstm_cell(input: Operand, hx: Any, w_ih: Operand, w_hh: Operand, *_: Any) -> Derived:
    """The next hidden and cell states, by four gates."""
    hidden, cell = hx
    found = _cell(input, hidden, w_ih, w_hh, 4)
    return Derived((found.shape, cell.shape), found.formula, found.arithmetic, found.macs)


@rule("pack_padded_sequence", page="torch.nn.utils.rnn.pack_padded_sequence")
def pack_padded_sequence(input: Operand, lengths: Operand, batch_first: bool = False) -> Derived:
    """The steps of all sequences in one row, and how many sequences are still going at each step."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions (T,B,*)", show(input.shape))
    batch = input.shape[0 if batch_first else 1]
    require("==", lengths.shape[0], batch, "target-batch", f"a length for each of {batch} sequences",
            f"{lengths.shape[0]}")  # fmt: skip
    require(">=", product(input.shape), 1, "empty", "sequences of something", show(input.shape))
    return Derived(((COUNTED, *input.shape[2:]), (COUNTED,)), "(sum of lengths, *)", show(input.shape))


@rule("pad_packed_sequence", page="torch.nn.utils.rnn.pad_packed_sequence")
def pad_packed_sequence(
    data: Operand, batch_sizes: Operand, batch_first: bool, padding_value: Any, total_length: int
) -> Derived:
    """Every sequence in its own row again, as long as the longest (or as asked), and their lengths."""
    steps = batch_sizes.shape[0] if total_length <= 0 else total_length
    lead = (COUNTED, steps) if batch_first else (steps, COUNTED)
    return Derived(((*lead, *data.shape[1:]), (COUNTED,)), "(longest, sequences, *)", show(data.shape))


@rule("pad_sequence", page="torch.nn.utils.rnn.pad_sequence")
def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: Any = 0.0, padding_side: str = "right"
) -> Derived:
    """Sequences ``(L_i, *)`` side by side, each as long as the longest: ``(longest, B, *)``."""
    rest = sequences[0].shape[1:]
    longest = sequences[0].shape[0]
    for operand in sequences[1:]:
        longest = operand.shape[0] if decide(">=", operand.shape[0], longest) else longest
        require_rank(operand, tuple(range(1, 64)), "rank", "L,*")
        fits(operand.shape, (operand.shape[0], *rest), f"sequences of {show(rest)}", "concat")  # each is copied in
    lead = (len(sequences), longest) if batch_first else (longest, len(sequences))
    line = f"{', '.join(str(operand.shape[0]) for operand in sequences)} -> {longest}"
    return Derived((*lead, *rest), "(longest, B, *)", line)


@rule("transformer_encoder_layer_fwd", page="torch.nn.TransformerEncoderLayer")
def transformer_encoder_layer(
    src: Operand, embed_dim: int, num_heads: int, in_proj_weight: Operand, in_proj_bias: Any, out_weight: Operand,
    out_bias: Any, use_gelu: bool, norm_first: bool, eps: float, norm1_weight: Any, norm1_bias: Any,
    norm2_weight: Any, norm2_bias: Any, linear1_weight: Operand, linear1_bias: Any, linear2_weight: Operand, *_: Any,
    **__: Any,
) -> Derived:  # fmt: skip
    """A whole layer as one call, ``(N, L, E)`` stays: projections, the two products of attention, two linear layers."""
    require_rank(src, (3,), "rank", "N,L,E")
    embed, length = src.shape[-1], src.shape[1]
    require("==", embed, embed_dim, "in-features", f"embed_dim = {embed_dim}", f"{embed}")
    rows = product(src.shape[:-1])
    weights = (in_proj_weight, out_weight, linear1_weight, linear2_weight)
    macs = rows * sum(int(product(w.shape)) for w in weights) + 2 * rows * length * embed
    return Derived(src.shape, "out = in", show(src.shape), macs)


@rule("native_multi_head_attention", page="torch.nn.MultiheadAttention")
def native_multi_head_attention(
    query: Operand, key: Operand, value: Operand, embed_dim: int, num_head: int, qkv_weight: Operand, qkv_bias: Any,
    proj_weight: Operand, proj_bias: Any, mask: Any = None, need_weights: bool = True,
    average_attn_weights: bool = True, mask_type: Any = None,
) -> Derived:  # fmt: skip
    """``(N, L, E)`` stays; the weights ``(N, L, S)`` where they are asked for."""
    require_rank(query, (3,), "rank", "N,L,E")
    require("==", query.shape[-1], embed_dim, "in-features", f"embed_dim = {embed_dim}", f"{query.shape[-1]}")
    batch, length, embed = query.shape
    source = key.shape[1]
    rows = batch * length
    # a third of the input projection is for the query, the rest for key and value
    macs = rows * embed * embed + 2 * batch * source * embed * embed + 2 * rows * source * embed + rows * embed * embed
    heads = () if average_attn_weights else (num_head,)
    weights = (batch, *heads, length, source) if need_weights else None
    line = f"{show(query.shape)}, {show(key.shape)} -> {show(query.shape)}"
    return Derived((query.shape, weights), "(N, L, E), (N, S, E) -> (N, L, E)", line, macs)


@rule("grouped_mm", page="torch.nn.functional.grouped_mm")
def grouped_mm(mat_a: Operand, mat_b: Operand, *, offs: Any = None, bias: Any = None, **_: Any) -> Derived:
    """Rows in groups, each with its own matrix: ``(M, K)`` and ``(G, K, N)`` to ``(M, N)``.

    MACs are those of all rows; rows that no group covers are few, or padding.
    """
    both = f"{show(mat_a.shape)} @ {show(mat_b.shape)}"
    if (len(mat_a.shape), len(mat_b.shape)) == (2, 2):
        groups = offs.shape[0] if isinstance(offs, Operand) else COUNTED
        require("==", mat_b.shape[0], mat_a.shape[1], "matmul", f"inner sizes equal in {both}", f"{mat_b.shape[0]}")
        shape: tuple[int, ...] = (groups, mat_a.shape[0], mat_b.shape[1])
        macs = mat_a.shape[0] * mat_a.shape[1] * mat_b.shape[1]
    elif len(mat_a.shape) in (2, 3) and len(mat_b.shape) in (2, 3):
        require("==", mat_b.shape[-2], mat_a.shape[-1], "matmul", f"inner sizes equal in {both}", f"{mat_b.shape[-2]}")
        lead = mat_a.shape[:-1] if len(mat_b.shape) == 3 else mat_a.shape[1:-1]
        shape = (*lead, mat_b.shape[-1])
        macs = product(shape) * mat_a.shape[-1]
    else:
        raise Unsupported
    return Derived(shape, "(M, K), (G, K, N) -> (M, N)", f"{both} -> {show(shape)}", macs)


@rule("nested_tensor_from_mask_left_aligned", page="torch.nn.TransformerEncoder")
def nested_from_mask_left_aligned(t: Operand, mask: Operand) -> Derived:
    """Whether the padding stands at the end of each row of ``(N, L, D)``: Python's True or False, no tensor."""
    require_rank(t, (3,), "rank", "N, L, D")
    require_shape(mask.shape, t.shape[:2], "attention-mask", f"a mask of {show(t.shape[:2])}")
    return Derived(None, "no tensor", show(mask.shape))
