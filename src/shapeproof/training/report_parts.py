"""The parts of a run's report, each HTML made from the record, the metrics or the trained network."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shapeproof.render.charts import Line, Point, bars, chart
from shapeproof.render.strings import said
from shapeproof.training.board import stretched
from shapeproof.training.evaluate import Evaluation, wilson
from shapeproof.training.images import MOST, as_bytes, data_uri, maps, sheet
from shapeproof.training.preparation import Preparation
from shapeproof.training.stages import Stage, stages

if TYPE_CHECKING:
    from shapeproof.data.dataset import Pictures

MOST_MISTAKES = 24
MOST_CLASSES = 26  # beyond that, a table of all pairs cannot be read


def state(record: dict[str, Any]) -> str:
    """How the run ended, as the line below the title."""
    status = record.get("status", "running")
    look = {"finished": "proved", "diverged": "failed"}.get(status, "incomplete")
    key = f"run.{status}" if status in ("finished", "stopped", "diverged") else "run.running"
    accuracy = record.get("final", {}).get("test_accuracy")
    figure = "" if accuracy is None else f" {100 * accuracy:.2f} %"
    return f'<p class="verdict {look}">{said(key)}{figure}</p>'


def facts(record: dict[str, Any], found: Evaluation | None) -> str:
    """The figures that one looks for first."""
    final, rows = record.get("final", {}), []
    if found is not None:
        low, high = (f"{100 * end:.2f}" for end in found.interval)
        interval = said("run.interval", "small", low=low, high=high, count=f"{found.count:,}")
        rows.append(("run.accuracy", f"{100 * found.accuracy:.2f} %<br>{interval}"))
        rows.append(("run.loss", f"{found.loss:.4f}"))
        rows.append(("run.calibration", f"{100 * found.calibration_error:.2f} %"))
    elif "test_accuracy" in final:
        rows.append(("run.accuracy", f"{100 * final['test_accuracy']:.2f} %"))
    rows.append(("run.network", f"{escape(record['model']['class'])}"))
    rows.append(("parameters", f"{record['model']['parameters']:,}"))
    rows.append(("run.data", escape(record["data"]["name"])))
    rows.append(("run.recipe", escape(record["recipe"]["name"])))
    rows.append(("run.seed", str(record.get("seed", "-"))))
    seconds = final.get("train_seconds", record.get("train_seconds"))
    if seconds is not None:
        rows.append(("run.time", f"{seconds:,.1f} s"))
    if "images_per_second" in final:
        rows.append(("run.speed", f"{final['images_per_second']:,.0f}"))
    listed = "".join(f"<div>{said(key, 'dt')}<dd>{value}</dd></div>" for key, value in rows)
    return f'<section class="facts"><h2 class="unseen">{said("run.glance")}</h2><dl>{listed}</dl></section>'


def curves(runs: Sequence[tuple[str, list[dict[str, Any]]]]) -> str:
    """Loss and accuracy over the epochs, of one run or of several in one picture each; the runs' names are HTML."""
    loss, accuracy = [], []
    for place, (name, metrics) in enumerate(runs):
        lead = f"{name}: " if name else ""
        steps = [line for line in metrics if line.get("kind") == "step"]
        seen = [line for line in metrics if line.get("kind") in ("step", "epoch", "end")]
        alone = len(runs) == 1
        if alone:
            loss.append(Line(said("run.step"), _points(steps, "loss"), 5))
        ends = [line for line in seen if line["kind"] == "epoch"] or steps
        loss.append(Line(lead + said("run.train"), _points(ends, "loss"), place))
        loss.append(Line(lead + said("run.validation"), _points(seen, "validation_loss"), place + alone, dashed=True))
        accuracy.append(Line(lead + said("run.train"), _points(seen, "accuracy"), place))
        held = _points(seen, "validation_accuracy")
        accuracy.append(Line(lead + said("run.validation"), held, place + alone, dashed=True))
    left = chart(loss, "run.loss.curve", "run.epochs", log=True)
    right = chart(accuracy, "run.accuracy.curve", "run.epochs", percent=True)
    return f'<div class="charts">{left}{right}</div>'


def _points(lines: list[dict[str, Any]], key: str) -> list[Point]:
    """One figure over the epochs done, for the lines that have it."""
    kept = [line for line in lines if isinstance(line.get(key), int | float) and line.get("iterations")]
    return [(line["epoch"] - 1 + line["iteration"] / line["iterations"], float(line[key])) for line in kept]


def classes(found: Evaluation) -> str:
    """Each class: how many of its pictures were told right, with the interval."""
    rows: list[tuple[str, float | None, tuple[float, float] | None, str]] = []
    for score in found.classes:
        if score.recall is None:
            rows.append((score.name, None, None, "-"))
            continue
        hits = round(score.recall * score.count)
        text = f"{100 * score.recall:.2f} % ({hits:,} / {score.count:,})"
        rows.append((score.name, score.recall, wilson(hits, score.count), text))
    head = f"<tr>{said('run.class', 'th')}{said('run.right', 'th')}<th></th></tr>"
    return f'<p class="hint">{said("run.classes.hint")}</p><table class="shares">{head}{bars(rows)}</table>'


def confusion(found: Evaluation) -> str:
    """Which class was taken for which: a table, or the commonest pairs where there are many classes."""
    names = [score.name for score in found.classes]
    if len(names) > MOST_CLASSES:
        return _commonest(found, names)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = []
    for true, line in enumerate(found.confusion):
        total = max(1, sum(line))
        cells = "".join(
            f'<td class="{"hit" if true == told else "miss"}" style="--s:{(n / total) ** 0.5:.3f}">{n or ""}</td>'
            for told, n in enumerate(line)
        )
        rows.append(f'<tr><th scope="row">{escape(names[true])}</th>{cells}</tr>')
    return (
        f'<p class="hint">{said("run.confusion.hint")}</p><div class="wide">'
        f'<table class="confusion"><tr><td></td>{head}</tr>{"".join(rows)}</table></div>'
    )


def _commonest(found: Evaluation, names: list[str], most: int = 30) -> str:
    pairs = [(n, a, b) for a, line in enumerate(found.confusion) for b, n in enumerate(line) if a != b and n]
    rows = (
        said("run.confused", "li", true=names[a], told=names[b], count=n)
        for n, a, b in sorted(pairs, key=lambda pair: -pair[0])[:most]
    )
    return f"<ol>{''.join(rows)}</ol>"


def mistakes(found: Evaluation, images: Pictures | None) -> str:
    """The pictures that were told wrong with the most confidence."""
    if not found.mistakes:
        return said("run.perfect", "p")
    shown = found.mistakes[:MOST_MISTAKES]
    figures = []
    for mistake in shown:
        true, told = found.classes[mistake.true].name, found.classes[mistake.told].name
        words = said("run.mistake", "b", true=true, told=told)
        sure = said("run.sure", "small", share=f"{100 * mistake.confidence:.1f}", n=mistake.index)
        picture = ""
        if images is not None:
            address = data_uri(images[mistake.index])
            picture = f'<img src="{address}" alt="{escape(true)}" class="pixels" width="84" height="84">'
        figures.append(f"<figure>{picture}<figcaption>{words}<br>{sure}</figcaption></figure>")
    hint = said("run.mistakes.hint", count=f"{len(found.mistakes):,}", total=f"{found.count:,}")
    return f'<p class="hint">{hint}</p><div class="gallery">{"".join(figures)}</div>'


def filters(model: nn.Module) -> str:
    """The kernels of the first convolution; empty for a network without one."""
    first = next(((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        return ""
    name, layer = first
    kernels = as_bytes(stretched(layer.weight))
    picture = sheet(kernels[:MOST], columns=16)
    hint = said("run.filters.hint", count=len(kernels), module=name or type(model).__name__)
    height, width = picture.shape[1:]
    scale = max(1, 8 if layer.kernel_size[0] > 3 else 12)
    return (
        f'<p class="hint">{hint}</p><img src="{data_uri(picture)}" alt="" class="pixels" '
        f'style="width:{width * scale}px;aspect-ratio:{width}/{height}">'
    )


def through(
    model: nn.Module, preparation: Preparation, images: Pictures, labels: Tensor, names: tuple[str, ...], place: int = 0
) -> str:
    """The feature maps of one test picture at the end of each stage, with their sizes."""
    picture = images[place]
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    found, note = _whole_or_cut(model, preparation, picture[None].to(device))
    height, width = picture.shape[1:]
    figures = [_figure(data_uri(picture), f"{height}x{width}x{picture.shape[0]}", "", 112 / width, width, height)]
    for stage in found:
        count, height, width = stage.maps.shape
        made = sheet(maps(stage.maps), columns=None if height > 1 else 32)
        more = said("run.first", shown=MOST, count=count) if count > MOST else ""
        told = f"<code>{escape(stage.module)}</code> {more}"
        rows, columns = made.shape[1:]
        scale = max(1.0, min(8.0, 460 / columns))
        figures.append(_figure(data_uri(made), f"{height}x{width}x{count}", told, scale, columns, rows))
    hint = said("run.stages.hint", n=place, true=names[int(labels[place])])
    return f'<p class="hint">{hint} {note}</p><div class="stages">{"".join(figures)}</div>'


def _whole_or_cut(model: nn.Module, preparation: Preparation, picture: Tensor) -> tuple[list[Stage], str]:
    """The stages of a whole picture; where the network cannot read it whole, of the part that it was trained on."""
    if not preparation.margin:
        return stages(model, preparation(picture)), ""
    _, height, width = preparation.shape
    try:
        found = stages(model, preparation.scaled(picture))
    except (RuntimeError, ValueError):  # a size that it does not run on
        return stages(model, preparation(picture)), ""
    return found, said("run.whole", size=f"{height}x{width}")


def _figure(address: str, size: str, told: str, scale: float, width: int, height: int) -> str:
    style = f"width:{width * scale:.0f}px;aspect-ratio:{width}/{height}"
    return (
        f'<figure><img src="{address}" alt="{size}" class="pixels" style="{style}">'
        f"<figcaption><b>{size}</b> {told}</figcaption></figure>"
    )


def settings(record: dict[str, Any]) -> dict[str, str]:
    """Everything that decides the result, by name, as text."""
    asked = record.get("asked", {})
    chosen = record["model"].get("settings") or {}
    found: dict[str, Any] = {
        "model": record["model"]["target"], **{f"model {key}": value for key, value in chosen.items()},
        "data": record["data"]["name"], "data sha256": record["data"].get("sha256"), "seed": record.get("seed"),
        **{f"recipe {key}": value for key, value in record["recipe"].items()},
        **{key: asked[key] for key in ("validation", "reading") if asked.get(key)},
        **{f"version of {key}": value for key, value in record.get("versions", {}).items()},
        **{key: record["machine"][key] for key in ("device", "processor", "threads", "processes", "arithmetic")
           if key in record.get("machine", {})},
    }  # fmt: skip
    return {key: str(value) for key, value in found.items() if value is not None}


def how(path: Path, record: dict[str, Any]) -> str:
    """The commands that repeat or continue the run, and all settings."""
    name = shlex.quote(str(path))
    lines = [said("run.repeat") + f" <code>shapeproof train --repeat {escape(name)}</code>"]
    if record.get("status") != "finished":
        lines.insert(0, said("run.continue") + f" <code>shapeproof train --resume {escape(name)}</code>")
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in settings(record).items())
    told = "".join(f"<p>{line}</p>" for line in lines)
    notes = "".join(f'<p class="plain">{escape(str(note))}</p>' for note in record.get("notes", []))
    same = f'<p class="hint">{said("run.same")}</p>'
    return f'{told}{same}{notes}<details>{said("run.settings", "summary")}<dl class="settings">{rows}</dl></details>'
