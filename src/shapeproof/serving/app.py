"""The page's server: static files, and a few requests whose answers are computed here and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from shapeproof.errors import UsageError
from shapeproof.serving import designing
from shapeproof.serving.drawing import Room, from_strokes, opening, shown
from shapeproof.serving.guarding import MOST_PICTURE_PIXELS, Desk, Guard
from shapeproof.serving.network import INPUT, JOINING, KINDS, MOST_CHANNELS, MOST_LAYERS, MOST_SIDE
from shapeproof.serving.pictures import decode
from shapeproof.serving.presets import PRESETS
from shapeproof.serving.reading import read_pixels

STATIC = Path(__file__).parent / "static"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def make(room: Room, names: frozenset[str] = LOOPBACK) -> Any:
    """The application for one run; it answers under ``names`` only (``"*"``: under any address in numbers)."""
    desk = Desk()

    async def start(request: Request) -> Response:
        return JSONResponse(_opening(room))

    async def strokes(request: Request) -> Response:
        return JSONResponse(await desk.json(request, lambda value: from_strokes(room, value)))

    async def picture(request: Request) -> Response:
        return JSONResponse(await desk.picture(request, lambda body: _pictured(room, body)))

    async def design(request: Request) -> Response:
        return JSONResponse(await desk.json(request, designing.derived))

    async def domain(request: Request) -> Response:
        return JSONResponse(await desk.json(request, designing.domain))

    async def index(request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    routes = [
        Route("/", index),
        Route("/api/start", start),
        Route("/api/strokes", strokes, methods=["POST"]),
        Route("/api/picture", picture, methods=["POST"]),
        Route("/api/design", design, methods=["POST"]),
        Route("/api/domain", domain, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    handlers: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
        UsageError: _usage,
        HTTPException: _http,
        ClientDisconnect: _gone,
    }
    return Guard(Starlette(routes=routes, exception_handlers=handlers), names)


def _opening(room: Room) -> dict[str, Any]:
    kinds = {kind: {name: asdict(argument) for name, argument in table.items()} for kind, table in KINDS.items()}
    limits = {"layers": MOST_LAYERS, "side": MOST_SIDE, "channels": MOST_CHANNELS}
    return {
        "network": opening(room),
        "kinds": kinds,
        "joining": list(JOINING),
        "input": INPUT,
        "limits": limits,
        "presets": PRESETS,
    }


def _pictured(room: Room, body: bytes) -> dict[str, Any]:
    return shown(room, read_pixels(room.run, decode(body, "the picture", MOST_PICTURE_PIXELS)))


async def _usage(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it
