"""A failed run as the causes look at it: the call, its operands, what made them, and the user's line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from types import FrameType, ModuleType
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from shapeproof.capture.naming import dtype_name
from shapeproof.capture.refusal import python_failure
from shapeproof.capture.run import run
from shapeproof.capture.source import is_users
from shapeproof.capture.trace import Call, Fed
from shapeproof.diagnosis.edits import Setup
from shapeproof.diagnosis.reading import called_name
from shapeproof.diagnosis.source import Spot, node_at, resolved
from shapeproof.records import dataclass

# operations after which every element still lies in its place
KEEPS_PLACES = frozenset(
    """relu relu6 gelu silu elu selu leaky_relu prelu sigmoid tanh hardswish hardsigmoid hardtanh mish softplus dropout
    dropout1d dropout2d dropout3d alpha_dropout batch_norm group_norm instance_norm contiguous clone detach float to
    softmax log_softmax type mul div sub add pow sqrt exp log abs clamp local_response_norm""".split()
)
FIRST = ("conv", "max_pool", "avg_pool", "adaptive_", "interpolate", "upsample", "pixel_", "lp_pool", "fold")
LAST = ("embedding", "linear", "lstm", "gru", "rnn_", "layer_norm", "multi_head_attention", "scaled_dot_product")
RESHAPES = frozenset("view reshape flatten unflatten".split())
MOVES = frozenset("permute transpose movedim moveaxis swapaxes t T".split())


@dataclass()
class Case:
    """A failed run.

    Attributes:
        setup: the model and its inputs.
        calls: what ran, up to the call that failed.
        error: what was raised.
    """

    setup: Setup
    calls: list[Call]
    error: BaseException | None

    @property
    def call(self) -> Call:
        """The call that failed."""
        return self.calls[-1]

    @property
    def code(self) -> str:
        """The code of the condition that does not hold."""
        return self.call.violation.code if self.call.violation else "unsupported"

    @cached_property
    def frames(self) -> list[tuple[FrameType, int]]:
        """The frames of the error, the innermost last, each with the instruction that it was at."""
        found, tb = [], self.error.__traceback__ if self.error else None
        while tb is not None:
            found.append((tb.tb_frame, tb.tb_lasti))
            tb = tb.tb_next
        return found

    @cached_property
    def _user_place(self) -> int:
        """The place of the innermost frame of the user's; -1 if there is none."""
        users = [n for n, (f, _) in enumerate(self.frames) if is_users(f.f_code.co_filename)]
        return users[-1] if users else -1

    @property
    def user(self) -> tuple[FrameType, int] | None:
        """The innermost frame of the user's, and its instruction."""
        return self.frames[self._user_place] if self._user_place >= 0 else None

    @property
    def spot(self) -> Spot | None:
        """The code of the user's line that failed, and the instruction."""
        return (self.user[0].f_code, self.user[1]) if self.user else None

    @cached_property
    def names(self) -> dict[str, Any]:
        """What the names in the user's frame stand for."""
        return {} if self.user is None else {**self.user[0].f_globals, **self.user[0].f_locals}

    @cached_property
    def node(self) -> Any:
        """The expression of the user's that failed."""
        return node_at(self.spot, self.setup.sources)

    @cached_property
    def text(self) -> str:
        """The source of the file in which the user's line stands."""
        return self.setup.sources.text(self.user[0].f_code.co_filename) if self.user else ""

    @cached_property
    def owner(self) -> Any:
        """PyTorch's layer whose own code failed; ``None`` where the user's code called the operation itself."""
        for frame, _ in reversed(self.frames[self._user_place + 1 :]):
            held = frame.f_locals.get("self")
            if isinstance(held, nn.Module):
                return held
        return None

    @cached_property
    def paths(self) -> dict[int, str]:
        """The path of every module of the model, by its id."""
        model = self.setup.model
        return {id(m): path for path, m in model.named_modules()} if isinstance(model, nn.Module) else {}

    @property
    def path(self) -> str | None:
        """The path of the layer that failed; ``None`` where it is not part of the model."""
        return self.paths.get(id(self.owner)) if self.owner is not None else None

    def layer_local(self, name: str) -> Any:
        """A local name of the failed layer's own code, such as ``hx``; ``None`` if there is none."""
        for frame, _ in reversed(self.frames[self._user_place + 1 :]):
            if frame.f_locals.get("self") is self.owner and name in frame.f_locals:
                return frame.f_locals[name]
        return None

    @cached_property
    def fed(self) -> list[Fed]:
        """The tensors that went into the call, in order."""
        held = self.layer_local("input") if self.call.given is None and self.owner is not None else None
        return [self._seen(held)] if isinstance(held, Tensor) else feds(self.call)

    def _seen(self, tensor: Tensor) -> Fed:
        """A tensor that a layer's own check refused: the latest that had its shape."""
        shape = tuple(tensor.shape)
        makers = [n for n, call in enumerate(self.calls[:-1]) if call.output == shape]
        given = any(tuple(value.shape) == shape for _, value in self.inputs())
        maker = makers[-1] if makers and not given else None
        return Fed(shape, dtype_name(tensor.dtype), maker=maker, identity=id(tensor))

    @property
    def entering(self) -> tuple[int, ...]:
        """The sizes of the first tensor of the failed call."""
        if self.fed:
            return sizes(self.fed[0])
        return tuple(map(int, self.call.inputs[0])) if self.call.inputs else ()

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The sizes of everything that went into the failed call."""
        return [sizes(fed) for fed in self.fed]

    def maker(self, fed: Fed | None) -> Call | None:
        """The call that made a tensor."""
        return None if fed is None or fed.maker is None else self.calls[fed.maker]

    def upstream(self, fed: Fed | None) -> Iterator[Call]:
        """The calls from which a tensor comes, nearest first, along the first operand of each."""
        call = self.maker(fed)
        while call is not None:
            yield call
            before = feds(call)
            call = self.maker(next((f for f in before if f.maker is not None), None))

    def origin(self, fed: Fed | None) -> Call | None:
        """The nearest call from which a tensor comes that does more than keep every element in its place."""
        return next((call for call in self.upstream(fed) if call.op not in KEEPS_PLACES), None)

    def layout(self, fed: Fed | None) -> str:
        """``"first"`` or ``"last"``: where a tensor's channels stand; ``"input"``, ``"shaped"`` or ``"moved"``."""
        for call in self.upstream(fed):
            if call.op in KEEPS_PLACES and not (call.op == "batch_norm" and len(call.inputs[0]) > 2):
                continue
            if call.op.startswith(FIRST) or call.op == "batch_norm":
                return "first"
            if call.op.startswith(LAST):
                return "last"
            if call.op in MOVES:
                return "moved"
            if call.op in RESHAPES:
                return "shaped"
            if call.op not in ("cat", "stack", "getitem", "squeeze", "unsqueeze", "pad"):
                return "other"
        return "input" if fed is None or self.input_of(fed) is not None else "other"

    def inputs(self) -> Iterator[tuple[int | str, Tensor]]:
        """The tensors among the model's inputs, each with its place."""
        return self.setup.tensors()

    def input_of(self, fed: Fed | None) -> int | str | None:
        """Which of the model's inputs a tensor is, as it came; ``None`` if it is none."""
        if fed is None or fed.maker is not None or self.parameter(fed):
            return None
        return next((place for place, value in self.inputs() if tuple(value.shape) == sizes(fed)), None)

    def parameter(self, fed: Fed) -> str:
        """The path of the parameter or buffer that a tensor is; ``""`` if it is none."""
        model = self.setup.model
        if not isinstance(model, nn.Module) or fed.maker is not None:
            return ""
        for path, held in model.named_parameters():
            if id(held) == fed.identity:
                return path
        taken = {tuple(value.shape) for _, value in self.inputs()}
        alike = [path for path, held in model.named_buffers() if tuple(held.shape) == sizes(fed)]
        return alike[0] if len(alike) == 1 and sizes(fed) not in taken else ""

    @property
    def batch(self) -> int | None:
        """The first size of the model's first input."""
        first = self.setup.first()
        return int(first[1].shape[0]) if first and first[1].dim() else None

    def operand(self, index: int) -> Any:
        """The user's expression for one operand of the failed call; ``None`` where it is not plain."""
        node = self.node
        if isinstance(node, ast.BinOp):
            return (node.left, node.right)[index] if index < 2 else None
        if isinstance(node, ast.AugAssign):
            return node.value if index == 1 else None
        if not isinstance(node, ast.Call):
            return None
        if self.owner is not None:
            called = resolved(node.func, self.names)
            made_here = called_name(node.func) == type(self.owner).__name__  # nn.CrossEntropyLoss()(x, y)
            return _argument(node, index) if made_here or self.leads_to_owner(called) else None
        if isinstance(node.func, ast.Attribute) and not self._names_a_function(node.func.value):
            return node.func.value if index == 0 else _argument(node, index - 1)
        first = node.args[0] if node.args else None
        if isinstance(first, (ast.List, ast.Tuple)):
            return first.elts[index] if index < len(first.elts) else None
        return _argument(node, index)

    def leads_to_owner(self, called: Any) -> bool:
        """Whether a call of this module hands its input to the layer that failed as it came."""
        while called is not self.owner:
            if not isinstance(called, nn.Sequential) or not len(called):
                return False
            called = called[0]
        return True

    def _names_a_function(self, node: ast.expr) -> bool:
        held = resolved(node, self.names)
        return isinstance(held, (ModuleType, type, nn.Module))


def _argument(node: ast.Call, index: int) -> Any:
    if any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    return node.args[index] if index < len(node.args) else None


def feds(call: Call) -> list[Fed]:
    """The tensors that went into a call, in order."""
    return [leaf for leaf in tree_flatten(call.given)[0] if isinstance(leaf, Fed)] if call.given else []


def sizes(fed: Fed) -> tuple[int, ...]:
    """A tensor's sizes as plain numbers."""
    return tuple(map(int, fed.shape))


def tried(setup: Setup) -> tuple[Case | None, Any]:
    """Run a setup: the case where it fails, else ``None``; and the shapes that come out.

    Raises:
        Exception: one of the model's own that has nothing to do with shapes.
    """
    with setup.sources.running():
        pairs = {key: (value, None) for key, value in setup.kwargs.items()}
        trace = run(setup.model, [(value, None) for value in setup.args], pairs, setup.manner, detailed=True)
    if trace.error is None:
        return None, trace.output
    failing = python_failure(trace)
    return Case(setup, [*trace.calls, failing] if failing else trace.calls, trace.error), None
