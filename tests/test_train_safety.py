"""Interruptions: a run that was stopped, killed, or met a full disk comes to the same weights in the end."""

import errno
import json
import os
import pickle
import random
import signal
import time
from pathlib import Path

import pytest
import torch

import shapeproof as sp
import shapeproof.files
from shapeproof.errors import UsageError
from shapeproof.training import checkpoint, files
from shapeproof.training.loop import DivergedError
from shapeproof.training.run import load_run
from shapeproof.training.train import resume
from training_data import small, stripes
from training_workers import context, interrupted, recipe, train_or_resume

KILLS = 50


def bits(path):
    return (path / "model.safetensors").read_bytes()


def lines(path):
    """The metrics without what depends on the clock."""
    clocks = {"images_per_second", "seconds", "seconds_left"}
    return [
        {name: value for name, value in json.loads(line).items() if name not in clocks}
        for line in (path / "metrics.jsonl").read_text().splitlines()
    ]


def killed_after(process, seconds):
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode == -signal.SIGKILL


def test_fifty_kills_at_random_moments_change_no_bit(tmp_path):
    chance = random.Random(20)
    made, kills, runs, epochs = context(), 0, 0, 12
    whole = {}
    while kills < KILLS:
        seed = runs % 2
        if seed not in whole:
            train_or_resume(tmp_path / f"whole{seed}", seed, epochs)
            whole[seed] = bits(tmp_path / f"whole{seed}"), lines(tmp_path / f"whole{seed}")
        path = tmp_path / f"run{runs}"
        ended = False
        while not ended:
            in_write = chance.randint(1, 25) if chance.random() < 0.4 else 0
            process = made.Process(target=interrupted, args=(path, seed, epochs, in_write))
            process.start()
            wait = chance.uniform(0.02, 0.6) if kills < KILLS else 60
            if killed_after(process, wait):
                kills += 1
            else:
                assert process.exitcode == 0
                ended = True
        assert bits(path) == whole[seed][0]
        assert lines(path) == whole[seed][1]
        runs += 1
    assert kills >= KILLS


def test_two_runs_of_one_seed_are_the_same_bits_and_another_seed_is_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        sp.train(small(4), stripes(), recipe(epochs=2), output=tmp_path / name, seed=seed, threads=1)
    assert bits(tmp_path / "a") == bits(tmp_path / "b") != bits(tmp_path / "c")
    assert lines(tmp_path / "a") == lines(tmp_path / "b")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_and_resuming_reaches_the_same_weights(tmp_path, number, monkeypatch):
    from shapeproof.training import loop

    monkeypatch.setattr(loop, "LINES_EVERY", 1)

    def at_step_13(event):
        if event.step == 13 and event.kind == "step":
            os.kill(os.getpid(), number)

    options = {"seed": 3, "validation": 0.1, "threads": 1}
    sp.train(small(4), stripes(), recipe(epochs=3), output=tmp_path / "whole", **options)
    run = sp.train(small(4), stripes(), recipe(epochs=3), output=tmp_path / "cut", callback=at_step_13, **options)
    assert (run.record["status"], run.record["signal"], run.record["step"]) == ("stopped", number, 14)
    usable = load_run(tmp_path / "cut", small(0))
    assert usable.predict(stripes().test_images).shape == (60, 3)
    resume(tmp_path / "cut", model=small(4), data=stripes())
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")
    # the weights are the same to the bit; a sum over pictures may round otherwise where memory lies otherwise
    cut, whole = lines(tmp_path / "cut"), lines(tmp_path / "whole")
    measured = [[row.pop("validation_loss", 0) for row in rows] for rows in (cut, whole)]
    assert cut == whole
    assert measured[0] == pytest.approx(measured[1], rel=1e-5)


def test_a_full_disk_ends_with_one_line_and_the_last_good_state(tmp_path, monkeypatch):
    train_or_resume(tmp_path / "whole", 0, 3)
    real, left = os.fdopen, [12]

    def full(handle, mode):
        left[0] -= 1
        if left[0] < 0:
            os.close(handle)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, mode)

    monkeypatch.setattr(shapeproof.files.os, "fdopen", full)
    with pytest.raises(files.CannotWriteError, match=r"No space left on device.*is whole.*--resume") as caught:
        train_or_resume(tmp_path / "cut", 0, 3, checkpoint_seconds=0.0)
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(shapeproof.files.os, "fdopen", real)
    _, progress = checkpoint.load(tmp_path / "cut" / "state")
    assert progress.step > 0
    train_or_resume(tmp_path / "cut", 0, 3)
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_a_spoilt_checkpoint_is_passed_over_for_the_one_before(tmp_path):
    train_or_resume(tmp_path / "run", 0, 2, checkpoint_seconds=0.0)
    state = tmp_path / "run" / "state"
    older, newer = sorted(state.glob("*.safetensors"))
    assert len(list(state.iterdir())) == 4  # two generations, two files each
    content = bytearray(newer.read_bytes())
    content[-1] ^= 1
    newer.write_bytes(content)
    assert checkpoint.load(state)[1].step == int(older.stem)
    older.unlink()
    with pytest.raises(UsageError, match="no whole checkpoint"):
        checkpoint.load(state)


class Poison(torch.nn.Module):
    """Gives no numbers from its 20th training step on."""

    def __init__(self):
        super().__init__()
        self.inner = small(1)
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        return self.inner(x) * (float("nan") if self.steps > 22 else 1.0)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(tmp_path):
    with pytest.raises(DivergedError, match="became nan at step") as caught:
        sp.train(
            Poison(),
            stripes(),
            recipe(epochs=9),
            output=tmp_path / "run",
            threads=1,
            checkpoint_seconds=0,
            device="cpu",
        )
    run = load_run(tmp_path / "run", Poison())
    assert run.record["status"] == "diverged"
    assert run.record["weights_of_step"] == caught.value.step - 1
    assert all(value.isfinite().all() for value in run.model.state_dict().values())


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_hostile_file_of_weights_runs_nothing(tmp_path, name):
    mark = tmp_path / "ran"
    file = tmp_path / name
    torch.save({"fc.weight": Hostile(mark)}, file)
    if name.endswith("safetensors"):
        file.write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(UsageError):
        files.read_tensors(file)
    assert not mark.exists()


def test_resuming_another_content_of_the_data_is_refused(tmp_path):
    sp.train(small(4), stripes(), recipe(epochs=1), output=tmp_path / "run", threads=1)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**record, "status": "stopped"}))
    with pytest.raises(UsageError, match="another content of stripes"):
        resume(tmp_path / "run", model=small(4), data=stripes(seed=1))


def test_training_leaves_the_callers_random_state_alone(tmp_path):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    model = small(4)
    torch.set_rng_state(before)
    sp.train(model, stripes(), recipe(epochs=1), output=tmp_path / "run", threads=1)
    assert torch.equal(before, torch.get_rng_state())


def test_checkpoints_come_by_seconds_and_not_by_epochs(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    saved = []
    monkeypatch.setattr(checkpoint, "save", lambda folder, tensors, progress: saved.append(progress.step))
    from shapeproof.training import loop

    monkeypatch.setattr(loop, "LINES_EVERY", 1)

    def tick(event):
        clock[0] += 1.0 if event.kind == "step" else 0.0

    sp.train(
        small(4), stripes(), recipe(epochs=2), output=tmp_path / "run", threads=1, callback=tick, checkpoint_seconds=4.0
    )
    assert saved == [0, 4, 8, 12, 16, 18]
