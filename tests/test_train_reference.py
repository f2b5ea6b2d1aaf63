"""The reference recipe against a plain PyTorch loop, loss by loss."""

import pytest
import torch
from torch import nn

import shapeproof as sp
from shapeproof.data import load
from shapeproof.models.document import FourStage, TwoStage
from shapeproof.training.batches import epoch_order
from shapeproof.training.progress import Event, iteration_line
from shapeproof.training.recipes import REFERENCE


def plain_loop(model, images, labels, orders):
    """The document's loop as anyone would write it, over given orders."""
    loss_func = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    losses = []
    for order in orders:
        for at in range(0, len(order), 100):
            x = images[order[at : at + 100]].float() / 255
            y = labels[order[at : at + 100]]
            loss = loss_func(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("network", [TwoStage, FourStage])
def test_every_loss_and_weight_is_that_of_a_plain_loop(network, tmp_path, monkeypatch):
    from shapeproof.training import loop

    monkeypatch.setattr(loop, "LINES_EVERY", 1)  # an event each step
    data = load("digits")
    torch.manual_seed(3)
    ours, theirs = network(), network()
    theirs.load_state_dict(ours.state_dict())
    events = []
    recipe = REFERENCE.with_changes(epochs=2)
    sp.train(ours, data, recipe, output=tmp_path / "run", seed=5, callback=events.append, threads=1, device="cpu")
    orders = [epoch_order(len(data.train_labels), 5, epoch) for epoch in range(2)]
    expected = plain_loop(theirs, data.train_images, data.train_labels, orders)
    assert [event.loss for event in events if event.kind == "step"] == pytest.approx(expected, abs=1e-6)
    for name, value in theirs.state_dict().items():
        assert torch.allclose(value, ours.state_dict()[name], atol=1e-5), name


def test_reference_is_the_documents_training():
    assert (REFERENCE.batch_size, REFERENCE.learning_rate, REFERENCE.epochs) == (100, 0.001, 5)
    assert (REFERENCE.optimiser, REFERENCE.betas, REFERENCE.schedule) == ("adam", (0.9, 0.999), "constant")
    changes = {REFERENCE.shift, REFERENCE.warps, REFERENCE.flip, REFERENCE.normalise, REFERENCE.margin}
    assert changes == {0}


def test_the_line_every_hundred_steps_reads_as_in_the_document():
    event = Event("step", 100, 3000, 1, 5, 100, 600, 0.12344, 0.9, 1.0, 1.0, 1.0)
    assert iteration_line(event) == "Epoch [1/5], Iter [100/600] Loss: 0.1234"


def test_an_epoch_shows_each_picture_once_and_each_epoch_anew():
    first, second = (epoch_order(1000, 0, epoch) for epoch in (0, 1))
    assert first.sort().values.tolist() == list(range(1000))
    assert not torch.equal(first, second)
    assert torch.equal(first, epoch_order(1000, 0, 0))
