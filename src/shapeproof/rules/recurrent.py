"""Recurrent layers: one step after another along the sequence.

Source: PyTorch's pages of ``LSTM``, ``GRU`` and ``RNN``. A multiply-add is counted for every weight at every step.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import product
from shapeproof.rules.registry import Derived, Operand, require, require_rank, rule, show


def _run(input: Operand, state: Operand, weights: Any, bidirectional: bool, tokens: int) -> Derived:
    """The output has the state's size in each direction; the states keep their shape."""
    needed = weights[0].shape[-1]
    require("==", input.shape[-1], needed, "in-features", f"input_size = {needed}", f"{input.shape[-1]}")
    shape = (*input.shape[:-1], state.shape[-1] * (2 if bidirectional else 1))
    macs = tokens * sum(int(product(weight.shape)) for weight in weights if len(weight.shape) == 2)
    line = f"{show(input.shape)} -> {show(shape)}"
    return Derived(shape, "(*, H_in) -> (*, directions * H_out)", line, macs)


def _recurrent(args: tuple[Any, ...]) -> tuple[Derived, Any]:
    packed = isinstance(args[3], (list, tuple))
    sequence, states = args[0], args[2 if packed else 1]
    weights, bidirectional = (args[3], args[8]) if packed else (args[2], args[7])
    if not packed:
        require_rank(sequence, (3,), "rank", "L,N,H_in")
        length = sequence.shape[1 if args[8] else 0]
        require(">=", length, 1, "empty", "a sequence of at least 1 step", show(sequence.shape))
    first = states[0] if isinstance(states, (list, tuple)) else states
    tokens = product(sequence.shape[:-1])
    return _run(sequence, first, weights, bidirectional, tokens), states


@rule("lstm", page="torch.nn.LSTM")
def lstm(*args: Any) -> Derived:
    """The output for each step, then the last hidden and cell states. Packed sequences come as one row a step."""
    found, (hidden, cell) = _recurrent(args)
    shapes = (found.shape, hidden.shape, cell.shape)
    return Derived(shapes, found.formula, found.arithmetic, found.macs)


@rule("gru", "rnn_tanh", "rnn_relu", page="torch.nn.GRU")
def gru(*args: Any) -> Derived:
    """The output for each step, then the last hidden state."""
    found, hidden = _recurrent(args)
    return Derived((found.shape, hidden.shape), found.formula, found.arithmetic, found.macs)
