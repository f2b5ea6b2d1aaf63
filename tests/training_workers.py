"""Processes of their own for the tests of training, forked from a server that has torch loaded already."""

import contextlib
import multiprocessing
import os
import signal
import socket

from training_data import small, stripes

PRELOAD = [
    "torch",
    "shapeproof.training.train",
    "shapeproof.derivation.derive",
    "shapeproof.data.dataset",
    "safetensors.torch",
]
RECIPE = {
    "batch_size": 20,
    "optimiser": "muon",
    "muon_learning_rate": 0.02,
    "average": 0.9,
    "shift": 1,
    "rotation": 5.0,
}


def context():
    """The fork server, started once a test process."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(PRELOAD)
    return made


def recipe(**changes):
    from shapeproof.training.recipes import FAST

    return FAST.with_changes(**{**RECIPE, **changes})


def train_or_resume(path, seed, epochs, **more):
    """Begin the run in ``path``, or continue it where there is one."""
    import torch

    from shapeproof.training.train import resume, train

    torch.set_num_threads(1)
    model = small(seed)
    if (path / "run.json").exists():
        return resume(path, model=model, data=stripes())
    options = {"output": path, "seed": seed, "validation": 0.1, "threads": 1, "device": "cpu", **more}
    return train(model, stripes(), recipe(epochs=epochs), **options)


def interrupted(path, seed, epochs, die_at_write):
    """As above, a state a step; dies in the middle of writing a file if told at which."""
    if die_at_write:
        _die_in_write(die_at_write)
    train_or_resume(path, seed, epochs, checkpoint_seconds=0.0)


def _die_in_write(number):
    from shapeproof.training import files

    whole = files.write_whole
    left = [number]

    def half(path, content):
        left[0] -= 1
        if left[0]:
            return whole(path, content)
        (path.parent / f".{path.name}.half").write_bytes(content[: len(content) // 2])
        return os.kill(os.getpid(), signal.SIGKILL)

    files.write_whole = half


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_rank(rank, size, port, work, *args):
    """Run ``work`` as one process of several, as a launcher would start it."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    work(*args)


def together(size, work, *args):
    """Run ``work`` in ``size`` processes; returns their exit codes."""
    port = free_port()
    made = context()
    processes = [made.Process(target=as_rank, args=(rank, size, port, work, *args)) for rank in range(size)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    for process in processes:
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]


def train_small(path, options, stop_at=0, die_at=0):
    """One process's part of a run; ends it, or dies, after a step where told to."""
    import torch

    from shapeproof.training import loop
    from shapeproof.training.train import resume, train

    torch.set_num_threads(1)
    loop.LINES_EVERY = 1
    rank = int(os.environ.get("RANK", "0"))
    step = loop.Trainer._step

    def watched(trainer, number, stop):
        if stop_at and number == stop_at and rank == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        if die_at and number == die_at and rank == 1:
            os._exit(9)
        return step(trainer, number, stop)

    loop.Trainer._step = watched
    model = small(7, dropout=0.0)
    if (path / "run.json").exists():
        run = resume(path, model=model, data=stripes())
    else:
        chosen = recipe(**{"precision": "float32", "epochs": 3.0, **options})
        run = train(model, stripes(), chosen, output=path, seed=1, validation=0.2, threads=1, device="cpu")
    torch.save(run.model.state_dict(), path / f"rank{rank}.pt")
