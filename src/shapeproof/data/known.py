"""The data sets that shapeproof knows by name: their files, classes and places."""

from __future__ import annotations

from dataclasses import dataclass

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Known:
    """A data set that has a name.

    Attributes:
        name: What the user types.
        folder: Its folder in torchvision's layout, ``ROOT/<folder>/raw``.
        classes: The name of each class.
        prefix: What stands before ``train-images-idx3-ubyte`` in its file names.
        test: How its test files call themselves.
        sha256: Of the unpacked files, by :attr:`files`; empty where nobody has stated them.
        mirrors: Addresses of folders that hold the gzipped files, in the order in which to try them.
    """

    name: str
    folder: str
    classes: tuple[str, ...]
    prefix: str = ""
    test: str = "t10k"
    sha256: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, str, str, str]:
        """The four files, without ``.gz``: training images and labels, test images and labels."""
        train, test = f"{self.prefix}train", f"{self.prefix}{self.test}"
        return (
            f"{train}-images-idx3-ubyte",
            f"{train}-labels-idx1-ubyte",
            f"{test}-images-idx3-ubyte",
            f"{test}-labels-idx1-ubyte",
        )


MNIST = Known(
    name="mnist",
    folder="MNIST",
    classes=DIGITS,
    sha256=(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "http://yann.lecun.com/exdb/mnist",
    ),
)

KNOWN = {known.name: known for known in (MNIST,)}
