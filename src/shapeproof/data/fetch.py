"""Fetching a data set: mirrors in turn, broken transfers taken up again, nothing kept that is not whole.

A file is written under a name of its own until its unpacked bytes have the right checksum, and only then renamed.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shapeproof.data.known import Known
from shapeproof.data.places import found_file
from shapeproof.errors import UsageError

TIMEOUT = 4.0  # seconds for a mirror to answer, and for each next piece of a file
SLOWEST = 4096  # bytes a second, on average after the first PATIENCE seconds; slower counts as no answer
PATIENCE = 6.0
PIECE = 1 << 16
Advance = Callable[[int], None]


class TransferError(Exception):
    """A mirror did not give the whole file; says why in a few words."""


def mirrors_of(known: Known) -> tuple[str, ...]:
    """The mirrors to try, first the one that ``SHAPEPROOF_MIRROR`` names, where it does."""
    own = os.environ.get("SHAPEPROOF_MIRROR")
    return ((own.rstrip("/"),) if own else ()) + known.mirrors


def fetch(known: Known, root: Path, mirrors: tuple[str, ...] | None = None) -> Path:
    """Fetch what is missing of a data set into torchvision's layout, ``ROOT/<folder>/raw``.

    Args:
        known: the data set.
        root: where data sets lie.
        mirrors: addresses of folders with the gzipped files, in the order in which to try them.

    Returns:
        The folder with the four files.

    Raises:
        UsageError: if no mirror gives a whole file, or the folder cannot be written to.
    """
    folder = root / known.folder / "raw"
    usable = list(mirrors_of(known) if mirrors is None else mirrors)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, checksum in zip(known.files, known.sha256, strict=True):
            if found_file(folder, name) is None:
                _fetch_file(f"{name}.gz", checksum, folder, usable)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror}); choose another with --data-root") from error
    return folder


def _fetch_file(name: str, checksum: str, folder: Path, mirrors: list[str]) -> None:
    """Fetch one file from the first mirror that has it whole; a mirror that fails is not asked again."""
    reasons = []
    for mirror in list(mirrors):
        try:
            _from_mirror(f"{mirror}/{name}", folder / f"{name}.part", checksum)
            (folder / f"{name}.part").replace(folder / name)
            return
        except TransferError as error:
            reasons.append(f"{mirror}: {error}")
            mirrors.remove(mirror)
    told = "; ".join(reasons) or "every mirror failed before"
    raise UsageError(f"{name} could not be downloaded ({told}); put the file into {folder} yourself")


def _from_mirror(address: str, part: Path, checksum: str) -> None:
    """Take up a transfer where it stopped; if what comes together is not the file, start over once."""
    for attempt in range(3):
        begun = part.stat().st_size if part.exists() else 0
        try:
            _transfer(address, part, begun)
        except TransferError:
            progress = part.exists() and part.stat().st_size > begun
            if attempt == 2 or not progress:
                raise
            continue
        if _whole(part, checksum):
            return
        part.unlink()
        if not begun:
            raise TransferError("what it sent has another checksum")
    raise TransferError("broke off each time")


def _transfer(address: str, part: Path, begun: int) -> None:
    request = urllib.request.Request(address, headers={"User-Agent": "shapeproof"})  # noqa: S310  # http(s) only
    if not address.startswith(("http://", "https://")):
        raise TransferError("not an http address")
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  # checked above
            resumed = answer.status == 206
            _receive(answer, part, begun if resumed else 0)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send: what is there is judged by its checksum
            return
        raise TransferError(f"it answered {error.code}") from error
    except (TimeoutError, urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
        raise TransferError(f"no answer ({getattr(error, 'reason', error) or type(error).__name__})") from error


def _receive(answer: http.client.HTTPResponse, part: Path, begun: int) -> None:
    length = answer.headers.get("Content-Length")
    total = begun + int(length) if length and length.isdigit() else None
    started, got = time.monotonic(), 0
    with part.open("ab" if begun else "wb") as file, _bar(part.stem, total, begun) as advance:
        while piece := answer.read1(PIECE):
            file.write(piece)
            got += len(piece)
            advance(len(piece))
            passed = time.monotonic() - started
            if passed > PATIENCE and got < SLOWEST * passed:
                raise TransferError(f"too slow ({got} bytes in {passed:.0f} s)")
    if total is not None and begun + got < total:
        raise TransferError(f"cut short at {begun + got:,} of {total:,} bytes")


def _whole(part: Path, checksum: str) -> bool:
    """Whether the unpacked bytes have the checksum."""
    try:
        return hashlib.sha256(gzip.decompress(part.read_bytes())).hexdigest() == checksum
    except (OSError, EOFError, zlib.error):
        return False


@contextmanager
def _bar(name: str, total: int | None, begun: int) -> Iterator[Advance]:
    """A progress bar on a terminal; one plain line elsewhere."""
    if not sys.stderr.isatty():
        print(f"downloading {name}", file=sys.stderr)
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"downloading {name}", total=total, completed=begun)
        yield lambda size: progress.advance(task, size)
