"""Write ``docs/operations.md``: every operation that has a rule, from the rules themselves."""

from __future__ import annotations

import inspect
from pathlib import Path

from shapeproof.files import write_whole
from shapeproof.rules.registry import FAMILIES, Rule, rules

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"
HEAD = """# Operations

Every operation for which shapeproof has a rule, by family. In-place forms (`add_`, `+=`), the functions of `torch`, the
methods of `Tensor` and the calls that a module makes share one rule; a module such as `nn.Conv2d` is seen as the
operation that it calls (`conv2d`). An operation that is not listed is shown as `unsupported`, never skipped.

This page is written by `python scripts/operations.py`; a test holds it to the rules.
"""


def page() -> str:
    """The whole page."""
    every = rules()
    parts = [HEAD, f"{len(every)} operations in {len(FAMILIES)} families.\n"]
    for family in FAMILIES:
        rows = _rows([one for one in every.values() if one.function.__module__.endswith(f".{family}")])
        if rows:
            parts.append(
                f"## {family}\n\n| operations | rule | documentation |\n|---|---|---|\n" + "\n".join(rows) + "\n"
            )
    return "\n".join(parts)


def _rows(family: list[Rule]) -> list[str]:
    """One line for each rule, with all the names that share it."""
    shared: dict[int, list[Rule]] = {}
    for one in family:
        shared.setdefault(id(one.function), []).append(one)
    return [_row(names) for names in shared.values()]


def _row(names: list[Rule]) -> str:
    first = names[0]
    text = (inspect.getdoc(first.function) or "").split("\n")[0].replace("|", "\\|").replace("``", "`")
    title = first.source.rsplit("/", 1)[-1].removesuffix(".html")
    return f"| {', '.join(f'`{one.name}`' for one in names)} | {text} | [{title}]({first.source}) |"


if __name__ == "__main__":
    write_whole(PAGE, page())
