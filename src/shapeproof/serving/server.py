"""Starting the page's server, and ending it cleanly."""

from __future__ import annotations

import errno
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable

import click
import torch
import uvicorn

from shapeproof.errors import UsageError
from shapeproof.serving import app, drawing
from shapeproof.training.run import Run

CLIENTS = 512  # connections at once; more are told to come again
LOCAL = ("127.0.0.1", "localhost", "::1")


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything slow is done.

    Raises:
        UsageError: If the port is taken, not allowed, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(128)
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} is in use; give another with --port, or --port 0 for any") from error
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    return taken


def serve(run: Run, taken: socket.socket, host: str, more: frozenset[str], *, browser: bool) -> int:
    """Serve until Ctrl-C or SIGTERM; returns the exit status, 0 after either."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end as a KeyboardInterrupt
    try:
        _run(run, taken, host, more, browser)
    except KeyboardInterrupt:  # also what uvicorn raises again after its own shutdown
        click.echo("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _run(run: Run, taken: socket.socket, host: str, more: frozenset[str], browser: bool) -> None:
    # one picture at a time gains nothing from threads
    torch.set_num_threads(1)
    names = app.LOOPBACK | {name.lower() for name in more}
    if host not in LOCAL:
        names |= {"*", host.lower(), socket.gethostname().lower()}
    room = drawing.furnish(run)
    _warm(room)
    address = f"http://{f'[{host}]' if ':' in host else host}:{taken.getsockname()[1]}/"
    application = app.make(room, names)
    config = uvicorn.Config(
        application, log_level="warning", access_log=False, lifespan="off", limit_concurrency=CLIENTS,
        timeout_graceful_shutdown=3, server_header=False, h11_max_incomplete_event_size=32 * 1024,
    )  # fmt: skip
    if browser:
        _open(address)  # the port is listening already
    _Server(config, lambda: _told(run, address, host)).run(sockets=[taken])


class _Server(uvicorn.Server):
    """Calls ``ready`` when Ctrl-C would be met by an orderly end: who reads the address may press it at once."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()


def _warm(room: drawing.Room) -> None:
    """Pay for first uses now, so that the first stroke is answered as quickly as the next."""
    from shapeproof.serving.designing import derived
    from shapeproof.serving.presets import PRESETS

    drawing.from_strokes(room, {"strokes": [[0.4, 0.2, 0.5, 0.8]]})
    derived(PRESETS["mistake"])


def _told(run: Run, address: str, host: str) -> None:
    from shapeproof.serving.opening import title

    click.echo(f"{title(run)} at {address}  (Ctrl-C ends it)")
    if host not in LOCAL:
        click.echo("other machines can reach this page; it has no password", err=True)
    sys.stdout.flush()


def _open(address: str) -> None:
    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    if not opened:
        click.echo(f"no browser was found; open {address} in one", err=True)
