"""Loading by name and by directory: what comes out, and what a broken file says."""

from __future__ import annotations

import torch

from shapeproof.data import load


def test_digits_are_shipped_split_and_stratified():
    data = load("digits")
    assert data.train_images.shape == (1437, 1, 28, 28)
    assert data.test_images.shape == (360, 1, 28, 28)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.dtype == torch.int64
    assert data.train_labels.bincount().min() >= 141
    assert data.test_labels.bincount().tolist() == [35, 36, 35, 37, 37, 37, 37, 36, 33, 37]
    assert data.shape == (1, 28, 28)
    assert len(data.checksum) == 64


def test_auto_without_mnist_is_digits_and_says_so(tmp_path):
    data = load("auto", root=tmp_path, download=False)
    assert data.name == "digits"
    assert "MNIST" in data.notice
