"""A trained network for use elsewhere, as ONNX or a ``torch.export`` archive, checked before it is written.

The batch is dynamic, and height and width are exactly as far as the derivation's domain lets them be.
"""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapeproof.data.dataset import Pictures, chunks
from shapeproof.errors import ShapeproofError, UsageError
from shapeproof.files import write_whole
from shapeproof.training.files import digest
from shapeproof.training.run import WEIGHTS, Run

OPSET = 18  # the exporter writes it without conversion, and onnxruntime reads it since 1.14 (2023)
BATCH = 500
Sizes = tuple[int, int | None]
Use = Callable[[Tensor], Tensor]


class DifferentError(ShapeproofError):
    """The exported network does not say what PyTorch says; nothing was written."""


@dataclass(frozen=True)
class Exported:
    """What was written, and how it was checked.

    Attributes:
        path: The file.
        form: ``"onnx"`` or ``"pt2"``.
        axes: The names of the input's axes; a number where one is fixed.
        ranges: For each name the least and greatest size, ``None`` for no limit.
        classes: How many scores come out.
        checked: On how many pictures it was compared with PyTorch.
        pictures: What those pictures are.
        difference: The greatest difference of a score.
        notes: What the user should know.
    """

    path: Path
    form: str
    axes: tuple[str, ...]
    ranges: dict[str, Sizes]
    classes: int
    checked: int
    pictures: str
    difference: float
    notes: tuple[str, ...] = ()


def export(run: Run, path: Path, pictures: Pictures, told: str) -> Exported:
    """Export a run's network to ``path``, whose ending says the form: ``.onnx`` or ``.pt2``.

    Args:
        run: The run.
        path: The file to write, whole or not at all.
        pictures: ``uint8 (N, C, H, W)`` on which both are compared.
        told: What these pictures are, for the record.

    Raises:
        UsageError: If PyTorch cannot export this network, or the file cannot be written.
        DifferentError: If one picture is told to be another class; nothing is written then.
    """
    form = path.suffix.removeprefix(".")
    ranges, notes = _ranges(run)
    program, ranges, more = _captured(run, ranges)
    facts = metadata(run, ranges)
    content = _onnx(program, facts) if form == "onnx" else _archive(program, facts)
    use = _onnx_use(content) if form == "onnx" else _archive_use(content)
    difference = _compared(run, use, pictures)
    edges = _at_the_edges(run, use, ranges)
    write_whole(path, content)
    axes = ("N", str(run.preparation.channels), *(_axis(run, ranges, place) for place in (0, 1)))
    return Exported(
        path, form, axes, {"N": (1, None), **ranges}, len(run.classes), len(pictures), told,
        max(difference, edges), (*notes, *more),
    )  # fmt: skip


def _axis(run: Run, ranges: dict[str, Sizes], place: int) -> str:
    name = "HW"[place]
    return name if name in ranges else str(run.preparation.shape[1 + place])


def _ranges(run: Run) -> tuple[dict[str, Sizes], tuple[str, ...]]:
    """How far height and width may go, solved by the derivation; none where the domain is no plain range."""
    from shapeproof import derive

    channels, height, width = run.preparation.shape
    found = derive(run.model, f"N,{channels},H={height},W={width}")
    domain = found.domain
    if domain is None or not domain.exact:
        return {}, ("height and width stay fixed: their domain could not be borne out",)
    box = next((box for box in domain.boxes if height in box["H"] and width in box["W"]), None)
    if box is None:
        return {}, ("height and width stay fixed: the domain is no plain range",)
    ranges = {}
    for name, size in (("H", height), ("W", width)):
        pieces = box[name].intervals
        piece = next((p for p in pieces if p[0] <= size and (p[1] is None or size <= p[1])), (size, size))
        if box[name].period > 1 or piece[0] == piece[1]:
            continue
        ranges[name] = piece
    return ranges, ()


def _captured(run: Run, ranges: dict[str, Sizes]) -> tuple[Any, dict[str, Sizes], tuple[str, ...]]:
    """The network as ``torch.export`` sees it, with height and width dynamic where it takes that."""
    try:
        return _program(run, ranges), ranges, ()
    except UsageError:
        if not ranges:
            raise
    note = "height and width stay fixed: torch.export does not take them as dynamic in this network"
    return _program(run, {}), {}, (note,)


def _program(run: Run, ranges: dict[str, Sizes]) -> Any:
    dynamic: dict[int, Any] = {0: torch.export.Dim("N", min=1)}
    for name, (low, high) in ranges.items():
        limits = {"min": low} if high is None else {"min": low, "max": high}
        dynamic[2 + "HW".index(name)] = torch.export.Dim(name, **limits)
    example = torch.zeros(2, *run.preparation.shape)
    try:
        with _silence():
            return torch.export.export(run.model, (example,), dynamic_shapes=(dynamic,))
    except Exception as error:  # the exporter raises of every kind
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"torch.export cannot capture {type(run.model).__name__}: {first}") from error


def metadata(run: Run, ranges: dict[str, Sizes]) -> dict[str, str]:
    """Everything a user of the file must know, as texts: classes, preparation, and which run it is."""
    record, wanted = run.record, run.preparation
    return {
        "classes": json.dumps(list(run.classes), ensure_ascii=False),
        "input": f"float32 (N, {', '.join(map(str, wanted.shape))}): cut {wanted.margin} pixels off each side, "
        "divide by 255, subtract mean, divide by std",
        "margin": str(wanted.margin),
        "mean": json.dumps(list(wanted.mean)),
        "std": json.dumps(list(wanted.std)),
        "output": "scores (logits); softmax gives probabilities",
        "sizes": json.dumps(ranges),
        "model": record["model"]["target"],
        "data": record["data"]["name"],
        "data_sha256": record["data"].get("sha256") or "",
        "seed": str(record.get("seed", "")),
        "recipe": json.dumps(record["recipe"], ensure_ascii=False),
        "test_accuracy": "" if run.accuracy is None else f"{run.accuracy:.4f}",
        "started": record.get("started", ""),
        "weights_sha256": digest((run.path / WEIGHTS).read_bytes()) if (run.path / WEIGHTS).is_file() else "",
        "shapeproof": record.get("versions", {}).get("shapeproof", ""),
    }


def _onnx(program: Any, facts: dict[str, str]) -> bytes:
    with _silence():
        made = torch.onnx.export(
            program, (), input_names=["pictures"], output_names=["scores"],
            opset_version=OPSET, dynamo=True, verbose=False, optimize=True,
        )  # fmt: skip
    assert made is not None
    proto = made.model_proto
    _name_axes(proto.graph)
    proto.producer_name = "shapeproof"
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=value)
    content: bytes = proto.SerializeToString()
    return content


def _name_axes(graph: Any) -> None:
    """The exporter's own symbols (``s77``) as N, H and W, wherever a shape names them."""
    axes = graph.input[0].type.tensor_type.shape.dim
    names = {axis.dim_param: "NCHW"[place] for place, axis in enumerate(axes) if axis.dim_param}
    for value in (*graph.input, *graph.value_info, *graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), axis.dim_param)


def _onnx_use(content: bytes) -> Use:
    import onnxruntime  # type: ignore[import-untyped]  # it ships no types

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(["scores"], {"pictures": x.numpy()})[0])


def _archive(program: Any, facts: dict[str, str]) -> bytes:
    target = io.BytesIO()
    with _silence():
        torch.export.save(program, target, extra_files={"shapeproof.json": json.dumps(facts, ensure_ascii=False)})
    return target.getvalue()


def _archive_use(content: bytes) -> Use:
    with _silence():
        module = torch.export.load(io.BytesIO(content)).module()
    return lambda x: module(x)


@torch.no_grad()
def _compared(run: Run, use: Use, pictures: Pictures) -> float:
    """The greatest difference of a score over all pictures; raises where one is another class."""
    greatest, other = 0.0, 0
    for part in chunks(pictures, BATCH):
        x = run.preparation(part)
        ours, theirs = run.model(x).float(), use(x).float()
        greatest = max(greatest, float((ours - theirs).abs().max()))
        other += int((ours.argmax(1) != theirs.argmax(1)).sum())
    if other:
        raise DifferentError(
            f"{other} of {len(pictures)} pictures are told to be another class than by PyTorch "
            f"(greatest difference {greatest:.2g}); nothing was written. Please report it."
        )
    return greatest


@torch.no_grad()
def _at_the_edges(run: Run, use: Use, ranges: dict[str, Sizes]) -> float:
    """The same at the least and greatest sizes, where a size that was frozen by mistake would show."""
    channels, height, width = run.preparation.shape
    generator, greatest = torch.Generator().manual_seed(0), 0.0
    for place in (0, 1):
        sizes = [_edge(ranges.get(name), size, place) for name, size in (("H", height), ("W", width))]
        x = torch.rand(1 + 2 * place, channels, *sizes, generator=generator)
        ours, theirs = run.model(x), use(x)
        if ours.shape != theirs.shape or not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3):
            raise DifferentError(f"at {tuple(x.shape)} the exported network differs from PyTorch; nothing was written")
        greatest = max(greatest, float((ours - theirs).abs().max()))
    return greatest


def _edge(limits: Sizes | None, size: int, place: int) -> int:
    if limits is None:
        return size
    low, high = limits
    return (low, 2 * size if high is None else high)[place]


@contextmanager
def _silence() -> Iterator[None]:
    """The exporters print and warn of their own inner workings; none of that helps a user."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def describe(exported: Exported) -> list[str]:
    """The lines that the command prints."""
    size = exported.path.stat().st_size / 2**20
    what = f"ONNX, opset {OPSET}" if exported.form == "onnx" else "torch.export archive"
    ranges = [_range_text(name, *limits) for name, limits in exported.ranges.items()]
    dims = ", ".join(exported.axes)
    return [
        f"wrote {exported.path}: {what}, {size:.1f} MB",
        f"input pictures float32 ({dims}), {', '.join(ranges)}",
        f"output scores float32 (N, {exported.classes})",
        f"checked on {exported.checked:,} pictures ({exported.pictures}): the same class as PyTorch on every one, "
        f"greatest difference of a score {exported.difference:.2g}",
        *exported.notes,
    ]


def _range_text(name: str, low: int, high: int | None) -> str:
    return f"{name} >= {low}" if high is None else f"{low} <= {name} <= {high}"
