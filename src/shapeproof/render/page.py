"""What every page shares: one self-contained file with the style, the script and the words inside."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from shapeproof import __version__
from shapeproof.render.strings import said, words_for

# nothing from elsewhere is loaded, whatever a model's name may hold
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


@cache
def asset(name: str) -> str:
    """A file of ``render/assets`` as text."""
    return resources.files("shapeproof.render").joinpath("assets", name).read_text(encoding="utf-8")


def page(title: str, body: str, data: dict[str, Any] | None = None, style: str = "") -> str:
    """A whole HTML page.

    Args:
        title: plain text.
        body: HTML between the skip link and the footer.
        data: what the page's script needs, as plain JSON values.
        style: CSS declarations for the root, such as scales.
    """
    given = {"strings": words_for(body), **(data or {})}
    text = json.dumps(given, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en" style="{escape(style)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{asset("page.css")}</style>
</head>
<body>
{body}
<footer>{said("made.by", version=__version__)}</footer>
<script type="application/json" id="data">{text}</script>
<script>
{asset("page.js")}</script>
</body>
</html>
"""


def skip(target: str) -> str:
    """A link, seen when it has the focus, past what stands before ``target``."""
    return said("skip", "a").replace("<a", f'<a class="skip" href="#{target}"', 1)


def header(title: str, below: str) -> str:
    """The head of a page: a title and what stands below it, both HTML, and the switch of languages."""
    button = said("language", "button").replace("<button", '<button id="language" type="button"', 1)
    return f"<header><div><h1>{title}</h1>{below}</div>{button}</header>"


def in_notebook(whole: str, height: int = 720) -> str:
    """A page inside a notebook: in a frame of its own, so that neither touches the other."""
    return (
        f'<iframe srcdoc="{escape(whole)}" sandbox="allow-scripts" title="shapeproof" '
        f'style="width:100%;height:{height}px;border:0;border-radius:8px;resize:vertical;overflow:auto"></iframe>'
    )
