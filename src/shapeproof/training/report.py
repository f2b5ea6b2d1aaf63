"""``report.html``: the run on one page, without anything from elsewhere."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from shapeproof.training import files
from shapeproof.training.run import METRICS, REPORT, read_metrics, read_record


def write(path: Path) -> None:
    """Write the report of a run directory from its record and metrics."""
    files.write_text(path / REPORT, page(read_record(path), read_metrics(path / METRICS)))


def page(record: dict[str, Any], metrics: list[dict[str, Any]]) -> str:
    """The page of a record and its metrics."""
    final = record.get("final", {})
    epochs = [line for line in metrics if line.get("kind") == "epoch"]
    rows = [
        (str(e["epoch"]), f"{e['loss']:.4f}", f"{100 * e['accuracy']:.2f} %", f"{e['seconds']:.1f} s") for e in epochs
    ]
    facts = [
        ("Network", f"{record['model']['target']} ({record['model']['parameters']:,} parameters)"),
        ("Data", f"{record['data']['name']}, {record['split']['train']:,} training pictures"),
        ("Recipe", record["recipe"]["name"]),
        ("Seed", str(record["seed"])),
        ("State", record["status"]),
    ]
    if "test_accuracy" in final:
        facts.append(("Test accuracy", f"{100 * final['test_accuracy']:.2f} % of {record['split']['test']:,}"))
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>shapeproof run</title>\n"
        "<style>body{font:16px system-ui;margin:2rem auto;max-width:44rem}td{padding:.2rem .8rem}</style>"
        f"</head><body>\n<h1>{html.escape(record['model']['target'])}</h1>\n{_table(facts)}\n<h2>Epochs</h2>\n"
        f"{_table([('epoch', 'loss', 'accuracy', 'training time'), *rows])}\n</body></html>\n"
    )


def _table(rows: list[Any]) -> str:
    lines = ("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return "<table>" + "\n".join(lines) + "</table>"
