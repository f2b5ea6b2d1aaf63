"""Which exceptions are about shapes, judged from the recorded call and the place, never from the message."""

from __future__ import annotations

import linecache
import traceback
from pathlib import Path

from torch import Tensor, nn
from torch.utils._pytree import tree_map

from shapeproof.capture.source import is_ours, source_line
from shapeproof.capture.trace import Call, Trace
from shapeproof.rules.registry import Violation

_TABLES = ("embedding", "cross_entropy", "nll_loss")  # an index beyond the table, or beyond the classes
_LAYERS = Path(nn.modules.__file__).parent


def about_shapes(trace: Trace, error: Exception) -> bool:
    """Whether an exception is a shape error, judged from the call and the place, never from the message."""
    refusals = (RuntimeError, ValueError, IndexError, AssertionError)  # attention asserts its sizes
    last = trace.calls[-1] if trace.calls else None
    if last is not None and last.error is error:
        if last.violation is not None or (last.op in _TABLES and isinstance(error, IndexError)):
            return True
        return last.derived is None and isinstance(error, refusals) and _refused_without_values(last)
    unwritten = isinstance(error, NotImplementedError)  # a forward of another name, say
    return isinstance(error, refusals) and not unwritten and _reads_sizes(error)


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
    """Whether a layer of PyTorch's own raised, or a line, or the test above its ``raise``, that speaks of sizes."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_ours(frame.filename)]
    if not frames:
        return False
    last = frames[-1]
    number = last.lineno or 1
    lines = [linecache.getline(last.filename, n) for n in range(max(1, number - 3), number + 1)]
    text = lines[-1] if "raise" not in lines[-1] else "".join(lines)
    if Path(last.filename).parent == _LAYERS:
        return not any(word in text for word in ("dtype", "device"))
    return any(word in text for word in (".shape", ".size(", ".dim()", ".ndim", ".numel("))


def python_failure(trace: Trace) -> Call | None:
    """A shape error raised by Python code, PyTorch's or the user's, outside any operation, as a call that failed."""
    if trace.error is None or (trace.calls and trace.calls[-1].error is trace.error):
        return None
    tb = trace.error.__traceback__
    frames = []
    while tb is not None:
        frames.append(tb.tb_frame)
        tb = tb.tb_next
    before = trace.calls[-1] if trace.calls else None
    call = Call(frames[-1].f_code.co_name.strip("_"), trace.inside, source_line(frames[-1]), ())
    call.error = trace.error if isinstance(trace.error, Exception) else None
    owner = frames[-1].f_locals.get("self")
    call.violation = Violation("rank", "sizes that the model's own check accepts", str(trace.error))
    call.op = type(owner).__name__ if isinstance(owner, nn.Module) else call.op
    checked_input = frames[-1].f_locals.get("input")  # the name that PyTorch's own checks give it
    if isinstance(checked_input, Tensor):
        call.inputs = (tuple(checked_input.shape),)
    else:
        call.inputs = before.inputs[:1] if before else ()
    return call
