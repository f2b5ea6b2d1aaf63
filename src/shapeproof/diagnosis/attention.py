"""Attention and transformers: ``embed_dim``, heads, masks, the order of batch and time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from shapeproof.diagnosis.case import Case, sizes
from shapeproof.diagnosis.edits import Edit, Setup, put
from shapeproof.diagnosis.place import classes, made
from shapeproof.diagnosis.propose import argument, expression
from shapeproof.diagnosis.reading import added, calls_of, given, replaced
from shapeproof.diagnosis.rebuild import names
from shapeproof.diagnosis.source import written
from shapeproof.diagnosis.states import sizes_written
from shapeproof.diagnosis.width import upstream_width


def find(case: Case) -> Iterator[Edit]:
    """Edits for attention that refuses its query, its keys or its mask."""
    layer = case.owner
    if not isinstance(layer, (nn.MultiheadAttention, nn.Transformer)):
        return
    if isinstance(layer, nn.Transformer):
        yield from _transformer(case, layer)
        return
    query, key = case.layer_local("query"), case.layer_local("key")
    if not isinstance(query, Tensor):
        return
    wide = query.shape[-1]
    if wide != layer.embed_dim:
        yield from _width(case, layer, wide)
    mask = case.layer_local("attn_mask")
    padding = case.layer_local("key_padding_mask")
    if isinstance(padding, Tensor) and padding.dim() == 2:
        yield from _padding_mask(case, layer, padding)
    if isinstance(mask, Tensor) and case.call.op == "multi_head_attention_forward":
        yield from _mask(case, layer, mask)
    yield from _batches(case, layer, query, key)


def terms(case: Case) -> tuple[str, str, str] | None:
    """Code, what the layer expects and what came."""
    layer = case.owner
    if isinstance(layer, nn.Transformer):
        source, target = case.layer_local("src"), case.layer_local("tgt")
        if isinstance(source, Tensor) and isinstance(target, Tensor):
            got = f"{tuple(source.shape)} and {tuple(target.shape)}"
            if source.shape[-1] == target.shape[-1] == layer.d_model:
                return "attention-batch", "source and target of one batch", got
            return "embed-dim", f"d_model = {layer.d_model} for source and target", got
    if not isinstance(layer, nn.MultiheadAttention):
        return None
    query, key = case.layer_local("query"), case.layer_local("key")
    if not isinstance(query, Tensor) or not isinstance(key, Tensor):
        return None
    if query.shape[-1] != layer.embed_dim:
        return (
            "embed-dim",
            f"embed_dim = {layer.embed_dim}",
            f"{query.shape[-1]} (the last size of {tuple(query.shape)})",
        )
    if case.call.op != "multi_head_attention_forward":
        return None
    length, source, batch = _lengths(case)
    mask, padding = case.layer_local("attn_mask"), case.layer_local("key_padding_mask")
    if isinstance(padding, Tensor) and tuple(padding.shape) != (batch, source):
        return "attention-mask", f"a key_padding_mask of {(batch, source)}", str(tuple(padding.shape))
    if isinstance(mask, Tensor) and tuple(mask.shape[-2:]) != (length, source):
        return "attention-mask", f"an attn_mask of {(length, source)}", str(tuple(mask.shape))
    return None


def _lengths(case: Case) -> tuple[int, int, int]:
    """Steps of the query, steps of the keys, and the batch; inside of the layer the steps come first."""
    query, key = sizes(case.fed[0]), sizes(case.fed[1])
    return query[0], key[0], query[1] if len(query) > 2 else 1


def _outer(case: Case) -> tuple[str, Any]:
    """The transformer layer or encoder around the attention that is the user's own to construct."""
    path = case.path or ""
    parts = path.split(".")
    for cut in range(len(parts) - 1, -1, -1):
        outer = case.setup.model.get_submodule(".".join(parts[:cut]))
        if isinstance(outer, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
            return ".".join(parts[:cut]), outer
    return path, case.owner


def _width(case: Case, layer: nn.MultiheadAttention, wide: int) -> Iterator[Edit]:
    path, outer = _outer(case)
    if case.path is None:
        return
    if outer is layer:
        besides = {}
        if wide % layer.num_heads:
            besides = {"num_heads": max(h for h in range(1, layer.num_heads + 1) if wide % h == 0)}
        if layer._qkv_same_embed_dim:
            yield from argument(case, path, "embed_dim", wide, 0.1, "embed-dim", besides)
    else:
        yield from _transformer_layer(case, path, outer, wide)
    yield from upstream_width(case, layer.embed_dim, 0.5)


def _layer_path(path: str) -> str:
    """The encoder in which a layer is one of several copies, else the layer itself."""
    head, _, last = path.rpartition(".")
    return head.rpartition(".")[0] if last.isdigit() and head.endswith("layers") else path


def _transformer_layer(case: Case, path: str, outer: Any, wide: int) -> Iterator[Edit]:
    """``d_model`` of the layers of an encoder; each copy is made again."""
    heads = outer.self_attn.num_heads
    if wide % heads:
        heads = max(h for h in range(1, heads + 1) if wide % h == 0)
    encoder = _layer_path(path)
    kind = type(outer)
    old = outer.self_attn.embed_dim
    parts = [p for p, m in case.setup.model.named_modules() if type(m) is kind and p.startswith(encoder)]

    def apply(setup: Setup) -> None:
        for part in parts:
            put(setup, part, _layer(setup.model.get_submodule(part), wide, heads))

    at = made(case.setup.model, encoder, case.setup.sources)
    found = _layer_call(case, encoder, kind.__name__)
    node = given(found[1], names(kind)).get("d_model") if found else None
    change = replaced(found[0], node, wide) if found and node is not None else None
    line = f"{found[0]}:{found[1].lineno}" if found else at.line if at else ""

    def whole(setup: Setup) -> None:
        apply(setup)
        setup.sources.note(change if heads == outer.self_attn.num_heads else None)

    text = f"{f'In {line}, change' if line else 'Change'} d_model of {encoder} ({kind.__name__}) from {old} to {wide}."
    yield Edit("argument", encoder, "d_model", old, wide, text, whole, 0.1, "embed-dim", line)


def _layer_call(case: Case, path: str, name: str) -> tuple[str, Any] | None:
    """The call that makes the encoder's layer, in the class that owns the encoder."""
    owner = case.setup.model.get_submodule(path.rpartition(".")[0])
    for file, tree, _known in classes(owner, case.setup.sources):
        found = list(calls_of(tree, name))
        if len(found) == 1:
            return file, found[0]
    return None


def _layer(old: Any, wide: int, heads: int) -> nn.Module:
    new = type(old)(
        wide, heads, old.linear1.out_features, dropout=old.dropout.p, activation=old.activation,
        layer_norm_eps=old.norm1.eps, batch_first=old.self_attn.batch_first, norm_first=old.norm_first,
    )  # fmt: skip
    made: nn.Module = new.train(old.training)
    return made


def _mask(case: Case, layer: nn.MultiheadAttention, mask: Tensor) -> Iterator[Edit]:
    length, source, batch = _lengths(case)
    wanted = (length, source)
    came = tuple(mask.shape)
    if came[-2:] == (batch, batch) != wanted:
        yield from _first(case, layer)
    if mask.dim() == 3 and came == (batch, *wanted):
        call = f"repeat_interleave({layer.num_heads}, dim=0)"
        yield from _keyword(case, "attn_mask", call, f"give each of the {layer.num_heads} heads its mask")
    if came[-2:] == (source, length) != wanted:
        yield from _keyword(case, "attn_mask", "transpose(-2, -1)", "turn the mask round")
    place = next((p for p, value in case.inputs() if value.shape == mask.shape), None)
    if place is not None:

        def apply(setup: Setup) -> None:
            held: Any = setup.args if isinstance(place, int) else setup.kwargs
            held[place] = held[place].new_zeros(wanted)

        text = f"Where the model is called, give a mask of {wanted} instead of {came}."
        yield Edit("input", "", "mask", came, wanted, text, apply, 0.3, "attention-mask")
    yield from sizes_written(case, wanted, came, "mask", "attention-mask")


def _first(case: Case, layer: nn.MultiheadAttention) -> Iterator[Edit]:
    path, outer = _outer(case)
    cost = 1.0 if layer.batch_first else 0.0  # who wrote batch_first=True meant it
    if outer is layer:
        yield from argument(case, path, "batch_first", not layer.batch_first, cost, "attention-batch")
        return
    encoder = _layer_path(path)
    new = not layer.batch_first

    def apply(setup: Setup) -> None:
        for part in setup.model.get_submodule(encoder).modules():
            if isinstance(part, nn.MultiheadAttention):
                part.batch_first = new

    found = _layer_call(case, encoder, type(outer).__name__)
    change = None
    if found:
        node = given(found[1], names(type(outer))).get("batch_first")
        text = case.setup.sources.text(found[0])
        change = (
            replaced(found[0], node, new) if node is not None else added(found[0], found[1], text, "batch_first", new)
        )

    def whole(setup: Setup) -> None:
        apply(setup)
        setup.sources.note(change)

    line = f"{found[0]}:{found[1].lineno}" if found else ""
    where = f"In {line}, change" if line else "Change"
    said = f"{where} batch_first of {encoder} ({type(outer).__name__}) from {not new} to {new}."
    yield Edit("argument", encoder, "batch_first", not new, new, said, whole, cost, "attention-batch", line)


def _padding_mask(case: Case, layer: nn.MultiheadAttention, mask: Tensor) -> Iterator[Edit]:
    _, source, batch = _lengths(case)
    if tuple(mask.shape) == (source, batch) != (batch, source):
        yield from _first(case, layer)
        for name in ("key_padding_mask", "src_key_padding_mask"):
            yield from _keyword(case, name, "t()", "turn the mask round: one row for each of the batch")


def _keyword(case: Case, name: str, call: str, words: str) -> Iterator[Edit]:
    """A change of one keyword argument of the user's call."""
    node = case.node
    for keyword in getattr(node, "keywords", ()):
        if keyword.arg == name and case.spot is not None:
            new = f"{written(keyword.value, case.text)}.{call}"
            yield expression(case, case.spot, keyword.value, new, words, "call", call, 0.1, "attention-mask", name)


def _batches(case: Case, layer: nn.MultiheadAttention, query: Tensor, key: Any) -> Iterator[Edit]:
    if not isinstance(key, Tensor) or query.dim() != 3 or key.dim() != 3:
        return
    batch, time = (0, 1) if layer.batch_first else (1, 0)
    if query.shape[batch] != key.shape[batch] and query.shape[time] == key.shape[time]:
        yield from _first(case, layer)


def _transformer(case: Case, layer: nn.Transformer) -> Iterator[Edit]:
    source, target = case.layer_local("src"), case.layer_local("tgt")
    if not isinstance(source, Tensor) or not isinstance(target, Tensor):
        return
    fits = source.dim() == target.dim() == 3 and source.shape[-1] == target.shape[-1] == layer.d_model
    if fits and source.shape[0] == target.shape[0] and not layer.batch_first:
        yield from argument(case, case.path, "batch_first", True, 0.0, "attention-batch")
    wide = source.shape[-1]
    if wide == target.shape[-1] != layer.d_model and case.path is not None:
        besides = (
            {} if wide % layer.nhead == 0 else {"nhead": max(h for h in range(1, layer.nhead + 1) if wide % h == 0)}
        )
        yield from argument(case, case.path, "d_model", wide, 0.1, "embed-dim", besides)
