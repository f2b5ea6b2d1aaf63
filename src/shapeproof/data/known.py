"""The data sets that shapeproof knows by name: their files, classes and places."""

from __future__ import annotations

import string
from dataclasses import dataclass

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
LETTERS = tuple(string.ascii_lowercase)
ALL_CHARACTERS = DIGITS + tuple(string.ascii_uppercase) + LETTERS
# Letters whose capital looks the same are one class (Cohen et al. 2017, https://arxiv.org/abs/1702.05373).
MERGED_CHARACTERS = tuple(character for character in ALL_CHARACTERS if character not in "cijklmopsuvwxyz")


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
        first_label: What the files call the first class.
        transposed: Whether the files hold each picture with rows and columns exchanged.
    """

    name: str
    folder: str
    classes: tuple[str, ...]
    prefix: str = ""
    test: str = "t10k"
    sha256: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    first_label: int = 0
    transposed: bool = False

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


def _emnist(split: str, classes: tuple[str, ...], first_label: int = 0) -> Known:
    return Known(f"emnist-{split}", "EMNIST", classes, f"emnist-{split}-", "test", (), (), first_label, transposed=True)


# Read where they lie, and not downloaded: nobody has stated checksums of their unpacked files that we could hold to.
OTHERS = (
    Known("fashion-mnist", "FashionMNIST", CLOTHES),
    Known("kmnist", "KMNIST", KANA),
    _emnist("letters", LETTERS, first_label=1),
    _emnist("balanced", MERGED_CHARACTERS),
    _emnist("byclass", ALL_CHARACTERS),
    _emnist("bymerge", MERGED_CHARACTERS),
    _emnist("digits", DIGITS),
    _emnist("mnist", DIGITS),
)

KNOWN = {known.name: known for known in (MNIST, *OTHERS)}
NAMES = ("auto", "digits", *KNOWN)
