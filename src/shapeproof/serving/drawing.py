"""The drawing room: strokes to a picture, what the network says, and what each of its stages sees."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from shapeproof.derivation.model import Derivation, Step, plain_shape
from shapeproof.errors import UsageError
from shapeproof.serving.certainty import answer
from shapeproof.serving.opening import reads_digits, title
from shapeproof.serving.pictures import Pixels
from shapeproof.serving.preparing import Prepared, placed
from shapeproof.serving.reading import Reading, read_pixels
from shapeproof.training.run import Run

SIDE = 224  # pixels of the picture that strokes are drawn into: eight times the network's
MOST_STROKES = 400
MOST_POINTS = 20_000
MOST_MAPS = 128
MOST_SIDE = 64  # larger maps are shown smaller


@dataclass(frozen=True)
class Room:
    """A run made ready to be drawn for.

    Attributes:
        run: The network.
        derivation: Its derivation for one picture.
        stages: Names of the parts whose output is shown, in order.
    """

    run: Run
    derivation: Derivation
    stages: tuple[str, ...]


def furnish(run: Run) -> Room:
    """Derive the network for one picture and find its stages.

    Raises:
        UsageError: If the network does not run on the pictures that it was trained on.
    """
    from shapeproof import derive

    found = derive(run.model, (1, *run.preparation.shape))
    if found.verdict == "failed":
        raise UsageError(f"{run.path}: the network does not run on {run.preparation.spec}")
    return Room(run, found, _stages(run.model))


def _stages(model: nn.Module) -> tuple[str, ...]:
    """The largest parts that are told apart: a model's children, or those of its only child."""
    path, module = "", model
    while len(children := list(module.named_children())) == 1:
        path, module = f"{path}{children[0][0]}.", children[0][1]
    return tuple(f"{path}{name}" for name, _ in children)


def opening(room: Room) -> dict[str, Any]:
    """What the page shows of the network before anything is drawn."""
    run, found = room.run, room.derivation
    return {
        "title": title(run),
        "shipped": title(run) != str(run.path),
        "model": run.record["model"]["target"],
        "accuracy": run.accuracy,
        "parameters": found.cost.parameters,
        "macs": plain_shape(found.cost.macs),
        "classes": list(run.classes),
        "shape": list(run.preparation.shape),
        "margin": run.preparation.margin,
        "digits": reads_digits(run),
        "steps": len(found.steps),
        "proved": found.verdict == "proved",
        "stages": [_stage(found, name) for name in room.stages] + _rest(found, room.stages),
    }


def _stage(found: Derivation, name: str) -> dict[str, Any]:
    steps = [step for step in found.steps if step.module == name or step.module.startswith(f"{name}.")]
    seen = steps[-1].receptive_field if steps else None
    return {
        "name": name,
        "steps": [_told(step) for step in steps],
        "field": None if seen is None else seen.to_dict(),
    }


def _rest(found: Derivation, stages: tuple[str, ...]) -> list[dict[str, Any]]:
    """Steps that the model itself calls, such as a flatten: told, with nothing to show."""
    loose = [step for step in found.steps if not any(step.module.startswith(name) for name in stages)]
    return [{"name": "", "steps": [_told(step) for step in loose], "field": None}] if loose else []


def _told(step: Step) -> dict[str, Any]:
    return {
        "module": step.module,
        "op": step.op,
        "formula": step.formula,
        "arithmetic": step.arithmetic,
        "output": plain_shape(step.output),
        "verdict": step.verdict,
        "notes": list(step.notes),
        "windows": sizes_dropped(step),
        "index": step.index,
    }


def sizes_dropped(step: Step) -> list[list[int]]:
    """For each axis of a window: what goes in, what comes out, and how many elements at the end are dropped."""
    return [[int(w.size_in), int(w.size_out), int(w.dropped)] for w in step.windows]


def from_strokes(room: Room, value: Any) -> dict[str, Any]:
    """Read strokes: ``{"strokes": [[x, y, x, y, ...], ...], "width": w}``, all as shares of the drawing's side.

    Raises:
        UsageError: If they are no strokes, or too many.
    """
    ink = _drawn(*_strokes(value))
    if not reads_digits(room.run):
        return shown(room, read_pixels(room.run, np.repeat(ink[..., None], 3, axis=2)))
    prepared = placed(ink) if ink.max() > 0.5 else Prepared(np.zeros((28, 28), np.uint8), False)
    reading = Reading(prepared.seen, answer(room.run, prepared.seen, found=prepared.found), prepared)
    return shown(room, reading)


def _strokes(value: Any) -> tuple[list[list[float]], float]:
    if not isinstance(value, dict) or not isinstance(value.get("strokes"), list):
        raise UsageError("strokes are {strokes: [[x, y, ...], ...], width: w}")
    strokes, width = value["strokes"], value.get("width", 0.08)
    if len(strokes) > MOST_STROKES:
        raise UsageError(f"at most {MOST_STROKES} strokes are read, got {len(strokes)}")
    if not _number(width) or not 0.005 <= width <= 0.3:
        raise UsageError("width must be from 0.005 to 0.3")
    points = 0
    for stroke in strokes:
        if not isinstance(stroke, list) or len(stroke) % 2 or not all(map(_number, stroke)):
            raise UsageError("a stroke is a list of numbers, x and y in turn, from -1 to 2")
        points += len(stroke) // 2
    if points > MOST_POINTS:
        raise UsageError(f"at most {MOST_POINTS:,} points are read, got {points:,}")
    return strokes, float(width)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1 <= value <= 2


def _drawn(strokes: list[list[float]], width: float) -> Pixels:
    """Strokes with round ends, ``float32 (SIDE, SIDE)``, 0 to 1, softened by drawing at twice the size."""
    side = 2 * SIDE
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    pen = width * side
    for stroke in strokes:
        places = [(x * side, y * side) for x, y in zip(stroke[::2], stroke[1::2], strict=True)]
        draw.line(places, fill=255, width=max(1, round(pen)))
        for x, y in places:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / np.float32(255)


def shown(room: Room, reading: Reading) -> dict[str, Any]:
    """An answer and every stage's maps, as the page draws them."""
    told, prepared = reading.answer, reading.prepared
    return {
        "label": told.label,
        "name": told.name,
        "probabilities": [round(p, 5) for p in told.probabilities],
        "sure": told.sure,
        "reason": told.reason,
        "other": told.other,
        "seen": _picture(reading.seen),
        "placed": None
        if prepared is None
        else {"scale": list(prepared.scale), "offset": list(prepared.offset), "dark": prepared.dark_on_light},
        "maps": _maps(room, reading.seen) if told.label is not None else {},
    }


def _picture(seen: Any) -> dict[str, Any]:
    grey = seen if seen.ndim == 2 else seen.mean(axis=2).astype(np.uint8)
    return {"shape": list(grey.shape), "data": base64.b64encode(np.ascontiguousarray(grey).tobytes()).decode()}


@torch.no_grad()
def _maps(room: Room, seen: Any) -> dict[str, Any]:
    """What each stage gives for a picture: ``uint8`` maps scaled over the whole stage."""
    model, found = room.run.model, {}
    planes = seen[None] if seen.ndim == 2 else np.ascontiguousarray(seen.transpose(2, 0, 1))
    x = room.run.preparation(torch.as_tensor(planes)[None])
    kept: dict[str, Tensor] = {}

    def keeping(name: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                kept[name] = output

        return keep

    hooks = [model.get_submodule(name).register_forward_hook(keeping(name)) for name in room.stages]
    try:
        model(x)
    finally:
        for hook in hooks:
            hook.remove()
    for name, output in kept.items():
        if output.dim() == 4:
            found[name] = _sheet(output[0])
    return found


def _sheet(maps: Tensor) -> dict[str, Any]:
    shape = list(maps.shape)
    maps = maps[:MOST_MAPS].float()
    if max(shape[1:]) > MOST_SIDE:
        maps = torch.nn.functional.adaptive_avg_pool2d(maps, min(MOST_SIDE, *shape[1:]))
    low, high = float(maps.min()), float(maps.max())
    scaled = ((maps - low) * (255 / (high - low) if high > low else 0)).to(torch.uint8)
    data = base64.b64encode(scaled.contiguous().numpy().tobytes()).decode()
    return {"shape": shape, "stored": list(scaled.shape), "low": round(low, 4), "high": round(high, 4), "data": data}
