"""View, reshape, flatten, permute, squeeze: sizes that do not divide, a batch that is lost, a result thrown away."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any

from torch import nn

from shapeproof.capture.trace import Call
from shapeproof.diagnosis.case import MOVES, RESHAPES, Case, feds, sizes
from shapeproof.diagnosis.constructing import divisors_near
from shapeproof.diagnosis.edits import Edit, Setup
from shapeproof.diagnosis.inputs import other_sizes, square, unsqueezed
from shapeproof.diagnosis.place import parameter
from shapeproof.diagnosis.propose import argument, call_node, expression, input_edit
from shapeproof.diagnosis.source import parsed, statement_of, written
from shapeproof.diagnosis.width import upstream_width

FLATTEN = "torch.flatten(x, 1)"


def find(case: Case) -> Iterator[Edit]:
    """Edits for a rearrangement that the elements do not allow."""
    yield from thrown_away(case)
    yield from lost_batch(case, ops=frozenset(["squeeze"]))
    op = case.call.op
    if op in ("view", "reshape"):
        yield from lost_batch(case)
    if op in ("view", "reshape") and case.code == "view-stride":
        yield from _reshape_instead(case)
    elif op in ("view", "reshape", "unflatten") and case.entering:
        yield from _sizes(case)
    if case.code in ("dim-range", "rank") or case.code == "unsupported":
        yield from _dims(case)


def thrown_away(case: Case) -> Iterator[Edit]:
    """A view, permute or flatten before the failed call whose result is used by nobody."""
    for call in case.calls[:-1]:
        node = call_node(case, call.spot) if call.op in RESHAPES | MOVES | {"squeeze", "unsqueeze"} else None
        if call.spot is None or not isinstance(node, ast.Call):
            continue
        tree = parsed(case.setup.sources.text(call.spot[0].co_filename))
        statement = statement_of(node, tree) if tree else None
        target = receiver(node)
        if isinstance(statement, ast.Expr) and statement.value is node and isinstance(target, ast.Name):
            old = written(node, case.setup.sources.text(call.spot[0].co_filename))
            words = f"keep the result, since {call.op} changes nothing in place"
            yield expression(
                case, call.spot, node, f"{target.id} = {old}", words, cost=-0.5, code="unused-result",
                attribute=call.op, module=call.module,
            )  # fmt: skip


def receiver(node: ast.Call) -> Any:
    """The tensor that a call rearranges: that of ``x.view(...)``, or the first argument of ``torch.flatten(x)``."""
    if not isinstance(node.func, ast.Attribute):
        return node.args[0] if node.args else None
    if isinstance(node.func.value, ast.Name) and node.func.value.id in ("torch", "F", "nn"):
        return node.args[0] if node.args else None
    return node.func.value


def _reshape_instead(case: Case) -> Iterator[Edit]:
    node = case.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    args = ", ".join(written(arg, case.text) for arg in node.args)
    new = f"{written(node.func.value, case.text)}.reshape({args})"
    words = "use reshape, which copies where the elements do not follow each other in memory"
    yield expression(case, case.spot, node, new, words, "call", "reshape", 0.0, "view-stride", "view")


def _wanted(case: Case) -> tuple[int, ...]:
    """The sizes that the view was asked for."""
    args, kwargs = case.call.given or ((), {})
    rest = args[1:] or tuple(kwargs.values())
    rest = rest[1:] if case.call.op == "unflatten" else rest
    flat = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
    return tuple(int(size) for size in flat if isinstance(size, int))


def _sizes(case: Case) -> Iterator[Edit]:
    wanted, entering = _wanted(case), case.entering
    node = case.node
    if not wanted or len(entering) < 1:
        return
    if isinstance(node, ast.Call):
        yield from _of_the_call(case, node, wanted, entering)
    if isinstance(case.owner, nn.Unflatten):
        rest = _places(wanted, entering)
        if rest:
            yield from argument(case, case.path, "unflattened_size", rest, 0.3, "view-size")
    yield from other_sizes(case, known_only=True)
    yield from _heads(case, wanted, entering)
    if len(wanted) > 2 and len(entering) == 2:
        yield from upstream_width(case, math.prod(wanted[1:]), 0.6)


def _of_the_call(case: Case, node: ast.Call, wanted: tuple[int, ...], entering: tuple[int, ...]) -> Iterator[Edit]:
    target = receiver(node)
    if target is None:
        return
    name = written(target, case.text)
    method = isinstance(node.func, ast.Attribute) and node.func.value is target
    first = node.args[0 if method else 1] if len(node.args) > (0 if method else 1) else None
    if len(wanted) <= 2 and len(entering) > 1:
        new = f"torch.flatten({name}, 1)" if "torch" in case.names else f"{name}.flatten(1)"
        words = "let the sizes follow what comes"
        yield expression(
            case, case.spot, node, new, words, "call", "torch.flatten(x, 1)", 0.4, "view-size", case.call.op
        )
    elif len(entering) > 1 and math.prod(wanted[1:]) == math.prod(entering[1:]) and first is not None and wanted[0] > 0:
        simple = f"{name}.size(0)"
        yield expression(
            case, case.spot, first, simple, "take the batch from the tensor", "call", simple, 0.0, "view-size", "batch"
        )
    yield from _grid(case, node, wanted, entering, 0 if method else 1)
    rest = _places(wanted, entering)
    if rest:
        new = f"{name}.view(-1, {', '.join(map(str, rest))})"
        words = f"give the maps the sizes that {math.prod(entering[1:])} elements have"
        yield expression(case, case.spot, node, new, words, "call", new, 0.3, "view-size", "sizes")


def _grid(case: Case, node: ast.Call, wanted: tuple[int, ...], entering: tuple[int, ...], skip: int) -> Iterator[Edit]:
    """A grid of another side than the one that is written twice in the view."""
    twice = [size for size in wanted if wanted.count(size) == 2 and size > 1]
    sides = [size for size in entering if entering.count(size) == 2 and size > 1]
    nodes = node.args[skip:]
    if not twice or not sides or len(nodes) != len(wanted):
        return
    fitted = [sides[0] if size == twice[0] else size for size in wanted]
    if math.prod(fitted) != math.prod(entering):
        return
    parts = [
        str(sides[0]) if size == twice[0] else written(n, case.text) for size, n in zip(wanted, nodes, strict=True)
    ]
    first = [written(n, case.text) for n in node.args[:skip]]
    new = f"{written(node.func, case.text)}({', '.join([*first, *parts])})"
    words = f"write the {sides[0]} x {sides[0]} places that there are"
    yield expression(case, case.spot, node, new, words, "call", new, 0.5, "view-size", "sizes")


def _places(wanted: tuple[int, ...], entering: tuple[int, ...]) -> tuple[int, ...] | None:
    """The channels that were wanted with the places that there are elements for, where these are square."""
    shape = wanted if len(wanted) in (2, 3) and len(entering) == 2 and wanted[0] > 0 else wanted[1:]
    if len(shape) not in (2, 3) or len(entering) != 2 or shape[0] < 1 or entering[1] % shape[0]:
        return None
    each = entering[1] // shape[0]
    if len(shape) == 2:
        return (shape[0], each)
    side = square(each)
    return None if side is None else (shape[0], side, side)


def _heads(case: Case, wanted: tuple[int, ...], entering: tuple[int, ...]) -> Iterator[Edit]:
    """A number of heads that does not divide the width: the nearest that does."""
    model, path = case.setup.model, case.call.module
    if len(wanted) != len(entering) + 1 or not isinstance(model, nn.Module):
        return
    width = entering[-1]
    holder = case.names.get("self") if isinstance(case.names.get("self"), nn.Module) else model.get_submodule(path)
    path = case.paths.get(id(holder), path)
    for name, heads in vars(holder).items():
        if type(heads) is not int or heads != wanted[-2] or heads < 2 or not width % heads:
            continue
        near = divisors_near(heads, width)[0]
        yield _attribute(case, path, holder, name, near, width)


def _attribute(case: Case, path: str, holder: Any, name: str, new: int, width: int) -> Edit:
    """Another value of an attribute of the user's own module, and of the width of a head that follows from it."""
    old = getattr(holder, name)
    follow = {n: width // new for n, v in vars(holder).items() if type(v) is int and v == width // old and n != name}
    line, change = parameter(case.setup.model, path, name, old, new, case.setup.sources)

    def apply(setup: Setup) -> None:
        module = setup.model.get_submodule(path)
        for key, value in {name: new, **follow}.items():
            setattr(module, key, value)
        setup.sources.note(change)

    where = f"In {line}, change" if line else "Change"
    text = (
        f"{where} {name} of {path or 'the model'} ({type(holder).__name__}) from {old} to {new}, which divides {width}."
    )
    return Edit("argument", path, name, old, new, text, apply, 0.2, "heads", line)


def lost_batch(case: Case, code: str = "lost-batch", ops: frozenset[str] = RESHAPES | {"squeeze"}) -> Iterator[Edit]:
    """A view, flatten or squeeze before the failed call that took the batch with it."""
    batch = case.batch
    for fed in case.fed[:1] if code != "concat" else case.fed[:2]:
        for call in case.upstream(fed):
            before = feds(call)
            if not before or not isinstance(call.output, tuple) or call.op == "linear":
                continue
            came = sizes(before[0])
            now = tuple(map(int, call.output)) if all(isinstance(s, int) for s in call.output) else ()
            if len(came) > 1 and came[0] == batch and now[:1] != (batch,) and call.op in ops:
                yield from _keeping_the_batch(case, call, code)
                return


def _keeping_the_batch(case: Case, call: Call, code: str) -> Iterator[Edit]:
    """The call that took the batch with it, written so that it keeps it."""
    node, before = call_node(case, call.spot), sizes(feds(call)[0])
    if isinstance(node, ast.Call) and call.spot is not None:
        target = receiver(node)
        owner = case.setup.model.get_submodule(call.module) if isinstance(case.setup.model, nn.Module) else None
        if not isinstance(owner, nn.Flatten) and target is not None:
            name = written(target, case.setup.sources.text(call.spot[0].co_filename))
            new = _kept(call.op, node, target, name, before)
            words = "keep the batch as its own dimension"
            yield expression(
                case, call.spot, node, new, words, "call", new, 0.0, code, call.op, call.module
            )  # fmt: skip
            return
    if isinstance(case.setup.model, nn.Module):
        owner = case.setup.model.get_submodule(call.module)
        if isinstance(owner, nn.Flatten):
            yield from argument(case, call.module, "start_dim", 1, 0.0, code)


def _kept(op: str, node: ast.Call, target: Any, name: str, before: tuple[int, ...]) -> str:
    if op == "squeeze":
        ones = [axis - len(before) for axis in range(1, len(before)) if before[axis] == 1]
        return f"{name}.squeeze({ones[0] if len(ones) == 1 else tuple(ones)})" if ones else name
    if op == "flatten" and node.args[:1] == [target]:
        return f"torch.flatten({name}, 1)"
    plain = isinstance(target, ast.Name) and op != "flatten"
    return f"{name}.reshape({name}.size(0), -1)" if plain else f"{name}.flatten(1)"


def _dims(case: Case) -> Iterator[Edit]:
    """A dimension that the tensor does not have."""
    place = case.input_of(case.fed[0]) if case.fed else None
    wanted = _named_dims(case)
    rank = len(case.entering)
    if wanted and case.fed and max(wanted) >= rank:
        if place is not None and max(wanted) == rank:
            yield unsqueezed(case, place, 0, 0.4)
        yield from _another_dim(case, rank)
    args = (case.call.given or ((), {}))[0]
    if case.call.op == "permute" and place is not None and len(_wanted(case)) == rank + 1:
        yield unsqueezed(case, place, 0, 0.0)
    if (
        case.call.op == "permute"
        and place is not None
        and len(_wanted(case)) == rank - 1
        and args
        and 1 in case.entering
    ):
        axis = case.entering.index(1)
        yield input_edit(
            case, place, "rank", f"one dimension less, x.squeeze({axis})", lambda x: x.squeeze(axis), 0.2, "rank"
        )


def _named_dims(case: Case) -> list[int]:
    args, kwargs = case.call.given or ((), {})
    named = [
        value for key, value in kwargs.items() if key in ("dim", "start_dim", "dim0", "dim1") and isinstance(value, int)
    ]
    return [int(v) for v in (*args[1:], *named) if isinstance(v, int) and not isinstance(v, bool)]


def _another_dim(case: Case, rank: int) -> Iterator[Edit]:
    """The last dimension, or the one after the batch."""
    layer, node = case.owner, case.node
    if layer is not None:
        name = "dim" if hasattr(layer, "dim") else "start_dim" if hasattr(layer, "start_dim") else None
        if name:
            yield from argument(case, case.path, name, -1 if name == "dim" else 1, 0.1, "dim-range")
        return
    if not isinstance(node, ast.Call):
        return
    for part in (*node.args, *(k.value for k in node.keywords)):
        if isinstance(part, ast.Constant) and type(part.value) is int and part.value >= rank:
            for new in dict.fromkeys(("-1", str(rank - 1), "1", "0")):
                words = f"name a dimension that the tensor of {rank} dimensions has"
                yield expression(case, case.spot, part, new, words, "call", int(new), 0.1, "dim-range", "dim")
