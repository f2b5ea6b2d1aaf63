"""Attention: ``softmax(Q K^T / sqrt(E)) V``.

Source: Vaswani et al., "Attention Is All You Need" (2017), section 3.2; PyTorch's page of
``scaled_dot_product_attention`` for the shapes.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import product
from shapeproof.rules.elementwise import broadcast, fits
from shapeproof.rules.registry import Derived, Operand, Unsupported, require, require_rank, require_shape, rule, show


def _one_length(key: Operand, value: Operand) -> None:
    """As many values as keys; whether another number is refused depends on the kernel that PyTorch chooses."""
    if int(key.shape[-2]) != int(value.shape[-2]):
        raise Unsupported
    require("==", value.shape[-2], key.shape[-2], "matmul", "as many values as keys", show(value.shape))


@rule("scaled_dot_product_attention", page="torch.nn.functional.scaled_dot_product_attention")
def scaled_dot_product_attention(
    query: Operand, key: Operand, value: Operand, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: Any = None, enable_gqa: bool = False,
) -> Derived:  # fmt: skip
    """``(*, L, E)``, ``(*, S, E)`` and ``(*, S, Ev)`` to ``(*, L, Ev)``; MACs are those of the two products."""
    for operand in (query, key, value):
        require_rank(operand, tuple(range(2, 64)), "rank", "*,L,E")
    if enable_gqa:
        return _grouped(query, key, value)
    both = f"{show(query.shape)} and {show(key.shape)}"
    require("==", key.shape[-1], query.shape[-1], "matmul", "query and key of one last size", both)
    _one_length(key, value)
    batch = broadcast([query.shape[:-2], key.shape[:-2], value.shape[:-2]], "matmul")
    if isinstance(attn_mask, Operand):
        scores = (*batch, query.shape[-2], key.shape[-2])
        fits(attn_mask.shape, scores, f"a mask that fits {show(scores)}", "attention-mask")
    return _attended(query, key, value, (*batch, query.shape[-2], value.shape[-1]))


def _grouped(query: Operand, key: Operand, value: Operand) -> Derived:
    """Heads of the query share those of key and value: a multiple of them."""
    if any(len(operand.shape) != 4 for operand in (query, key, value)):
        raise Unsupported
    for operand in (key, value):
        heads = operand.shape[-3]
        words = f"query heads a multiple of {heads}"
        require("mod", query.shape[-3], heads, "heads", words, f"{query.shape[-3]}")
    both = f"{show(query.shape)} and {show(key.shape)}"
    require("==", key.shape[-1], query.shape[-1], "matmul", "query and key of one last size", both)
    _one_length(key, value)
    batch = broadcast([query.shape[:1], key.shape[:1], value.shape[:1]], "matmul")
    return _attended(query, key, value, (*batch, *query.shape[1:-1], value.shape[-1]))


def _attended(query: Operand, key: Operand, value: Operand, shape: tuple[int, ...]) -> Derived:
    scores = product((*shape[:-1], key.shape[-2]))
    macs = scores * query.shape[-1] + scores * value.shape[-1]
    line = f"{show(query.shape)}, {show(key.shape)}, {show(value.shape)} -> {show(shape)}"
    return Derived(shape, "(*, L, E), (*, S, E), (*, S, Ev) -> (*, L, Ev)", line, macs)


def _check_source(operand: Operand, query: Operand, weight: Any) -> None:
    """Keys and values: of the query's batch, and of the size that their projection takes."""
    require_rank(operand, (len(query.shape),), "rank", "S,N,E")
    for have, want in zip(operand.shape[1:-1], query.shape[1:-1], strict=True):
        require("==", have, want, "target-batch", f"{want} samples, as the query has", show(operand.shape))
    if isinstance(weight, Operand):
        has, needed = operand.shape[-1], weight.shape[-1]
        require("==", has, needed, "in-features", f"{needed} features", f"{has} in {show(operand.shape)}")


def _check_masks(query: Operand, key: Operand, heads: int, named: dict[str, Any]) -> None:
    """``key_padding_mask`` is ``(N, S)``; ``attn_mask`` is ``(L, S)``, or one for each head, ``(N * heads, L, S)``."""
    length, source, batch = query.shape[0], key.shape[0], query.shape[1:-1]
    for name, wanted in (("key_padding_mask", (*batch, source)), ("attn_mask", (length, source))):
        mask = named.get(name)
        if not isinstance(mask, Operand):
            continue
        if name == "attn_mask" and len(mask.shape) == 3:
            wanted = ((batch[0] if batch else 1) * heads, *wanted)
        require_shape(mask.shape, wanted, "attention-mask", f"{name} of {show(wanted)}")


@rule("multi_head_attention_forward", page="torch.nn.MultiheadAttention")
def multi_head_attention_forward(
    query: Operand, key: Operand, value: Operand, embed_dim_to_check: int, num_heads: int, in_proj_weight: Any,
    in_proj_bias: Any, bias_k: Any, bias_v: Any, add_zero_attn: bool, *_: Any,
    need_weights: bool = True, average_attn_weights: bool = True, **named: Any,
) -> Derived:  # fmt: skip
    """``(L, N, E)`` with ``(S, N, *)`` to ``(L, N, E)``, and the weights ``(N, L, S)`` where they are asked for.

    MACs are those of the three projections, the two products of attention, and the projection of the result.
    """
    require_rank(query, (2, 3), "rank", "L,N,E")
    embed = query.shape[-1]
    require("==", embed, embed_dim_to_check, "in-features", f"embed_dim = {embed_dim_to_check}", f"{embed}")
    batch = query.shape[1:-1]
    for name, operand in (("k", key), ("v", value)):
        _check_source(operand, query, named.get(f"{name}_proj_weight") or in_proj_weight)
    require("==", value.shape[0], key.shape[0], "matmul", "as many values as keys", show(value.shape))
    _check_masks(query, key, num_heads, named)
    source = key.shape[0] + (bias_k is not None) + bool(add_zero_attn)
    length = query.shape[0]
    rows = product(batch)
    projected = rows * length * embed + rows * key.shape[0] * (key.shape[-1] + value.shape[-1])
    macs = projected * embed + 2 * rows * length * source * embed + rows * length * embed * embed
    heads = () if average_attn_weights else (num_heads,)
    weights = (*batch, *heads, length, source) if need_weights else None
    line = f"{show(query.shape)}, {show(key.shape)} -> {show(query.shape)}"
    return Derived((query.shape, weights), "(L, N, E), (S, N, E) -> (L, N, E)", line, macs)
