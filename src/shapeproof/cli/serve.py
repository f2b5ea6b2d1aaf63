"""``shapeproof serve``: a local page to draw on and to build networks in."""

from __future__ import annotations

import click


@click.command("serve")
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8028, show_default=True, help="0 takes a free one.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Another name under which the page is asked for.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def command(run: str | None, host: str, port: int, allow_host: tuple[str, ...], no_browser: bool) -> int:
    """Open a page with two rooms: draw a digit, and design a network.

    RUN is a run directory; without one the network that shapeproof ships is used. The page is for this machine
    only, unless --host says otherwise.
    """
    from shapeproof.serving.opening import need, open_run

    need("serve", "starlette", "uvicorn", "numpy", "PIL", "safetensors")
    from shapeproof.serving.server import listen, serve

    socket = listen(host, port)
    with socket:
        return serve(open_run(run), socket, host, frozenset(allow_host), browser=not no_browser)
