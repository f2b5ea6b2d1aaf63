"""PyTorch's public name of an operation, from the function object that a function mode is handed, and other names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

# Python's operators and PyTorch's inner names, under the name that the documentation gives the operation.
_PUBLIC = {
    "radd": "add", "rsub": "sub", "rmul": "mul", "rdiv": "div", "rtruediv": "div", "truediv": "div", "idiv": "div",
    "rfloordiv": "floor_divide", "floordiv": "floor_divide", "ifloordiv": "floor_divide", "rpow": "pow", "ipow": "pow",
    "iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "imatmul": "matmul",
    "mod": "remainder", "rmod": "remainder", "imod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "iand": "bitwise_and", "ior": "bitwise_or", "ixor": "bitwise_xor",
    "invert": "bitwise_not", "alias": "detach", "lift_fresh_copy": "clone", "to_copy": "to",
    **{f"max_pool{n}d_with_indices": f"max_pool{n}d" for n in (1, 2, 3)},
    **{f"fractional_max_pool{n}d_with_indices": f"fractional_max_pool{n}d" for n in (2, 3)},
    **{f"adaptive_max_pool{n}d_with_indices": f"adaptive_max_pool{n}d" for n in (1, 2, 3)},
}  # fmt: skip

# Reflected operators whose bare names mean another operation, as ``torch.rand`` does.
_REFLECTED = {"rand": "bitwise_and", "ror": "bitwise_or", "rxor": "bitwise_xor"}

# Questions about a tensor: no operation, no step.
QUERIES = frozenset(
    [
        "size",
        "shape",
        "dim",
        "ndim",
        "ndimension",
        "numel",
        "nelement",
        "dtype",
        "device",
        "layout",
        "is_cuda",
        "is_cpu",
        "is_meta",
        "is_mps",
        "is_xla",
        "is_sparse",
        "is_quantized",
        "is_nested",
        "is_leaf",
        "requires_grad",
        "grad",
        "grad_fn",
        "names",
        "stride",
        "storage_offset",
        "data_ptr",
        "is_contiguous",
        "is_floating_point",
        "is_complex",
        "is_signed",
        "is_inference",
        "is_conj",
        "is_neg",
        "is_tensor",
        "element_size",
        "itemsize",
        "nbytes",
        "get_device",
        "format",
        "repr",
        "str",
        "hash",
        "len",
        "bool",
        "int",
        "float",
        "index",
        "item",
        "tolist",
        "numpy",
        "iter",
        "version",
        "backward",
        "register_hook",
        "is_shared",
        "is_same_size",
        "is_pinned",
        "storage",
        "untyped_storage",
        "data",
        "type_name",
        "dir",
        "deepcopy",
        "reduce_ex",
        "reduce",
        "setstate",
        "retains_grad",
        "has_names",
        "output_nr",
        "is_mkldnn",
        "is_vulkan",
        "is_xpu",
        "is_mtia",
        "is_maia",
        "is_ipu",
        "is_hpu",
        "volatile",
        "cdata",
        "base",
        "array",
        "is_autocast_enabled",
        "is_grad_enabled",
        "set_grad_enabled",
        "result_type",
        "can_cast",
        "promote_types",
        "get_default_dtype",
        "fake_quantize_per_tensor_affine_cachemask",
        "contains",
        "parse_to",
        "has_compatible_shallow_copy_type",
        "record_function_enter_new",
        "record_function_exit._RecordFunction",
        "assert",
        "assert_async",
        "assert_tensor_metadata",
        "record_stream",
    ]
)
_GETTERS_THAT_COMPUTE = frozenset({"T", "mT", "H", "mH", "real", "imag", "data"})


def public_name(func: Callable[..., Any]) -> tuple[str, bool]:
    """The documented name, and whether the operation writes into its first argument (``add_``, ``+=``)."""
    name = getattr(func, "__name__", type(func).__name__)
    if getattr(func, "namespace", "") == "aten":  # an inner operator, in one of its overloads
        name = name.split(".")[0]
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", "get")
        return _PUBLIC.get(name, name), False
    if name.startswith("__") and name.endswith("__"):
        bare = name[2:-2]
        if bare in _REFLECTED:
            return _REFLECTED[bare], False
        return _PUBLIC.get(bare, bare), (
            bare in _PUBLIC
            and bare.startswith("i")
            and bare
            not in (
                "invert",
                "index",
            )
        ) or bare in ("ilshift", "irshift")
    inplace = name.endswith("_") and not name.startswith("_")
    bare = name.strip("_")
    return _PUBLIC.get(bare, bare), inplace


def is_query(func: Callable[..., Any], name: str) -> bool:
    """Whether a call asks something of a tensor rather than computing one."""
    raw = getattr(func, "__name__", "")
    if raw == "__get__":
        return name not in _GETTERS_THAT_COMPUTE
    if raw in ("float", "int", "bool"):
        return False
    return raw == "__set__" or name in QUERIES


@functools.lru_cache(maxsize=4096)
def named(func: Callable[..., Any]) -> tuple[str, bool, bool]:
    """:func:`public_name` and :func:`is_query` of a function, looked up once."""
    name, inplace = public_name(func)
    return name, inplace, is_query(func, name)


@functools.cache
def dtype_name(dtype: Any) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def place_name(module: str, op: str, source: str) -> str:
    """Where a call stands, as messages begin: ``fc (linear) at net.py:13``; what is not known is left out."""
    return f"{module or 'the model'} ({op})" + (f" at {source}" if source else "")
