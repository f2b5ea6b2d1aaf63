"""How long a derivation takes, beside the model's own forward and what else tells shapes or costs, in one run.

    make bench                                         # everything, about three minutes on two cores
    python benchmarks/bench_derive.py four-stage       # one table

Every figure comes from a process of its own that has imported torch and nothing else, so that it is a first call's.
``load`` is what the tool's own import takes after that, ``call`` the first call; both in seconds, the median of
several processes. The ratio is that of the calls, to the first row of each table.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

RUNS = 3
MOST_COMMAND = 1.25  # of a script that imports torch, builds the network and runs it
MOST_SECONDS = 90  # a peer that takes longer is stopped, and the table says so
PEERS = ("shapeproof", "torch", "torchinfo", "torchview", "ptflops", "fvcore")
# as an installed package has it: modules are compiled once, not in every process
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
COMMAND = [sys.executable, "-m", "shapeproof", "derive", "four-stage", "--input", "1,1,28,28"]
SCRIPT = """
import torch
from shapeproof.models.document import FourStage
with torch.no_grad():
    print(FourStage().eval()(torch.zeros(1, 1, 28, 28)).shape)
"""


@dataclass(frozen=True)
class Table:
    """What is measured side by side: a network, its input, the tools by their names in ``TOOLS``."""

    title: str
    network: str
    shape: tuple[int, ...]
    tools: tuple[str, ...]
    letters: str = ""
    runs: int = RUNS
    # by tool, what is wanted of its call: at most so many times the first row's ("x"), seconds ("s"), or MB ("MB")
    wanted: tuple[tuple[str, float, str], ...] = ()


TABLES = {
    "four-stage": Table(
        "four-stage network, 1 x 1 x 28 x 28", "four_stage", (1, 1, 28, 28),
        ("forward", "derive", "torchinfo", "torchview", "ptflops", "fvcore"), wanted=(("derive", 3, "x"),),
    ),
    "lenet": Table(
        "LeNet-5, 1 x 1 x 28 x 28", "lenet", (1, 1, 28, 28), ("forward", "derive", "torchinfo"),
        wanted=(("derive", 3, "x"),),
    ),
    "mlp": Table(
        "784-256-128-10 and dropout, 1 x 784", "mlp", (1, 784), ("forward", "derive", "torchinfo"),
        wanted=(("derive", 3, "x"),),
    ),
    "four-stage-letters": Table(
        "four-stage network, N, H and W free: domain solved, edges run", "four_stage", (2, 1, 28, 28),
        ("derive_letters", "export"), letters="N,1,H,W", wanted=(("derive_letters", 0.5, "s"),),
    ),
    "resnet-50": Table(
        "ResNet-50, 1 x 3 x 224 x 224", "resnet", (1, 3, 224, 224),
        ("torchinfo", "derive", "forward", "torchview", "ptflops", "fvcore"), wanted=(("derive", 1, "x"),),
    ),
    "resnet-50-letters": Table(
        "ResNet-50, N, H and W free: domain solved, edges run", "resnet", (2, 3, 224, 224),
        ("derive_letters", "export"), letters="N,3,H,W", runs=1,
        wanted=(("derive_letters", 3, "s"),),
    ),
    "llama-70b": Table(
        "70 billion parameters like Llama's, on the meta device, 1 x 2048", "llama", (1, 2048),
        ("forward", "derive", "derive_letters", "torchinfo"), letters="int64[N,T]", runs=1,
        wanted=(("derive", 2, "s"), ("derive", 500, "MB")),
    ),
}  # fmt: skip


def four_stage() -> Any:
    """The larger network that the project starts from."""
    from shapeproof.models.document import FourStage

    return FourStage()


def lenet() -> Any:
    """LeNet-5."""
    from own_networks import lenet as made

    return made()


def mlp() -> Any:
    """Three linear layers."""
    from torch import nn

    hidden = (nn.Linear(784, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 128), nn.ReLU(), nn.Dropout())
    return nn.Sequential(*hidden, nn.Linear(128, 10))


def resnet() -> Any:
    """ResNet-50."""
    from networks import ResNet

    return ResNet()


def llama() -> Any:
    """Seventy billion parameters, none of which are allocated."""
    import torch
    from networks import Llama

    with torch.device("meta"):
        return Llama()


NETWORKS: dict[str, Callable[[], Any]] = {
    "four_stage": four_stage, "lenet": lenet, "mlp": mlp, "resnet": resnet, "llama": llama,
}  # fmt: skip


def forward(model: Any, x: Any, table: Table) -> Callable[[], object]:
    """The model's own forward."""
    import torch

    return torch.no_grad()(lambda: tuple(model(x).shape))


def derive(model: Any, x: Any, table: Table) -> Callable[[], object]:
    """Ours, at numbers."""
    import shapeproof

    shapeproof.derive  # noqa: B018  # loads what it takes
    return lambda: _said(shapeproof.derive(model, x))


def derive_letters(model: Any, x: Any, table: Table) -> Callable[[], object]:
    """Ours, with letters."""
    import shapeproof

    shapeproof.derive  # noqa: B018  # as above
    return lambda: _said(shapeproof.derive(model, table.letters))


def _said(derivation: Any) -> str:
    """What a derivation found, so that a figure for a failure would show."""
    counted = f"{derivation.cost.macs / 1e6:,.1f} M MACs" if derivation.domain is None else str(derivation.domain)
    return f"{derivation.verdict}, {counted}"


def torchinfo(model: Any, x: Any, table: Table) -> Callable[[], object]:
    """torchinfo.summary."""
    import torchinfo

    options = {"device": x.device, "verbose": 0}
    return lambda: f"{torchinfo.summary(model, input_data=x, **options).total_mult_adds / 1e6:,.1f} M mult-adds"


def torchview(model: Any, x: Any, table: Table) -> Callable[[], object]:
    """torchview.draw_graph."""
    import torchview

    return lambda: f"{len(torchview.draw_graph(model, input_data=x).edge_list)} edges"


def ptflops(model: Any, x: Any, table: Table) -> Callable[[], object]:
    """ptflops.get_model_complexity_info."""
    from ptflops import get_model_complexity_info

    options = {"as_strings": False, "print_per_layer_stat": False, "backend": "pytorch"}
    return lambda: f"{get_model_complexity_info(model, table.shape[1:], **options)[0] / 1e6:,.1f} M MACs"


def fvcore(model: Any, x: Any, table: Table) -> Callable[[], object]:
    """FlopCountAnalysis of fvcore."""
    from fvcore.nn import FlopCountAnalysis

    return lambda: f"{FlopCountAnalysis(model, x).total() / 1e6:,.1f} M"


def export(model: Any, x: Any, table: Table) -> Callable[[], object]:
    """torch.export with every dimension but the channels left to it."""
    import torch
    import torch.export

    free = dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO)
    return lambda: _ranges(torch.export.export(model, (x,), dynamic_shapes=(free,)))


def _ranges(program: Any) -> str:
    return ", ".join(f"{name} in [{r.lower}, {r.upper}]" for name, r in program.range_constraints.items())


TOOLS = {
    tool.__name__: tool for tool in (forward, derive, derive_letters, torchinfo, torchview, ptflops, fvcore, export)
}


def measure(table: Table, tool: str) -> dict[str, Any]:
    """One first call in this process. Memory is the highest use of the process, beyond that with torch alone, in MB."""
    import torch

    before = _peak()
    model = NETWORKS[table.network]().eval()
    where = "meta" if table.network == "llama" else "cpu"
    whole = table.letters.startswith("int")
    x = torch.zeros(table.shape, dtype=torch.int64 if whole else torch.float32, device=where)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        began = time.perf_counter()
        call = TOOLS[tool](model, x, table)
        loaded = time.perf_counter()
        said = call()
        ended = time.perf_counter()
    return {"load": loaded - began, "call": ended - loaded, "memory": _peak() - before, "said": str(said)}


def _peak() -> float:
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def in_its_own_process(table: str, tool: str) -> dict[str, Any]:
    """What :func:`measure` finds in a fresh process; ``{"said": why}`` where the tool does not come through."""
    command = [sys.executable, __file__, table, tool]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, env=ENVIRONMENT)
    except subprocess.TimeoutExpired:
        return {"said": f"stopped after {MOST_SECONDS} s"}
    if done.returncode:
        return {"said": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:100]}
    return json.loads(done.stdout.splitlines()[-1])


def row(table: str, tool: str) -> dict[str, Any]:
    """The median of several processes."""
    seen = [in_its_own_process(table, tool)]
    while "call" in seen[-1] and len(seen) < TABLES[table].runs:
        seen.append(in_its_own_process(table, tool))
    good = [s for s in seen if "call" in s]
    middle = {key: statistics.median(s[key] for s in good) for key in ("load", "call", "memory") if good}
    return {"tool": tool, **middle, "said": (good or seen)[-1]["said"]}


def print_table(name: str) -> None:
    """Measure one table and print it."""
    print(f"\n{TABLES[name].title}")
    print(f"{'':16}{'load s':>9}{'call s':>9}{'ratio':>8}{'MB':>8}  what it says")
    first = None
    for tool in TABLES[name].tools:
        found = row(name, tool)
        if "call" not in found:
            print(f"{tool:16}{'-':>9}{'-':>9}{'-':>8}{'-':>8}  {found['said']}", flush=True)
            continue
        first = first or found["call"]
        figures = f"{found['load']:9.3f}{found['call']:9.3f}{found['call'] / first:8.2f}{found['memory']:8.0f}"
        print(f"{tool:16}{figures}  {found['said']}", flush=True)
        units = {"x": found["call"] / first, "s": found["call"], "MB": found["memory"]}
        for who, limit, unit in TABLES[name].wanted:
            if who == tool:
                met = "met" if units[unit] <= limit else "NOT MET"
                print(f"{'':16}wanted at most {limit:g} {unit}: {met}", flush=True)


def print_commands() -> None:
    """The whole command beside a script that imports torch, builds the network and runs it once."""
    print("\nfrom the command line, whole processes")
    seconds = {"script": _seconds([sys.executable, "-c", SCRIPT]), "command": _seconds(COMMAND)}
    for name, taken in seconds.items():
        print(f"{name:16}{'':9}{taken:9.3f}{taken / seconds['script']:8.2f}")
    met = seconds["command"] <= MOST_COMMAND * seconds["script"]
    print(f"{'':16}wanted at most {MOST_COMMAND} x: {'met' if met else 'NOT MET'}")


def _seconds(command: list[str]) -> float:
    """Median of several runs after one that does not count."""
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def print_setting() -> None:
    """Hardware and versions."""
    from shapeproof.training.kernels import processor_name
    from shapeproof.training.threads import available

    print(f"{processor_name()}, {available()} cores, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}")
    print(", ".join(f"{name} {_version(name)}" for name in PEERS))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"


def main(asked: list[str]) -> None:
    """Measure and print: with two arguments one figure, as JSON, for the process that asked."""
    if len(asked) == 2:
        print(json.dumps(measure(TABLES[asked[0]], asked[1])))
        return
    print_setting()
    if not asked:
        print_commands()
    for name in asked or TABLES:
        print_table(name)


if __name__ == "__main__":
    main(sys.argv[1:])
