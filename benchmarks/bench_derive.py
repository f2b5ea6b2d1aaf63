"""How long a derivation takes, beside the model's own forward and the peers that are installed, in one run.

    make bench

Prints the median of several runs and its ratio to the model's bare forward.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import statistics
import time
from collections.abc import Callable

import torch

import shapeproof as sp
from shapeproof.models.document import FourStage

RUNS = 7
SHAPE = (1, 1, 28, 28)


def median(action: Callable[[], object]) -> float:
    """Seconds, median of ``RUNS`` runs after one that does not count."""
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            action()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def peers(model: torch.nn.Module) -> dict[str, Callable[[], object]]:
    """What else tells shapes or costs of a model, as far as it is installed."""
    found: dict[str, Callable[[], object]] = {}
    x = torch.zeros(SHAPE)
    if importlib.util.find_spec("torchinfo"):
        import torchinfo

        found["torchinfo.summary"] = lambda: torchinfo.summary(model, SHAPE, verbose=0)
    if importlib.util.find_spec("torchview"):
        import torchview

        found["torchview.draw_graph"] = lambda: torchview.draw_graph(model, input_data=x)
    if importlib.util.find_spec("fvcore"):
        import fvcore.nn

        found["fvcore FlopCountAnalysis"] = lambda: fvcore.nn.FlopCountAnalysis(model, x).total()
    if importlib.util.find_spec("ptflops"):
        import ptflops

        found["ptflops"] = lambda: ptflops.get_model_complexity_info(model, SHAPE[1:], print_per_layer_stat=False)
    return found


def letter_rows(model: torch.nn.Module) -> dict[str, Callable[[], object]]:
    """Letters: PyTorch's own export with dynamic dimensions, and a ResNet-50 where timm has one."""
    free = {0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    x = torch.zeros(2, 1, 28, 28)
    found: dict[str, Callable[[], object]] = {
        "torch.export, dynamic N H W": lambda: torch.export.export(model, (x,), dynamic_shapes=(free,)),
    }
    if importlib.util.find_spec("timm"):
        import timm

        resnet = timm.create_model("resnet50").eval()
        found["derive ResNet-50, N H W free, solved and checked"] = lambda: sp.derive(resnet, "N,3,H,W")
    return found


def main() -> None:
    """Measure and print."""
    model = FourStage().eval()
    bare = median(lambda: model(torch.zeros(SHAPE)))
    rows: dict[str, Callable[[], object]] = {
        "the model's forward": lambda: model(torch.zeros(SHAPE)),
        "derive, numbers": lambda: sp.derive(model, SHAPE),
        "derive, N H W free, domain solved and checked": lambda: sp.derive(model, "N,1,H,W"),
        **peers(model),
    }
    letters = letter_rows(model)
    print(f"four-stage network, torch {torch.__version__}, {torch.get_num_threads()} threads, median of {RUNS}")
    for name, action in {**rows, **letters}.items():
        seconds = median(action)
        print(f"{name:48} {seconds * 1e3:9.1f} ms {seconds / bare:8.1f}x")


if __name__ == "__main__":
    main()
