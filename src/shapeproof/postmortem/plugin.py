"""The pytest plugin: ``pytest --shapeproof`` adds the explanation of a shape error to the failing test's report."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from shapeproof.postmortem.hooks import explanation_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--shapeproof``; without it nothing is done."""
    parser.addoption("--shapeproof", action="store_true", help="Explain shape errors below the failing test.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Add a section to the report of a test that failed on its shapes."""
    report = yield
    if report.failed and call.excinfo is not None and item.config.getoption("--shapeproof"):
        told = explanation_of(call.excinfo.value)
        if told:
            report.sections.append(("shapeproof", told.strip("\n")))
    return report
