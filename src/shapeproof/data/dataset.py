"""What a data set is once it has been read."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class DataSet:
    """Pictures and their labels, for training and for testing.

    Attributes:
        name: ``"mnist"``, ``"digits"``, ... or the name of the directory that was read.
        train_images: ``uint8 (N, C, H, W)``, 0 to 255.
        train_labels: ``int64 (N,)``, each from 0 to ``len(classes) - 1``.
        test_images: As ``train_images``.
        test_labels: As ``train_labels``.
        classes: The name of each class, by label.
        checksum: SHA-256 over the unpacked content, 64 hexadecimal digits.
        source: Where the set came from: a folder, or the package itself.
        notice: A line that the user must see before training, or ``None``.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    checksum: str
    source: str
    notice: str | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape ``(C, H, W)`` of one picture."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width
