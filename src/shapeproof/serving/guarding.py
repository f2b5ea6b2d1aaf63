"""What stands between the page's server and the world: whose requests are answered, and how much is read of them."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable
from typing import Any

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_JSON = 512 * 2**10
MOST_PICTURE = 16 * 2**20
MOST_PICTURE_PIXELS = 40_000_000
READ_SECONDS = 20.0
MOST_WAITING = 128  # requests that may wait for the one that computes
AT_ONCE = 4  # bodies that are read at once: what bounds memory, whatever number of clients there are

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-cache",
}


class Guard:
    """Refuses requests that were meant for another host or come from another site's page; adds safe headers.

    A page of another site can make a browser send requests here, and a name can be pointed at this machine (DNS
    rebinding); the Host and Origin that the browser then sends give both away.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *own]}
            await send(message)

        wrong = self.fault(headers)
        if wrong:
            await _refused(sending, wrong)
        else:
            await self.app(scope, receive, sending)

    def fault(self, headers: dict[str, str]) -> str | None:
        """Why a request is refused; ``None`` for one that is answered."""
        host = headers.get("host", "")
        if not self._ours(host):
            return "this server answers only under its own name"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return "another site's page may not ask this server"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return "another site's page may not ask this server"
        return None

    def _ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        name = name.strip("[]").lower()
        return name in self.names or ("*" in self.names and _address(name))


def _address(name: str) -> bool:
    """Whether a host is written as a number: such a name cannot be pointed elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refused(send: Send, why: str) -> None:
    body = json.dumps({"error": why}).encode()
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


class Desk:
    """Reads bodies a few at a time, and computes one request at a time in a thread."""

    def __init__(self) -> None:
        self._reading = asyncio.Semaphore(AT_ONCE)
        self._computing = anyio.CapacityLimiter(1)
        self._waiting = 0

    async def json(self, request: Request, work: Callable[[Any], Any]) -> Any:
        """Read JSON and hand it to ``work``."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise HTTPException(415, "send application/json")
        return await self._answered(request, MOST_JSON, lambda body: work(_parsed(body)))

    async def picture(self, request: Request, work: Callable[[bytes], Any]) -> Any:
        """Read bytes and hand them to ``work``."""
        return await self._answered(request, MOST_PICTURE, work)

    async def _answered(self, request: Request, most: int, work: Callable[[bytes], Any]) -> Any:
        if self._waiting >= MOST_WAITING:
            raise HTTPException(503, "too many requests wait; try again", {"retry-after": "1"})
        self._waiting += 1
        try:
            async with self._reading:  # held until the answer is there, so that bodies do not pile up
                body = await _body(request, most)
                if await request.is_disconnected():
                    raise ClientDisconnect  # the page has asked for something newer since
                return await anyio.to_thread.run_sync(lambda: work(body), limiter=self._computing)
        finally:
            self._waiting -= 1


async def _body(request: Request, most: int) -> bytes:
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > most:
        raise HTTPException(413, f"at most {most:,} bytes are read")
    parts, size = [], 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise HTTPException(413, f"at most {most:,} bytes are read")
                parts.append(part)
    except TimeoutError as error:
        raise HTTPException(408, "the request came too slowly") from error
    return b"".join(parts)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "this is not JSON") from error
