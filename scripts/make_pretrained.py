"""Make the networks that shapeproof ships: `python scripts/make_pretrained.py FOLDER`. Needs MNIST and half an hour.

Trains the four-stage network by the recipe `best` for 10 epochs, a tenth of the training pictures held back, and
the judge of certainty on the same pictures and on ones that are no digits; stores both in float16; measures both as
they are stored; and prints how many held-back digits stay sure.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import torch
from no_digits import no_digits

from shapeproof.data import load
from shapeproof.serving.opening import JUDGE, SHIPPED
from shapeproof.training import recipes
from shapeproof.training.batches import split
from shapeproof.training.files import read_tensors, tensors_as_bytes, write_bytes, write_json
from shapeproof.training.run import METRICS, RECORD, WEIGHTS, read_record
from shapeproof.training.train import train

HELD_BACK, SEED, EPOCHS, JUDGE_EPOCHS, NO_DIGITS = 0.1, 0, 10.0, 5.0, 30_000


def main(folder: Path) -> None:
    """Train what is not there yet under ``folder``, store both networks in the package, and measure them."""
    folder.mkdir(parents=True, exist_ok=True)
    data = load("mnist")
    if not (folder / "digits" / WEIGHTS).is_file():
        recipe = recipes.find("best").with_changes(epochs=EPOCHS)
        train("four-stage", "mnist", recipe, output=folder / "digits", validation=HELD_BACK, threads=1, quiet=False)
    if not (folder / "judge" / WEIGHTS).is_file():
        recipe = recipes.find("best").with_changes(epochs=JUDGE_EPOCHS, normalise=False)
        both, target = with_no_digits(data), "shapeproof.serving.judge:Judge"
        train(target, both, recipe, output=folder / "judge", validation=HELD_BACK, threads=1, quiet=False)
    store(folder)
    measure(data)


def with_no_digits(data: Any) -> Any:
    """MNIST and an eleventh class."""
    new = torch.from_numpy(no_digits(data.train_images[:, 0].numpy(), data.train_labels.numpy(), NO_DIGITS, SEED))
    new, tenth = new[:, None], torch.full((len(new),), 10)
    kept = len(new) - 1000
    return dataclasses.replace(
        data,
        name="mnist and no digits",
        train_images=torch.cat([data.train_images, new[:kept]]),
        train_labels=torch.cat([data.train_labels, tenth[:kept]]),
        test_images=torch.cat([data.test_images, new[kept:]]),
        test_labels=torch.cat([data.test_labels, tenth[kept:]]),
        classes=(*data.classes, "none"),
    )


def store(folder: Path) -> None:
    """Both networks in float16, with the record of the run, in which no folder of this machine is named."""
    SHIPPED.mkdir(exist_ok=True)
    record = read_record(folder / "digits")
    record["data"]["source"] = "the data set's public files"
    record["notes"] = [*record["notes"], "the weights are stored in float16"]
    write_json(SHIPPED / RECORD, record)
    write_bytes(SHIPPED / METRICS, (folder / "digits" / METRICS).read_bytes())
    for name, target in (("digits", WEIGHTS), ("judge", JUDGE)):
        weights = read_tensors(folder / name / WEIGHTS)
        halved = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
        write_bytes(SHIPPED / target, tensors_as_bytes(halved))


def measure(data: Any) -> None:
    """Accuracy as stored, and the certainty of digits that took no part in training."""
    from shapeproof.serving.certainty import AGREED, CLEAR, judged
    from shapeproof.serving.opening import open_run

    run = open_run(None)
    found = (run.predict(data.test_images).argmax(1) == data.test_labels).float().mean()
    _, held = split(len(data.train_labels), HELD_BACK, SEED)
    report = {"test accuracy as stored": float(found), "clear": CLEAR, "agreed": AGREED}
    for name, images in (("held back", data.train_images[held]), ("test", data.test_images)):
        told = run.predict(images, moved=True)
        chance, label = told.max(1)
        agreed = judged(images).gather(1, label[:, None])[:, 0]
        report[f"sure, {name}"] = float(((chance >= CLEAR) & (agreed >= AGREED)).float().mean())
        report[f"quantiles of agreement, {name}"] = torch.quantile(agreed, torch.tensor([0.003, 0.006, 0.01])).tolist()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
