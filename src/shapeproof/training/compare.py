"""Several runs on one page, side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from typing import Any

from shapeproof.render.page import header, page, skip
from shapeproof.render.strings import said
from shapeproof.training import report_parts
from shapeproof.training.evaluate import Evaluation, evaluate
from shapeproof.training.report import Tested, part
from shapeproof.training.run import Run


def made(runs: Sequence[Run], tested: Sequence[Tested]) -> str:
    """The page that compares runs: figures, curves, classes, and the settings in which they differ."""
    names = _names(runs)
    found = [_measured(run, one) for run, one in zip(runs, tested, strict=True)]
    curves = [(escape(name), run.metrics) for name, run in zip(names, runs, strict=True)]
    parts = [
        part("run.glance", lambda: _figures(names, runs, found)),
        part("run.curves", lambda: report_parts.curves(curves)),
        part("run.differs", lambda: _differences(names, runs)),
        part("run.classes", lambda: _classes(names, found)),
    ]
    told = f'<p class="hint">{", ".join(f"<code>{escape(name)}</code>" for name in names)}</p>'
    top = header(said("run.compare"), told)
    body = f"{skip('main')}{top}<main id='main' tabindex='-1'>{''.join(parts)}</main>"
    return page(", ".join(names), body)


def _names(runs: Sequence[Run]) -> list[str]:
    """The shortest names that tell the runs apart."""
    short = [run.path.resolve().name for run in runs]
    if len(set(short)) == len(short):
        return short
    base = os.path.commonpath([run.path.resolve().parent for run in runs])
    return [str(run.path.resolve().relative_to(base)) for run in runs]


def _measured(run: Run, tested: Tested) -> Evaluation | None:
    if tested.chances is None or tested.labels is None:
        return None
    return evaluate(tested.chances, tested.labels, run.classes)


def _table(names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Rows of HTML cells below the runs' names; a row's own name is HTML too."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    lines = "".join(f'<tr><th scope="row">{name}</th>{"".join(map(_cell, cells))}</tr>' for name, cells in rows)
    return f'<div class="wide"><table class="sideways"><tr><td></td>{head}</tr>{lines}</table></div>'


def _cell(inside: str) -> str:
    return inside if inside.startswith("<td") else f"<td>{inside}</td>"


def _figures(names: Sequence[str], runs: Sequence[Run], found: Sequence[Evaluation | None]) -> str:
    finals: list[dict[str, Any]] = [run.record.get("final", {}) for run in runs]
    shares = [one.accuracy if one else run.accuracy for one, run in zip(found, runs, strict=True)]
    rows = [
        (said("run.accuracy"), _best(shares)),
        (said("run.loss"), [f"{one.loss:.4f}" if one else "-" for one in found]),
        (said("run.calibration"), [f"{100 * one.calibration_error:.2f} %" if one else "-" for one in found]),
        (said("run.time"), [f"{f['train_seconds']:,.1f} s" if "train_seconds" in f else "-" for f in finals]),
        (said("run.speed"), [f"{f['images_per_second']:,.0f}" if "images_per_second" in f else "-" for f in finals]),
        (said("run.network"), [escape(run.record["model"]["target"]) for run in runs]),
        (said("parameters"), [f"{run.record['model']['parameters']:,}" for run in runs]),
        (said("run.data"), [escape(run.record["data"]["name"]) for run in runs]),
        (said("run.recipe"), [escape(run.record["recipe"]["name"]) for run in runs]),
        (said("run.seed"), [str(run.record.get("seed", "-")) for run in runs]),
    ]  # fmt: skip
    return _table(names, rows)


def _best(shares: Sequence[float | None]) -> list[str]:
    """Shares in per cent, the highest marked."""
    top = max((share for share in shares if share is not None), default=None)
    return [
        "-" if share is None else f"<td{' class=best' if share == top else ''}>{100 * share:.2f} %</td>"
        for share in shares
    ]


def _differences(names: Sequence[str], runs: Sequence[Run]) -> str:
    """Only what is not the same in all runs."""
    found = [report_parts.settings(run.record) for run in runs]
    keys = dict.fromkeys(key for settings in found for key in settings)
    rows = [
        (escape(key), [escape(settings.get(key, "-")) for settings in found])
        for key in keys
        if len({settings.get(key) for settings in found}) > 1
    ]
    alike = f'<p class="hint">{said("run.alike")}</p>'
    return (_table(names, rows) if rows else "") + alike


def _classes(names: Sequence[str], found: Sequence[Evaluation | None]) -> str:
    """How each run fares with each class, for the classes that they share."""
    scores = [{score.name: score.recall for score in one.classes} if one else {} for one in found]
    keys = dict.fromkeys(key for one in scores for key in one)
    return _table(names, [(escape(key), _best([one.get(key) for one in scores])) for key in keys]) if keys else ""
