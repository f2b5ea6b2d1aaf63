"""Taking elements by their indices."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.dims.conditions import decide
from shapeproof.rules.elementwise import broadcast, elementwise
from shapeproof.rules.indexing import check_positions
from shapeproof.rules.registry import (
    COUNTED,
    Derived,
    Operand,
    Violation,
    axis,
    becomes,
    require,
    rule,
    show,
)


def at_least_1d(shape: Shape) -> Shape:
    """A number counts as a row of one here."""
    return shape or (1,)


def fits_but(dim: int, index: Operand, into: Shape, words: str) -> None:
    """Every size of the index but that along ``dim`` is at most that of the tensor."""
    for place, (a, b) in enumerate(zip(at_least_1d(index.shape), at_least_1d(into), strict=True)):
        if place != dim:
            require(">=", b, a, "index-range", f"{words} of at most {show(into)} but in dim {dim}", show(index.shape))


def same_rank(index: Operand, into: Shape) -> None:
    """The index has as many dimensions as the tensor."""
    if len(at_least_1d(index.shape)) != len(at_least_1d(into)):
        raise Violation("rank", f"an index of {len(into)} dimensions", show(index.shape))


def is_empty(operand: Operand) -> bool:
    """Whether there is no element at all."""
    return decide("==", product(operand.shape), 0)


@rule("gather", page="torch.gather")
def gather(input: Operand, dim: int, index: Operand, **_: Any) -> Derived:
    """``out[i][j] = input[index[i][j]][j]``: the index's shape comes out."""
    place = axis(dim, len(input.shape))
    if not is_empty(index):
        same_rank(index, input.shape)
        fits_but(place, index, input.shape, "an index")
        if input.shape:
            check_positions(index, input.shape[place])
    return becomes(input, index.shape, "out = index")


@rule("take", page="torch.take")
def take(input: Operand, index: Operand) -> Derived:
    """Elements counted through the whole tensor: the index's shape comes out."""
    if is_empty(input) and not is_empty(index):
        raise Violation("empty", "elements to take from", show(input.shape))
    return becomes(input, index.shape, "out = index")


@rule("take_along_dim", page="torch.take_along_dim")
def take_along_dim(input: Operand, indices: Operand, dim: int | None = None) -> Derived:
    """As ``gather``, with the other dimensions broadcast; without ``dim`` both are laid out flat."""
    if dim is None:
        return becomes(input, (product(indices.shape),), "out = numel(indices)")
    if len(input.shape) != len(indices.shape):
        raise Violation("rank", f"indices of {len(input.shape)} dimensions", show(indices.shape))
    if not input.shape:
        raise Violation("rank", "at least 1 dimension where a dim is named", "0: ()")
    place = axis(dim, len(input.shape))
    a, b = list(input.shape), list(indices.shape)
    size = b[place]
    a[place] = b[place] = 1
    wide = list(broadcast([tuple(a), tuple(b)]))
    wide[place] = size
    return becomes(input, tuple(wide), "out = broadcast(in, indices)")


def index_list(index: Operand) -> int:
    """How many indices there are. Raises :class:`Violation` where they do not stand in one row."""
    if len(index.shape) > 1:
        raise Violation("rank", "an index of 1 dimension", show(index.shape))
    return product(index.shape)


@rule("index_select", page="torch.index_select")
def index_select(input: Operand, dim: int, index: Operand) -> Derived:
    """The rows that the index names: that dim becomes as long as the index."""
    place = axis(dim, len(input.shape))
    count = index_list(index)
    if not input.shape:
        require("==", count, 1, "index-range", "one index into a number", f"{count}")
        return becomes(input, (), "index along dim")
    check_positions(index, input.shape[place])
    return becomes(input, (*input.shape[:place], count, *input.shape[place + 1 :]), "index along dim")


@rule("masked_select", page="torch.masked_select")
def masked_select(input: Operand, mask: Operand) -> Derived:
    """The elements where the mask is true, in one row; how many they are, the values decide."""
    broadcast([input.shape, mask.shape])
    return becomes(input, (COUNTED,), "(number of true)")


@rule("nonzero", page="torch.nonzero")
def nonzero(input: Operand, *_: Any, as_tuple: bool = False) -> Derived:
    """The places of what is not 0: one row each; how many they are, the values decide."""
    if as_tuple:
        return Derived(((COUNTED,),) * max(1, len(input.shape)), "(number of nonzero)", show(input.shape))
    return becomes(input, (COUNTED, len(input.shape)), "(number of nonzero, rank)")


@rule("nonzero_static", page="torch.nonzero")
def nonzero_static(input: Operand, *, size: int, fill_value: int = -1) -> Derived:
    """The places of so many elements that are not 0, one a row."""
    require(">=", size, 0, "argument", "a size of at least 0", f"{size}")
    return becomes(input, (size, len(input.shape)), "(size, rank)")


@rule("argwhere", page="torch.argwhere")
def argwhere(input: Operand) -> Derived:
    """The places of what is not 0: one row each; how many they are, the values decide."""
    return nonzero(input)


@rule("where", page="torch.where")
def where(condition: Operand, *values: Any, **named: Any) -> Derived:
    """Element by element from one or the other; of a condition alone, the places where it is true."""
    if not values and not named:
        return nonzero(condition, as_tuple=True)
    return elementwise(condition, *values, *named.values())


@rule("repeat_interleave", page="torch.repeat_interleave")
def repeat_interleave(input: Any, repeats: Any = None, dim: int | None = None, output_size: Any = None) -> Derived:
    """Each element so many times in a row; where a tensor says how often, the values decide the size."""
    if repeats is None:
        return becomes(input, (COUNTED if output_size is None else output_size,), "(sum of repeats)")
    shape = input.shape if dim is not None else (product(input.shape),)
    if not shape:
        raise Violation("rank", "at least 1 dimension where a dim is named", "0: ()")
    place = axis(0 if dim is None else dim, len(shape))
    if isinstance(repeats, Operand):
        _fitting_repeats(repeats, shape[place])
        size: int = COUNTED if output_size is None else output_size
    else:
        require(">=", repeats, 0, "argument", "repeats of at least 0", f"{repeats}")
        size = shape[place] * repeats
    return becomes(input, (*shape[:place], size, *shape[place + 1 :]), "size * repeats along dim")


def _fitting_repeats(repeats: Operand, size: int) -> None:
    count = index_list(repeats)
    if not decide("==", count, 1):
        require("==", count, size, "broadcast", f"{size} repeats, or one", f"{count}")


@rule("embedding", page="torch.nn.functional.embedding")
def embedding(input: Operand, weight: Operand, *_: Any, **__: Any) -> Derived:
    """Each index becomes one row of the table: ``(*)`` to ``(*, embedding_dim)``."""
    if len(weight.shape) != 2:
        raise Violation("rank", "a table of 2 dimensions (num_embeddings, embedding_dim)", show(weight.shape))
    if input.below is not None:
        rows = weight.shape[0]
        words = f"num_embeddings = {rows}, more than the largest index"
        require(">=", rows, input.below, "index-range", words, f"positions up to {input.below - 1}")
    return becomes(input, (*input.shape, weight.shape[1]), "(*) -> (*, embedding_dim)")


@rule("embedding_bag", page="torch.nn.functional.embedding_bag")
def embedding_bag(
    input: Operand, weight: Operand, offsets: Any = None, *_: Any, include_last_offset: bool = False, **named: Any
) -> Derived:
    """One row for each bag: each row of a matrix of indices, or each offset into a list of them."""
    if len(weight.shape) != 2:
        raise Violation("rank", "a table of 2 dimensions (num_embeddings, embedding_dim)", show(weight.shape))
    _check_weights_per_sample(input, named)
    if len(input.shape) == 2:
        if offsets is not None:
            raise Violation("argument", "no offsets with a matrix of indices", show(offsets.shape))
        return becomes(input, (input.shape[0], weight.shape[1]), "(B, N) -> (B, embedding_dim)")
    if len(input.shape) != 1 or not isinstance(offsets, Operand) or len(offsets.shape) != 1:
        raise Violation("rank", "a matrix of indices, or a list of them with a list of offsets", show(input.shape))
    bags = offsets.shape[0] - bool(include_last_offset)
    return becomes(input, (bags, weight.shape[1]), "(bags, embedding_dim)")


def _check_weights_per_sample(input: Operand, named: dict[str, Any]) -> None:
    weights = named.get("per_sample_weights")
    if isinstance(weights, Operand) and tuple(map(int, weights.shape)) != tuple(map(int, input.shape)):
        raise Violation("broadcast", f"weights of shape {show(input.shape)}", show(weights.shape))


@rule("one_hot", page="torch.nn.functional.one_hot")
def one_hot(tensor: Operand, num_classes: Any = -1) -> Derived:
    """A new last dimension, one place a class; without their number, the largest value decides."""
    wanted = int(num_classes) if not isinstance(num_classes, Operand) else -1
    if wanted < -1 or (wanted == 0 and not is_empty(tensor)):
        raise Violation("argument", "num_classes of at least 1, or -1", f"{num_classes}")
    return becomes(tensor, (*tensor.shape, COUNTED if wanted == -1 else num_classes), "(*) -> (*, num_classes)")


@rule("multinomial", page="torch.multinomial")
def multinomial(input: Operand, num_samples: int, replacement: bool = False, **_: Any) -> Derived:
    """``(*, C)`` to ``(*, num_samples)``."""
    if len(input.shape) not in (1, 2):
        raise Violation("rank", "1 or 2 dimensions", show(input.shape))
    if isinstance(num_samples, Operand):
        return becomes(input, (*input.shape[:-1], COUNTED), "(*, C) -> (*, num_samples)")
    require(">=", num_samples, 1, "argument", "at least 1 sample", f"{num_samples}")
    if not replacement:
        words = "as many categories as samples drawn without replacement"
        require(">=", input.shape[-1], num_samples, "argument", words, f"{input.shape[-1]}")
    return becomes(input, (*input.shape[:-1], num_samples), "(*, C) -> (*, num_samples)")
