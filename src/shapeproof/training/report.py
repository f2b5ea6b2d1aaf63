"""``report.html``: the run on one page, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from shapeproof.errors import UsageError
from shapeproof.render.live import Live
from shapeproof.render.page import header, page, skip
from shapeproof.render.strings import said
from shapeproof.training import files, report_parts
from shapeproof.training.evaluate import evaluate
from shapeproof.training.preparation import Preparation
from shapeproof.training.run import METRICS, REPORT, Run, predictions, read_metrics, read_record

if TYPE_CHECKING:
    from shapeproof.data.dataset import Pictures


@dataclass(frozen=True)
class Tested:
    """A trained network, and what it says of the test pictures.

    Attributes:
        model: The network.
        images: The test pictures, ``uint8 (N, C, H, W)``; none where the data cannot be read.
        labels: ``int64 (N,)``.
        chances: Its probabilities for them, ``float (N, classes)``; ``None`` where it was not measured.
        why: What stood in the way of measuring, in words.
    """

    model: nn.Module
    images: Pictures | None = None
    labels: Tensor | None = None
    chances: Tensor | None = None
    why: str = ""


def write(path: Path, tested: Tested | None = None) -> None:
    """Write the report of a run directory, with as much as is known of it."""
    files.write_text(path / REPORT, made(path, read_record(path), read_metrics(path / METRICS), tested))


def measure(run: Run, data: str | None = None, root: Path | None = None) -> Tested:
    """Measure a run on its test pictures; where they cannot be read, say why, and go on without.

    Raises:
        UsageError: If the run has no weights, or another network's.
    """
    model = run.model
    try:
        found = run.load_data(data, root)
        if not len(found.test_labels):
            return Tested(model, why="the data has no test pictures")
        chances = predictions(model, run.preparation, found.test_images)
    except UsageError as error:
        return Tested(model, why=str(error))
    return Tested(model, found.test_images, found.test_labels, chances)


def made(path: Path, record: dict[str, Any], metrics: list[dict[str, Any]], tested: Tested | None = None) -> str:
    """The page of a record and its metrics; a part that cannot be made says so, and the others stand."""
    live, extra = Live(), _Embedded()
    body = [part("run.curves", lambda: report_parts.curves([("", metrics)]))]
    found = None
    if tested is not None:
        if tested.chances is not None and tested.labels is not None:
            found = evaluate(tested.chances, tested.labels, tuple(record["data"]["classes"]))
        body += _measured(record, tested, found)
    body.append(part("run.how", lambda: report_parts.how(path, record)))
    if tested is not None:
        body.append(_guarded(lambda: extra.derivation(tested.model, record, live), "run.derivation"))
    facts = _guarded(lambda: report_parts.facts(record, found), "run.glance")
    top = header(escape(str(record["model"]["target"])), report_parts.state(record))
    whole = f"{skip('main')}{top}<main id='main' tabindex='-1'>{facts}{''.join(body)}</main>"
    return page(f"{record['model']['target']}: {path.name}", whole, {**extra.data, **live.tables()}, extra.style)


def _measured(record: dict[str, Any], tested: Tested, found: Any) -> list[str]:
    """What can be shown of the trained network."""
    parts = []
    if found is None:
        why = tested.why or "-"
        parts.append(f'<section class="doubt">{said("run.unmeasured", "p", why=why)}</section>')
    else:
        images = tested.images
        parts += [
            part("run.classes", lambda: report_parts.classes(found)),
            part("run.confusion", lambda: report_parts.confusion(found)),
            part("run.mistakes", lambda: report_parts.mistakes(found, images)),
        ]
    preparation = Preparation.from_dict(record["preparation"])
    parts.append(part("run.filters", lambda: report_parts.filters(tested.model)))
    if tested.images is not None and tested.labels is not None:
        names = tuple(record["data"]["classes"])
        images, labels = tested.images, tested.labels
        parts.append(part("run.stages", lambda: report_parts.through(tested.model, preparation, images, labels, names)))
    return parts


class _Embedded:
    """The derivation within the report, and what the page's script and style need for it."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.style = ""

    def derivation(self, model: nn.Module, record: dict[str, Any], live: Live) -> str:
        from shapeproof.derivation.derive import derive
        from shapeproof.render import html

        spec = Preparation.from_dict(record["preparation"]).spec
        found = derive(model, spec)
        inside = html.section(found, live)
        self.data, self.style = html.data(found, live), html.style(found)
        return f"<section><h2>{said('run.derivation')}</h2></section>{inside}"


def part(title: str, make: Callable[[], str]) -> str:
    """A section with a title, a key of the strings; empty where there is nothing to show."""
    return _guarded(lambda: _section(title, make()), title)


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{said(title)}</h2>{inside}</section>" if inside else ""


def _guarded(make: Callable[[], str], title: str) -> str:
    """What is made, or that it could not be."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001  # models and data are the user's: one part fails alone
        why = f"{type(error).__name__}: {error}"
        return f'<section class="doubt"><h2>{said(title)}</h2>{said("run.part", "p", why=why[:300])}</section>'
