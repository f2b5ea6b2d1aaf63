"""What evaluation measures, against torchmetrics and by hand."""

import pytest
import torch
import torchmetrics.functional.classification as oracle
from PIL import Image

import shapeproof as sp
from shapeproof.errors import UsageError
from shapeproof.training.evaluate import calibration_error, confused, evaluate, reliability, wilson, write_sheet
from shapeproof.training.recipes import REFERENCE
from shapeproof.training.run import load_run, read_metrics
from training_data import small, stripes

NAMES = ("a", "b", "c", "d")


def guesses(count=500):
    generator = torch.Generator().manual_seed(0)
    probabilities = (torch.randn(count, 4, generator=generator) * 2).softmax(1)
    return probabilities, torch.randint(0, 4, (count,), generator=generator)


def test_everything_agrees_with_torchmetrics():
    probabilities, labels = guesses()
    found = evaluate(probabilities, labels, NAMES)
    accuracy = oracle.multiclass_accuracy(probabilities, labels, 4, average="micro")
    assert found.accuracy == pytest.approx(float(accuracy))
    assert torch.equal(torch.tensor(found.confusion), oracle.multiclass_confusion_matrix(probabilities, labels, 4))
    recalls = oracle.multiclass_recall(probabilities, labels, 4, average=None).tolist()
    precisions = oracle.multiclass_precision(probabilities, labels, 4, average=None).tolist()
    assert [score.recall for score in found.classes] == pytest.approx(recalls)
    assert [score.precision for score in found.classes] == pytest.approx(precisions)
    error = oracle.multiclass_calibration_error(probabilities, labels, 4, n_bins=15, norm="l1")
    assert found.calibration_error == pytest.approx(float(error), abs=1e-5)
    assert found.loss == pytest.approx(float(torch.nn.functional.nll_loss(probabilities.log(), labels)), abs=1e-6)


def test_wilsons_interval_by_hand():
    # 9 of 10 with z = 2: (0.9 + 4/20 -+ 2 sqrt(0.9*0.1/10 + 4/400)) / (1 + 4/10)
    low, high = wilson(9, 10, z=2.0)
    half = 2 * 0.019**0.5
    assert (low, high) == pytest.approx(((1.1 - half) / 1.4, (1.1 + half) / 1.4))
    assert wilson(10, 10)[1] == pytest.approx(1.0)
    assert wilson(0, 10)[0] == pytest.approx(0.0)


def test_calibration_by_hand():
    # Two pictures at 0.9, one right; two at 0.6, both right: |2*0.9 - 1| + |2*0.6 - 2| = 0.8 + 0.8, over four.
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert calibration_error(probabilities, torch.tensor([0, 1, 0, 0])) == pytest.approx(0.4)


def test_reliability_by_hand():
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.5, 0.5]])
    bins = reliability(probabilities, torch.tensor([0, 1, 0, 1]), bins=4)
    told = [(b.low, b.high, b.count, b.confidence, b.accuracy) for b in bins if b.count]
    assert [row[:3] for row in told] == [(0.25, 0.5, 1), (0.5, 0.75, 1), (0.75, 1.0, 2)]
    assert [row[4] for row in told] == [0.0, 1.0, 0.5]
    assert [row[3] for row in told] == pytest.approx([0.5, 0.6, 0.9])
    assert sum(b.count for b in bins) == 4


def test_what_is_taken_for_what_comes_most_frequent_first():
    probabilities = torch.eye(3)[[1, 1, 2, 0, 1]]
    found = evaluate(probabilities, torch.tensor([0, 0, 0, 0, 1]), ("a", "b", "c"))
    assert confused(found) == [("a", "b", 2), ("a", "c", 1)]


def test_mistakes_come_most_confident_first():
    probabilities = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    found = evaluate(probabilities, torch.tensor([1, 1, 1, 0]), ("zero", "one"))
    assert [(m.index, m.true, m.told) for m in found.mistakes] == [(1, 1, 0), (0, 1, 0)]


def test_a_class_without_pictures_has_no_share():
    found = evaluate(torch.tensor([[0.9, 0.1]]), torch.tensor([0]), ("zero", "one"))
    assert (found.classes[1].recall, found.classes[1].precision) == (None, None)


def test_nothing_to_evaluate_and_other_classes_are_told():
    with pytest.raises(UsageError, match="no test pictures"):
        evaluate(torch.empty(0, 4), torch.empty(0, dtype=torch.int64), NAMES)
    with pytest.raises(UsageError, match=r"gives \(3, 2\), but the data wants \(3, 4\)"):
        evaluate(torch.ones(3, 2), torch.zeros(3, dtype=torch.int64), NAMES)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_of_mistakes_is_a_picture(tmp_path, channels):
    probabilities, labels = guesses(30)
    images = torch.randint(0, 256, (30, channels, 12, 12), dtype=torch.uint8)
    shown = write_sheet(tmp_path / "worst.png", images, evaluate(probabilities, labels, NAMES), limit=9)
    assert shown == 9
    assert Image.open(tmp_path / "worst.png").size == (8 * 96 + 12, 2 * 120 + 12)


def test_a_run_is_opened_and_used(tmp_path):
    data = stripes()
    recipe = REFERENCE.with_changes(epochs=4, learning_rate=0.01, batch_size=20)
    events = []
    run = sp.train(small(2), data, recipe, output=tmp_path / "run", threads=1, callback=events.append, validation=0.2)
    opened = load_run(tmp_path / "run", small(0))
    assert torch.equal(opened.predict(data.test_images), run.predict(data.test_images))
    found = evaluate(opened.predict(data.test_images), data.test_labels, opened.classes)
    assert found.accuracy == opened.accuracy == run.accuracy > 0.9
    assert opened.recipe == recipe
    assert opened.classes == data.classes
    assert [line["step"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [
        event.step for event in events
    ]
    assert {"step", "epoch", "loss", "accuracy", "images_per_second"} <= set(opened.metrics[0])
    best = max(event.validation_accuracy for event in events if event.kind == "epoch")
    assert opened.record["final"]["validation_accuracy"] == best
    for part in ("split", "seed", "versions", "machine", "data", "preparation", "final"):
        assert opened.record[part] is not None
    with pytest.raises(UsageError, match=r"expected pictures uint8 \(N, 1, 12, 12\)"):
        opened.predict(data.test_images.float())


def test_weights_of_another_network_are_refused_by_name(tmp_path):
    sp.train(small(2), stripes(), "reference", output=tmp_path / "run", threads=1)
    with pytest.raises(UsageError, match="another network's"):
        load_run(tmp_path / "run", torch.nn.Linear(2, 2))
    with pytest.raises(UsageError, match=r"fc.weight is \(3, 216\), but Small has \(4, 216\)"):
        load_run(tmp_path / "run", small(0, classes=4))


def test_early_stopping_keeps_the_best(tmp_path):
    recipe = REFERENCE.with_changes(epochs=30, learning_rate=0.01, batch_size=20, patience=2)
    run = sp.train(small(2), stripes(), recipe, output=tmp_path / "run", threads=1, validation=0.2)
    epochs = [line for line in run.metrics if line["kind"] == "epoch"]
    scores = [line["validation_accuracy"] for line in epochs]
    assert len(epochs) < 30
    assert scores.index(max(scores)) == len(scores) - 3
    assert run.record["final"]["validation_epoch"] == len(scores) - 2


def test_tensorboard_gets_scalars_graph_and_filters(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    sp.train(small(2), stripes(), "reference", output=tmp_path / "run", threads=1, validation=0.2, tensorboard=True)
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [point.step for point in found.Scalars("epoch/loss")] == [2, 4, 6, 8, 10]
    assert {"epoch/accuracy", "validation/accuracy", "validation/loss"} <= set(found.Tags()["scalars"])
    assert found.Tags()["graph"]
    assert found.Tags()["images"] == ["first-layer filters/0"] or len(found.Tags()["images"]) > 0
