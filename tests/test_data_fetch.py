"""Downloading from a server on this machine that is slow, truncates, corrupts or refuses."""

import gzip
import hashlib
import http.server
import struct
import threading
import time
from typing import ClassVar

import pytest

from shapeproof.data import fetch as fetching
from shapeproof.data.fetch import fetch
from shapeproof.data.known import Known
from shapeproof.data.loading import load
from shapeproof.errors import UsageError

CONTENT = {
    "train-images-idx3-ubyte": struct.pack(">4I", 0x803, 6, 4, 4) + bytes(range(96)),
    "train-labels-idx1-ubyte": struct.pack(">2I", 0x801, 6) + bytes([0, 1, 2, 3, 4, 5]),
    "t10k-images-idx3-ubyte": struct.pack(">4I", 0x803, 2, 4, 4) + bytes(32),
    "t10k-labels-idx1-ubyte": struct.pack(">2I", 0x801, 2) + bytes([1, 0]),
}
SMALL = Known(
    "small", "Small", tuple("012345"), sha256=tuple(hashlib.sha256(CONTENT[n]).hexdigest() for n in CONTENT)
)  # fmt: skip


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves the four files in the way that the first part of the address asks for."""

    asked: ClassVar = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        _, way, name = self.path.split("/")
        self.asked.append((way, name, self.headers.get("Range")))
        body = gzip.compress(CONTENT[name.removesuffix(".gz")], mtime=0)
        if way == "refuses":
            return self.send_error(503)
        if way == "corrupts":
            body = body[:-9] + bytes([body[-9] ^ 255]) + body[-8:]
        start = 0
        if way != "forgets" and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if way == "silent":
            time.sleep(1.5)
            return None
        if way in ("truncates", "forgets") and not start:
            self.wfile.write(body[: len(body) // 2])
            return None
        if way == "always-truncates":
            self.wfile.write(body[start : start + 1] if start == 0 else b"")
            return None
        self.wfile.write(body[start:])
        return None


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", 0.4)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Mirror.asked = []
    yield lambda way: f"http://127.0.0.1:{server.server_port}/{way}"
    server.shutdown()
    server.server_close()


def whole(folder):
    return all(gzip.decompress((folder / f"{n}.gz").read_bytes()) == body for n, body in CONTENT.items())


def test_a_good_mirror_gives_four_whole_files_and_nothing_else(mirror, tmp_path):
    folder = fetch(SMALL, tmp_path, (mirror("good"),))
    assert folder == tmp_path / "Small" / "raw"
    assert whole(folder)
    assert len(list(folder.iterdir())) == 4


def test_a_truncated_transfer_is_taken_up_where_it_stopped(mirror, tmp_path):
    assert whole(fetch(SMALL, tmp_path, (mirror("truncates"),)))
    assert any(range_ for _, _, range_ in Mirror.asked)


@pytest.mark.parametrize("way", ["refuses", "corrupts", "silent", "always-truncates"])
def test_the_next_mirror_is_tried_and_the_bad_one_not_asked_again(mirror, tmp_path, way):
    began = time.monotonic()
    assert whole(fetch(SMALL, tmp_path, (mirror(way), mirror("good"))))
    assert {name for w, name, _ in Mirror.asked if w == way} == {"train-images-idx3-ubyte.gz"}
    assert time.monotonic() - began < 10


def test_nobody_listening_costs_seconds(tmp_path):
    began = time.monotonic()
    with pytest.raises(UsageError, match="could not be downloaded"):
        fetch(SMALL, tmp_path, ("http://127.0.0.1:9",))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("way", ["corrupts", "refuses", "always-truncates"])
def test_nothing_half_is_taken_for_whole(mirror, tmp_path, way):
    with pytest.raises(UsageError, match="train-images"):
        fetch(SMALL, tmp_path, (mirror(way),))
    assert not list((tmp_path / "Small" / "raw").glob("*.gz"))


def test_a_folder_that_cannot_be_written_is_said(mirror, tmp_path):
    (tmp_path / "Small").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        fetch(SMALL, tmp_path, (mirror("good"),))


def test_auto_falls_back_when_no_mirror_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "mirrors_of", lambda known: ("http://127.0.0.1:9",))
    data = load("auto", root=tmp_path)
    assert data.name == "digits"
    assert "Accuracies are not those of MNIST" in data.notice
