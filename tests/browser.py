"""A real Chromium for the tests of the pages; where there is none they are skipped, saying how to have one."""

import os
import shutil

import pytest

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
HOW = "needs a Chromium: `apt-get install chromium`, or SHAPEPROOF_CHROMIUM=/path/to/it, and `pip install playwright`"


@pytest.fixture(scope="module")
def chromium():
    """The browser, one for the tests of a file: while it is open, an event loop runs that other tests may not want."""
    found = os.environ.get("SHAPEPROOF_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if not found:
        pytest.skip(HOW)
    sync_api = pytest.importorskip("playwright.sync_api", reason=HOW)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Open an address; at the end of the test nothing may have been complained of or asked from elsewhere."""
    contexts, complaints = [], []

    def open_page(address, home="file://", **settings):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-US", **settings})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on(
            "console", lambda m: complaints.append(f"console: {m.text}") if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        allowed = (home, "data:", "blob:", "about:")
        page.on("request", lambda r: None if r.url.startswith(allowed) else complaints.append(f"asked for {r.url}"))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
