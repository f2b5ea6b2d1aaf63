"""Derive the architectures of timm, torchvision and transformers, and count what the rules make of them.

Those packages are not needed by shapeproof: install them where you like (they want a torch with torchvision beside
it), put ``src`` on the path, and run a zoo, whole or in part:

    python scripts/zoo.py timm --shard 0/4 --report zoo-timm-0.json
    python scripts/zoo.py transformers --only 'bert*'

Weights are never allocated: models are built on the meta device.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import fnmatch
import json
import logging
import random
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import zoo_transformers

import shapeproof as sp
from shapeproof.files import write_whole


def timm_zoo() -> dict[str, Any]:
    """Every architecture of timm, at the input size of its default configuration."""
    import timm

    def made(name: str) -> Any:
        model = timm.create_model(name, pretrained=False)
        size = model.default_cfg.get("input_size", (3, 224, 224))
        return model, (torch.zeros(2, *size),), {}

    return {name: (lambda name=name: made(name)) for name in timm.list_models()}


def torchvision_zoo() -> dict[str, Any]:
    """Every architecture of torchvision that runs on the meta device; detection networks by their backbones."""
    import torchvision
    from torchvision.models import get_model, list_models

    def made(name: str) -> Any:
        plain: dict[str, Any] = {"weights": None}
        if name in list_models(module=torchvision.models.detection) or "segmentation" in str(name):
            plain["weights_backbone"] = None
        if name in list_models(module=torchvision.models.segmentation):
            plain["weights_backbone"] = None
        model = get_model(name, **plain)
        if hasattr(model, "backbone") and name in list_models(module=torchvision.models.detection):
            model = model.backbone
        if name in list_models(module=torchvision.models.video):
            return model, (torch.zeros(1, 3, 16, 224, 224),), {}
        if name in list_models(module=torchvision.models.optical_flow):
            return model, (torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, 128, 128)), {}
        return model, (torch.zeros(2, 3, *_side(name)),), {}

    return {name: (lambda name=name: made(name)) for name in list_models() if not name.startswith("quantized")}


def _side(name: str) -> tuple[int, int]:
    size = {"inception_v3": 299, "ssd300_vgg16": 300}.get(name, 224)
    return size, size


ZOOS = {
    "timm": timm_zoo, "torchvision": torchvision_zoo, "transformers": zoo_transformers.zoo,
    "transformers-media": zoo_transformers.media_zoo,
}  # fmt: skip


def one_per_family(names: list[str]) -> list[str]:
    """The first architecture of each prefix, for an early look."""
    return list({name.split("_")[0].rstrip("0123456789"): name for name in reversed(names)}.values())[::-1]


class TooLong(BaseException):
    """An architecture took longer than it may; no ``Exception``, so that no model swallows it."""


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """What runs longer is ended with ``TooLong``."""

    def end(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def looked_at(make: Any, train: bool, seconds: int) -> dict[str, Any]:
    """Derive one architecture; what is no rule's or not equal is listed with a line of source."""
    try:
        with at_most(seconds):
            return _looked_at(make, train)
    except TooLong:
        return {"verdict": "too long", "why": f"not done within {seconds} s"}


def _looked_at(make: Any, train: bool) -> dict[str, Any]:
    try:
        model, args, kwargs = _built(make)
    except Exception as error:  # noqa: BLE001  # an architecture that cannot be built is told of, not hidden
        return {"verdict": "not built", "why": f"{type(error).__name__}: {error}"[:300]}
    model.train(train)
    begun = time.perf_counter()
    try:
        found = sp.derive(model, *args, **kwargs)
    except Exception as error:  # noqa: BLE001  # likewise
        bare = _bare(model, args, kwargs)
        return {"verdict": "exception" if bare is None else "does not run", "why": bare or _traced(error)}
    row: dict[str, Any] = {"verdict": found.verdict, "steps": len(found.steps), "macs": found.cost.macs}
    row["seconds"] = round(time.perf_counter() - begun, 3)
    row["ops"] = dict(collections.Counter(step.op for step in found.steps))
    row["bad"] = [
        {"op": s.op, "verdict": s.verdict, "source": s.source, "inputs": str(s.inputs), "output": str(s.output),
         "derived": str(s.derived)}
        for s in found.steps if s.verdict != "proved"
    ][:20]  # fmt: skip
    if found.diagnosis:
        row["why"] = found.diagnosis.message
        row["verdict"] = "failed" if _bare(model, args, kwargs) is None else "does not run"
    return row


def _built(make: Any) -> Any:
    """A model and its inputs on the meta device; with memory where building it reads values."""
    try:
        with torch.device("meta"):
            return make()
    except NotImplementedError:
        return make()


def _traced(error: BaseException) -> str:
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    at = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
    return f"{type(error).__name__}: {error} at {at}"[:500]


def _bare(model: Any, args: Any, kwargs: Any) -> str | None:
    """What the model itself raises without shapeproof; ``None`` where it runs."""
    try:
        with torch.no_grad():
            model(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # likewise
        return _traced(error)
    return None


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Counts by verdict, the operations without a rule, and an example of everything that is not proved."""
    lines = [f"{n:6d} {verdict}" for verdict, n in collections.Counter(r["verdict"] for r in rows.values()).items()]
    steps = sum(row.get("steps", 0) for row in rows.values())
    ops = collections.Counter(op for row in rows.values() for op in row.get("ops", {}))
    lines.append(f"{steps} steps, {len(ops)} distinct operations")
    seen: dict[tuple[str, str], list[Any]] = {}
    for name, row in rows.items():
        for bad in row.get("bad", ()):
            seen.setdefault((bad["verdict"], bad["op"]), [name, bad, set()])[2].add(name)
    for (verdict, op), (name, bad, users) in sorted(seen.items(), key=lambda item: -len(item[1][2])):
        lines.append(f"  {verdict:12} {op:34} in {len(users):4} {name}: {bad['source']}")
        lines.append(f"      {bad['inputs'][:150]} -> {bad['output'][:100]} derived {bad['derived'][:100]}")
    for name, row in rows.items():
        if row["verdict"] in ("exception", "failed", "not built", "does not run", "too long"):
            lines.append(f"  {row['verdict']:12} {name}: {row.get('why', '')[:300]}")
    return "\n".join(lines)


def chosen(names: list[str], asked: argparse.Namespace) -> list[str]:
    """The names that the options leave, in the zoo's order; the same seed draws the same sample."""
    names = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in asked.only.split(","))]
    families = one_per_family(names)
    if asked.families:
        names = families
    place, count = map(int, asked.shard.split("/"))
    names = names[place::count]
    if asked.sample:
        rest = [name for name in names if name not in families]
        drawn = set(random.Random(asked.seed).sample(rest, min(asked.sample, len(rest))))  # noqa: S311  # no secret
        names = [name for name in names if name in drawn]
    return names


def main() -> None:
    """Run a zoo, print its table, and write each architecture's row where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("zoo", choices=sorted(ZOOS))
    parser.add_argument("--shard", default="0/1", help="I/N: every Nth architecture from the Ith")
    parser.add_argument("--only", default="*", help="names that match one of these patterns, with commas between")
    parser.add_argument("--families", action="store_true", help="one architecture of each family")
    parser.add_argument("--sample", type=int, help="this many, drawn by --seed from those that --families leaves out")
    parser.add_argument("--seed", type=int, default=0, help="what --sample draws by")
    parser.add_argument("--train", action="store_true", help="in training mode")
    parser.add_argument("--seconds", type=int, default=300, help="the longest that one architecture may take")
    parser.add_argument("--report", type=Path, help="write every row as JSON here")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    try:
        zoo = ZOOS[asked.zoo]()
    except ImportError as error:
        sys.exit(f"{asked.zoo} is not installed here ({error}); install it into the environment that runs this script")
    rows: dict[str, dict[str, Any]] = {}
    for name in chosen(list(zoo), asked):
        rows[name] = looked_at(zoo[name], asked.train, asked.seconds)
        if rows[name]["verdict"] != "proved":
            print(f"{name}: {rows[name]['verdict']}", file=sys.stderr, flush=True)
        if asked.report:
            write_whole(asked.report, json.dumps(rows, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
