"""Which call to derive again: found in the frames, the outermost module's first, with the arguments as they came."""

from __future__ import annotations

import ast
import gc
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_flatten

from shapeproof.postmortem.frames import Moment, node_of, statement_names, tree_of
from shapeproof.postmortem.reading import Unreadable, read, readable
from shapeproof.postmortem.standin import Together, method_of

_MODULE_CALL = nn.Module._wrapped_call_impl.__code__
_NO_RERUN = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
# a function that calls one of these does more than compute
_DOES = frozenset(
    "backward manual_backward step zero_grad open input next save load write log_dict exit send put".split()
)


@dataclass(frozen=True)
class Candidate:
    """A call that may be derived again.

    Attributes:
        callee: what was called.
        args: its positional arguments.
        kwargs: its keyword arguments.
        depth: the place in the stack of the frame that made the call.
    """

    callee: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    depth: int


def candidates(stack: list[Moment], lost: list[str]) -> Iterator[Candidate]:
    """Calls to derive, the most telling first; what could not be recovered is told in ``lost``."""
    modules = [found for found in map(_module_call, range(len(stack)), stack) if found]
    whole = [found for found in modules if not _single_layer(found.callee)][:1]
    functions = list(_function_calls(stack, modules[0].depth if modules else len(stack), lost))
    methods = [found for found in functions if not isinstance(found.callee, Together)]
    yield from methods[:1]
    yield from whole
    yield from [found for found in functions if found not in methods][:2]
    yield from [_named(found, stack[found.depth]) for found in modules if found not in whole][:3]
    yield from filter(None, [_expression(stack, lost)])


def _module_call(depth: int, moment: Moment) -> Candidate | None:
    """The call of a module, of a compiled function, or nothing."""
    held = moment.frame.f_locals
    if moment.code is _MODULE_CALL and "self" in held:
        return Candidate(unwrapped(held["self"]), held["args"], held["kwargs"], depth - 1)
    if moment.torchs and moment.code.co_name == "compile_wrapper" and callable(held.get("fn")):
        return Candidate(unwrapped(held["fn"]), held["args"], held["kwargs"], depth - 1)
    return None


def unwrapped(callee: Any) -> Any:
    """The user's own module inside compiled and data-parallel wrappers."""
    while True:
        inner = getattr(callee, "_orig_mod", None)
        if inner is None and type(callee).__name__ in ("DataParallel", "DistributedDataParallel"):
            inner = callee.module
        if inner is None:
            return callee
        callee = inner


def _single_layer(callee: Any) -> bool:
    """Whether it is one layer or loss of PyTorch's: the function around it then tells more."""
    torchs = type(callee).__module__.startswith("torch.")
    return isinstance(callee, nn.Module) and torchs and not list(callee.children())


def _function_calls(stack: list[Moment], end: int, lost: list[str]) -> Iterator[Candidate]:
    """Functions on tensors that only compute, the outermost first, in the frames up to ``end``."""
    for depth in range(1, min(end + 1, len(stack))):
        moment = stack[depth]
        if moment.code is _MODULE_CALL or not _computes(moment):
            continue
        try:
            args, kwargs = _arguments(moment, stack[depth - 1])
        except Unreadable as gone:
            lost.append(f"what {moment.code.co_name} was called with: {gone}")
            continue
        callee = _callee(moment, args, kwargs)
        args = args[1:] if _is_method(moment) else args
        if callee is not None and any(isinstance(leaf, Tensor) for leaf in tree_flatten((args, kwargs))[0]):
            yield Candidate(callee, args, kwargs, depth - 1)


def _is_method(moment: Moment) -> bool:
    return moment.code.co_varnames[:1] == ("self",) and moment.code.co_argcount > 0


def _computes(moment: Moment) -> bool:
    """Whether a frame's function takes tensors and neither trains, reads on, nor writes anything."""
    code, held = moment.code, moment.frame.f_locals
    if code.co_flags & _NO_RERUN or code.co_name.startswith("<") or not code.co_argcount + code.co_kwonlyargcount:
        return False
    if _DOES & set(code.co_names):
        return False
    return not any(isinstance(value, Optimizer) for value in held.values())


def _parameters(code: types.CodeType) -> tuple[str, ...]:
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[:count]


def _arguments(moment: Moment, caller: Moment) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a function was called with: its parameters, or, where it gave them new values, the caller's expressions."""
    code, held = moment.code, moment.frame.f_locals
    names = _parameters(code)
    if all(name in held for name in names) and not _stored(code) & set(names):
        plain = names[: code.co_argcount]
        rest = list(names[code.co_argcount + code.co_kwonlyargcount :])
        args = tuple(held[name] for name in plain)
        if code.co_flags & inspect.CO_VARARGS:
            args += tuple(held[rest.pop(0)])
        kwargs = {name: held[name] for name in names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]}
        return args, {**kwargs, **(held[rest[0]] if rest else {})}
    node = node_of(caller)
    if not isinstance(node, ast.Call):
        raise Unreadable(f"the value of {', '.join(sorted(_stored(code) & set(names)))} was replaced since")
    bound = [read(arg, caller.names) for arg in node.args]
    named = {keyword.arg: read(keyword.value, caller.names) for keyword in node.keywords if keyword.arg}
    owner = names[0] if names and names[0] == "self" else None
    return (held[owner], *bound) if owner else tuple(bound), named


def _stored(code: types.CodeType) -> set[str]:
    """Names of a function that it gives a new value, or deletes."""
    from dis import get_instructions

    kinds = ("STORE_FAST", "DELETE_FAST", "STORE_DEREF", "DELETE_DEREF")
    return {str(found.argval) for found in get_instructions(code) if found.opname in kinds}


def _callee(moment: Moment, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The function object that a frame runs, in a form that gives its modules paths."""
    owner = args[0] if _is_method(moment) else None
    if isinstance(owner, nn.Module):
        if moment.torchs and moment.code.co_name != "forward":
            return None  # part of how PyTorch calls a module
        owner = unwrapped(owner)
        return owner if moment.code.co_name == "forward" else method_of(owner, moment.code.co_name)
    function = next((f for f in gc.get_referrers(moment.code) if isinstance(f, types.FunctionType)), None)
    if function is None or function.__code__ is not moment.code:
        return None
    given = dict(zip(_parameters(moment.code), args, strict=False)) | kwargs
    return Together(function, owner, {name: unwrapped(m) for name, m in given.items() if isinstance(m, nn.Module)})


def makers(moment: Moment) -> Iterator[Candidate]:
    """The calls of modules that made the tensors in a failed line, as the frame's earlier lines write them."""
    tree, names = tree_of(moment), moment.names
    used = set(statement_names(moment))
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.Assign) or node.lineno >= moment.line or not isinstance(node.value, ast.Call):
            continue
        made = {target.id for target in node.targets if isinstance(target, ast.Name)}
        callee = names.get(ast.unparse(node.value.func))
        if made & used and isinstance(callee, nn.Module) and all(isinstance(names.get(name), Tensor) for name in made):
            with suppress(Unreadable):
                args = tuple(read(arg, names) for arg in node.value.args)
                named = {keyword.arg: read(keyword.value, names) for keyword in node.value.keywords if keyword.arg}
                yield Candidate(unwrapped(callee), args, named, 0)


def _named(found: Candidate, caller: Moment) -> Candidate:
    """A layer's call under the name by which the caller's line calls it, at that line."""
    node = node_of(caller)
    if not isinstance(node, ast.Call) or not isinstance(found.callee, nn.Module):
        return found
    written = ast.unparse(node.func).split(".")[-1]
    name = written if written.isidentifier() else "layer"
    call: Any = ast.parse(f"lambda *args, **kwargs: {name}(*args, **kwargs)", mode="eval").body
    for part in ast.walk(call):
        ast.copy_location(part, node)
    function = _made(call, caller, {name: found.callee})
    function.__name__ = function.__qualname__ = name
    return replace(found, callee=Together(function))


def _expression(stack: list[Moment], lost: list[str]) -> Candidate | None:
    """The one expression or assignment that failed, with what its names stand for."""
    moment = stack[-1]
    node, names = _failed(moment), moment.names
    if node is None:
        return None
    parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
    if not all(readable(part, names) for part in (parts if isinstance(node, ast.stmt) else [node])):
        lost.append(f"the values in {ast.unparse(node)}")
        return None
    used = list(dict.fromkeys(part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in names))
    tensors = [name for name in used if any(isinstance(leaf, Tensor) for leaf in tree_flatten(names[name])[0])]
    function = _function_of(node, tensors, moment, {name: names[name] for name in used})
    return Candidate(function, tuple(names[name] for name in tensors), {}, len(stack) - 1)


def _failed(moment: Moment) -> ast.expr | ast.Assign | ast.AugAssign | None:
    """What failed there: an expression, or an assignment into a part of a tensor."""
    node = node_of(moment)
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return node
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        around = [part for part in ast.walk(tree_of(moment) or node) if isinstance(part, ast.Assign)]
        return next((part for part in around if part.targets == [node]), None)
    return node if isinstance(node, ast.expr) else None


def _function_of(node: Any, tensors: list[str], moment: Moment, names: Mapping[str, Any]) -> Callable[..., Any]:
    """A function of the tensors that does what a node says, at its own place in its own file."""
    arguments = ast.arguments([], [ast.arg(name) for name in tensors], None, [], [], None, [])
    if isinstance(node, ast.expr):
        function = _made(ast.copy_location(ast.Lambda(arguments, node), node), moment, names)
    else:
        function = _made(ast.FunctionDef("assigned", arguments, [node], [], lineno=1, col_offset=0), moment, names)
    function.__name__ = function.__qualname__ = ast.unparse(node)
    return function


def _made(node: ast.Lambda | ast.FunctionDef, moment: Moment, names: Mapping[str, Any]) -> types.FunctionType:
    """The function object of a definition; nothing of it is run."""
    held = {**names}
    if isinstance(node, ast.FunctionDef):
        tree: Any = ast.Module([node], [])
        exec(compile(ast.fix_missing_locations(tree), moment.file, "exec"), held)  # noqa: S102  # defines, no more
        function: types.FunctionType = held[node.name]
        return function
    tree = ast.Expression(ast.copy_location(node, node))
    made: types.FunctionType = eval(compile(ast.fix_missing_locations(tree), moment.file, "eval"), held)  # noqa: S307
    return made
