"""Which exceptions are about shapes, judged from the recorded call and the place, never from the message."""

from __future__ import annotations

import ast
import dis
import linecache
import traceback
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from shapeproof.capture.source import is_ours, source_line
from shapeproof.capture.trace import Call, Trace
from shapeproof.dims import ceil_div
from shapeproof.dims.conditions import Condition, relation
from shapeproof.rules.registry import Violation

_TABLES = ("embedding", "cross_entropy", "nll_loss")  # an index beyond the table, or beyond the classes
_IN_PIECES = frozenset("unbind split chunk tensor_split hsplit vsplit dsplit".split())
_LAYERS = Path(nn.modules.__file__).parent
_ASSERTING = frozenset([str(torch.__file__), str(torch.overrides.__file__)])  # they raise what their caller finds wrong


def about_shapes(trace: Trace, error: Exception) -> bool:
    """Whether an exception is a shape error, judged from the call and the place, never from the message."""
    refusals = (RuntimeError, ValueError, IndexError, AssertionError)  # attention asserts its sizes
    last = trace.calls[-1] if trace.calls else None
    if last is not None and last.error is error:
        if last.violation is not None and last.violation.code == "dtype":
            return False  # its sizes fit
        if last.violation is not None or (last.op in _TABLES and isinstance(error, IndexError)):
            return True
        return last.derived is None and isinstance(error, refusals) and _refused_without_values(last)
    if _unpacking(trace, error) or (_asked(error) == "size" and isinstance(error, IndexError)):
        return True
    unwritten = isinstance(error, NotImplementedError)  # a forward of another name, say
    return isinstance(error, refusals) and not unwritten and _reads_sizes(error)


def _unpacking(trace: Trace, error: BaseException) -> Condition | None:
    """What ``a, b, c = x`` needs of a tensor, or of its pieces: as many as there are names; ``None`` otherwise."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    last = trace.calls[-1] if trace.calls else None
    if tb is None or last is None or last.op not in _IN_PIECES or not isinstance(error, ValueError):
        return None
    code = tb.tb_frame.f_code.co_code
    parts, names = _pieces(last), code[tb.tb_lasti + 1]
    unpacks = dis.opname[code[tb.tb_lasti]] == "UNPACK_SEQUENCE" and names != int(parts)
    return Condition(relation("==", parts, names), "unpack") if unpacks else None


def _pieces(call: Call) -> int:
    """How many tensors a call gave; with letters, where a size is the number, or divided by a plain one."""
    given, named = call.asked or ((), {})
    shape = call.inputs[0]
    if call.op == "unbind" and given:
        return shape[int(named.get("dim", (*given, 0)[1]))]
    each = named.get("split_size", (*given, None)[1]) if call.op == "split" and given else None
    if isinstance(each, int) and each:
        return ceil_div(shape[int(named.get("dim", (*given, 0)[2]))], each)
    return len(call.output)


def _asked(error: BaseException) -> str:
    """What a tensor was asked for when it raised, such as ``size``; ``""`` for any other failure."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    if tb is None or not is_ours(tb.tb_frame.f_code.co_filename):
        return ""
    return str(tb.tb_frame.f_locals.get("name", ""))


def _refused_without_values(call: Call) -> bool:
    """Whether PyTorch refuses the call on tensors of these sizes that have no values: no value can be the reason."""
    assert call.refused is not None
    func, args, kwargs = call.refused
    args, kwargs = tree_map(lambda leaf: leaf.detach().to("meta") if isinstance(leaf, Tensor) else leaf, (args, kwargs))
    try:
        func(*args, **kwargs)
    except Exception:  # noqa: BLE001  # refused again; what has no such form is taken to be about sizes
        return True
    return False


def _reads_sizes(error: Exception) -> bool:
    """Whether a layer of PyTorch's own raised, or a line, or the tests above its ``raise``, that speak of sizes."""
    told = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in told if not is_ours(frame.filename) and frame.filename not in _ASSERTING]
    if not frames:
        return False
    last = frames[-1]
    text = decided_by("".join(linecache.getlines(last.filename)), last.lineno or 1)
    if Path(last.filename).parent == _LAYERS:
        return not any(word in text for word in ("dtype", "device"))
    return any(word in text for word in (".shape", ".size(", ".dim()", ".ndim", ".numel("))


def decided_by(source: str, line: int) -> str:
    """What decided that a line raised: its statement, or the tests around a ``raise``, and what their names hold."""
    try:
        around = [node for node in ast.walk(ast.parse(source)) if _holds(node, line)]
    except SyntaxError:
        return ""
    statements = [node for node in around if isinstance(node, ast.stmt)]
    functions = [node for node in around if isinstance(node, ast.FunctionDef)]
    if not statements:
        return ""
    deciding: list[ast.AST] = [statements[-1]]
    if isinstance(statements[-1], ast.Raise):
        inside = statements[statements.index(functions[-1]) :] if functions else statements
        deciding = [node.test for node in inside if isinstance(node, (ast.If, ast.While))]
    names = {node.id for part in deciding for node in ast.walk(part) if isinstance(node, ast.Name)}
    assigned = [node for node in ast.walk(functions[-1]) if isinstance(node, ast.Assign)] if functions else []
    given = [node for node in assigned if names & _targets(node)]
    return "\n".join(map(ast.unparse, (*deciding, *given)))


def _holds(node: ast.AST, line: int) -> bool:
    return isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)


def _targets(node: ast.Assign) -> set[str]:
    return {part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)}


def said_by(error: BaseException | None) -> str:
    """What an exception says, without the traceback that TorchScript puts into its text."""
    text = str(error).strip()
    return text.rsplit("\n", 1)[-1] if "Traceback of TorchScript" in text else text


def python_failure(trace: Trace) -> Call | None:
    """A shape error raised by Python code, PyTorch's or the user's, outside any operation, as a call that failed."""
    if trace.error is None or (trace.calls and trace.calls[-1].error is trace.error):
        return None
    tb = trace.error.__traceback__
    frames = []
    while tb is not None:
        frames.append(tb.tb_frame)
        tb = tb.tb_next
    if frames[-1].f_code.co_filename in _ASSERTING:  # ``torch._assert``, which came by us on its way
        places = [(frame, frame.f_code.co_filename) for frame in frames]
        frames = [frame for frame, file in places if not is_ours(file) and file not in _ASSERTING] or frames
    before = trace.calls[-1] if trace.calls else None
    call = Call(_asked(trace.error) or frames[-1].f_code.co_name.strip("_"), trace.inside, source_line(frames[-1]), ())
    call.error = trace.error if isinstance(trace.error, Exception) else None
    owner = frames[-1].f_locals.get("self")
    call.violation = Violation("rank", "sizes that the model's own check accepts", said_by(trace.error))
    unpacked = _unpacking(trace, trace.error)
    if unpacked is not None:
        wanted, came = unpacked.relation.right, unpacked.relation.left
        whole = before is not None and before.op == "unbind" and _pieces(before) is before.inputs[0][0]
        what = f"a first dimension of {wanted}" if whole else f"{wanted} pieces"
        call.violation = Violation("unpack", f"{what}, one for each name", str(came), unpacked)
        call.op = "unpack"
    call.op = type(owner).__name__ if isinstance(owner, nn.Module) and unpacked is None else call.op
    checked_input = frames[-1].f_locals.get("input")  # the name that PyTorch's own checks give it
    if isinstance(checked_input, Tensor):
        call.inputs = (tuple(checked_input.shape),)
    else:
        call.inputs = before.inputs[:1] if before else ()
    return call
