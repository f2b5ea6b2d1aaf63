"""The page's server: what it answers, whom it refuses, and how it starts and ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

import shapeproof as sp
from photographs import claiming, encoded
from shapeproof.errors import UsageError
from shapeproof.serving.building import build
from shapeproof.serving.designing import derived, domain
from shapeproof.serving.network import parse
from shapeproof.serving.presets import PRESETS, document

SEVEN = {"strokes": [[0.3, 0.25, 0.7, 0.25, 0.45, 0.8]], "width": 0.08}


def started(*arguments, **changes):
    """A real server in a process of its own; returns it and its address."""
    command = [sys.executable, "-m", "shapeproof", "serve", "--no-browser", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **changes}
    )
    line = process.stdout.readline()
    assert " at http://" in line, line + process.stderr.read()
    return process, line.split(" at ")[1].split()[0].rstrip("/")


@pytest.fixture(scope="module")
def address():
    process, found = started()
    yield found
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "Traceback" not in process.stderr.read()


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url=address, timeout=60) as found:
        yield found


def test_strokes_are_read_with_every_stage(client):
    told = client.post("/api/strokes", json=SEVEN).json()
    assert (told["name"], told["sure"]) == ("7", True)
    assert {name: maps["shape"] for name, maps in told["maps"].items()} == {
        "conv1": [16, 14, 14], "conv2": [32, 7, 7], "conv3": [64, 3, 3], "conv4": [128, 1, 1],
    }  # fmt: skip
    assert abs(sum(told["probabilities"]) - 1) < 1e-3


def test_nothing_drawn_is_nothing_seen(client):
    told = client.post("/api/strokes", json={"strokes": []}).json()
    assert (told["label"], told["reason"]) == (None, "no-ink")


def test_a_picture_is_read(client):
    picture = Image.new("L", (200, 200), 230)
    picture.paste(20, (95, 30, 108, 170))
    told = client.post("/api/picture", content=encoded(picture)).json()
    assert told["name"] == "1"


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"strokes": 3},
        {"strokes": [[1]]},
        {"strokes": [["a", "b"]]},
        {"strokes": [[1e9, 0]]},
        {"strokes": [[None, 0]]},
        {"strokes": [[0.5, 0.5]] * 401},
        {"strokes": [[0.5, 0.5] * 20_001]},
        {"strokes": [], "width": 9},
    ],
)
def test_bad_strokes_are_told(client, value):
    reply = client.post("/api/strokes", json=value)
    assert reply.status_code == 422
    assert reply.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"strokes": [[NaN, NaN]]}'])
def test_malformed_json_is_told(client, body):
    reply = client.post("/api/strokes", content=body, headers={"content-type": "application/json"})
    assert reply.status_code in (400, 422)
    assert client.post("/api/strokes", json=SEVEN).json()["name"] == "7"


def test_too_much_is_refused(client):
    json_ = {"content-type": "application/json"}
    assert client.post("/api/strokes", content=b"0" * 600_000, headers=json_).status_code == 413
    assert client.post("/api/picture", content=(b"0" * 2**20 for _ in range(20))).status_code == 413
    assert client.post("/api/strokes", content=json.dumps(SEVEN)).status_code == 415
    assert "too large" in client.post("/api/picture", content=claiming(60_000, 60_000)).json()["error"]
    assert client.post("/api/picture", content=b"no picture").status_code == 422


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "evil.example:8028"}, {"host": "127.0.0.1.evil.example"}, {"host": ""},
     {"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}],
)  # fmt: skip
def test_other_hosts_and_sites_are_refused(client, headers):
    assert client.post("/api/strokes", json=SEVEN, headers=headers).status_code == 403
    assert client.get("/api/start", headers=headers).status_code == 403


def test_the_pages_own_requests_are_answered(client, address):
    assert client.post("/api/strokes", json=SEVEN, headers={"origin": address}).status_code == 200
    port = address.rpartition(":")[2]
    assert client.get("/", headers={"host": f"localhost:{port}"}).status_code == 200


def test_the_page_may_load_nothing_from_elsewhere(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in page.text.replace("http://www.w3.org", "")
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"):
        assert client.get(path).status_code == 404


def memory(process):
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_hundred_clients_at_once_are_answered_in_bounded_memory():
    process, address = started()
    try:
        before = memory(process.pid)
        big = encoded(
            Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)), "PNG"
        )

        def one(number):
            with httpx.Client(base_url=address, timeout=120) as client:
                if number % 10:
                    return client.post("/api/strokes", json=SEVEN).status_code
                return client.post("/api/picture", content=big).status_code

        with ThreadPoolExecutor(100) as pool:
            found = list(pool.map(one, range(100)))
        assert found == [200] * 100
        assert memory(process.pid) - before < 400
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_even_with_a_client_that_says_nothing(how):
    process, address = started()
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.send(b"POST /api/strokes HTTP/1.1\r\n")
        process.send_signal(how)
        assert process.wait(20) == 0
    assert process.stdout.read().strip() == "stopped"
    assert process.stderr.read() == ""


def failing(*arguments, **changes):
    command = [sys.executable, "-m", "shapeproof", "serve", "--no-browser", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **changes})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_busy_port_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "is in use; give another with --port" in failing("--port", str(taken.getsockname()[1]))


def test_an_address_of_another_machine_is_one_line():
    assert "cannot listen on 192.0.2.1" in failing("--host", "192.0.2.1", "--port", "0")


def test_a_bad_run_is_one_line(tmp_path):
    assert "not a run directory" in failing(str(tmp_path), "--port", "0")


def test_a_missing_extra_is_named():
    code = "import sys; sys.modules['uvicorn'] = None\nfrom shapeproof.cli import main; main(['serve', '--no-browser'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, "pip install 'shapeproof[serve]'" in done.stderr) == (2, True)


# --- the design room

KNOWN = {  # parameters as counted by hand, by the papers, or by torchvision
    "two-stage": 29_002, "four-stage": 271_178, "lenet-5": 61_706, "alexnet": 2_469_696,
    "vgg-11": 132_863_336, "resnet-18": 11_689_512,
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "mistake"])
def test_every_preset_is_proved_and_its_code_runs(name):
    found = derived(PRESETS[name])
    assert found["verdict"] == "proved"
    assert found["cost"]["parameters"] == KNOWN.get(name, found["cost"]["parameters"])
    if name == "vgg-11":
        return  # half a gigabyte of weights
    space = {}
    exec(found["code"], space)
    with torch.no_grad():
        output = space["net"].eval()(space["x"])
    assert list(output.shape[1:]) == found["output"][1:]
    assert sum(p.numel() for p in space["net"].parameters()) == found["cost"]["parameters"]


def test_the_mistake_is_explained_and_each_fix_mends_it():
    found = derived(PRESETS["mistake"])
    cause = found["diagnosis"]
    assert (cause["code"], cause["layer"]) == ("in-features", "fc")
    assert cause["maker"]["arithmetic"] == "128 * 1 * 1 = 128"
    (part,) = cause["fixes"][0]["parts"]
    assert (part["attribute"], part["new"]) == ("in_features", 128)
    switches = [part for fix in cause["fixes"] for part in fix["parts"] if part["attribute"] == "ceil_mode"]
    assert all((part["old"], part["new"]) == (False, True) for part in switches)
    for fix in cause["fixes"]:
        assert derived(fix["design"])["verdict"] == "proved"


def test_the_domain_of_the_four_stage_network():
    assert domain(PRESETS["four-stage"])["domain"] == "16 <= H <= 31, 16 <= W <= 31, N >= 1"


def test_a_forgotten_flatten_can_be_put_in():
    design = document(2, 7 * 7 * 32)
    design["layers"] = [layer for layer in design["layers"] if layer["kind"] != "flatten"]
    (fix, *_) = derived(design)["diagnosis"]["fixes"]
    assert fix["parts"][0]["kind"] == "insert"
    assert derived(fix["design"])["verdict"] == "proved"


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"name": "a", "kind": "conv9d"}, "no kind"),
        ({"name": "__class__", "kind": "relu"}, "name"),
        ({"name": "forward", "kind": "relu"}, "cannot be called"),
        ({"name": "a", "kind": "conv2d", "kernel_size": 10**9}, "from 1 to"),
        ({"name": "a", "kind": "conv2d", "kernel_size": "os"}, "whole number"),
        ({"name": "a", "kind": "relu", "inplace": 1}, "has no"),
        ({"name": "a", "kind": "add"}, "with is needed"),
        ({"name": "a", "kind": "relu", "from": "b"}, "no layer before"),
        ({"name": "a", "kind": "max_pool2d", "padding": 9}, ""),
        (7, "a layer is"),
    ],
)
def test_a_layer_that_is_not_allowed_is_told(layer, words):
    design = {"input": [1, 28, 28], "layers": [layer]}
    if words:
        with pytest.raises(UsageError, match=words):
            derived(design)
    else:  # PyTorch refuses this one itself
        assert derived(design)["verdict"] == "failed"


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"layers": []},
        {"input": [1, 28], "layers": []},
        {"input": [1, 0, 28], "layers": [{"name": "a", "kind": "relu"}]},
        {"input": [1, 28, 10**9], "layers": [{"name": "a", "kind": "relu"}]},
        {"input": [1, 28, 28], "layers": [{"name": f"a{i}", "kind": "relu"} for i in range(121)]},
    ],
)
def test_a_design_that_is_not_allowed_is_told(value):
    with pytest.raises(UsageError):
        parse(value)


def test_the_largest_design_takes_no_memory():
    layers = [
        {"name": f"c{i}", "kind": "conv2d", "out_channels": 4096, "kernel_size": 31, "padding": 15} for i in range(4)
    ]
    found = derived({"input": [3, 1024, 1024], "layers": layers})
    assert found["verdict"] == "proved"
    assert found["cost"]["parameters"] > 4e10
    assert all(p.is_meta for p in build(parse({"input": [3, 64, 64], "layers": layers})).model.parameters())


def test_sizes_are_those_that_derive_gives():
    design = {
        "input": [3, 33, 40],
        "layers": [{"name": "c", "kind": "conv2d", "kernel_size": 4, "stride": 3, "dilation": 2}],
    }
    own = sp.derive(torch.nn.Conv2d(3, 16, 4, 3, 1, 2), "N,3,33,40").steps[0]
    row = derived(design)["layers"][0]
    assert (row["arithmetic"], row["formula"]) == (own.arithmetic, own.formula)


def test_threads_that_derive_do_not_meet(client):
    results = []

    def ask(name):
        results.append((name, client.post("/api/design", json=PRESETS[name]).json()["cost"]["parameters"]))

    threads = [
        threading.Thread(target=ask, args=(name,)) for name in ("lenet-5", "two-stage", "four-stage") for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(KNOWN[name] == count for name, count in results)
    assert len(results) == 9


def test_a_stroke_is_answered_while_others_are_slow_to_send(client, address):
    host, _, port = address.removeprefix("http://").rpartition(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(3)]
    for connection in slow:
        connection.send(f"POST /api/picture HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000\r\n\r\nx".encode())
    time.sleep(0.2)
    assert client.post("/api/strokes", json=SEVEN).json()["name"] == "7"
    for connection in slow:
        connection.close()
