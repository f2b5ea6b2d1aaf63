"""Known networks with letters: known answers, exact, and each symbolic result against a numeric derivation."""

import random

import pytest
import torch

import shapeproof as sp
from letter_networks import (
    FPN,
    GPT,
    VGG,
    AlexFeatures,
    AlexNet,
    Counted,
    Dense,
    Encoder,
    Generator,
    LeNet,
    Mobile,
    PaddingUNet,
    ResNet50,
    UNet,
    ViT,
)  # fmt: skip
from shapeproof.dims.dim import at
from shapeproof.models.document import FourStage, TwoStage

ANY = "N >= 1, H >= 1, W >= 1"
# name -> model, specs, what the domain reads
KNOWN = {
    "four-stage": (FourStage().eval(), ["N,1,H,W"], "16 <= H <= 31, 16 <= W <= 31, N >= 1"),
    "two-stage": (
        TwoStage().eval(), ["N,1,H,W"],
        "(28 <= H <= 31, 28 <= W <= 31, N >= 1) or (4 <= H <= 7, 196 <= W <= 199, N >= 1) "
        "or (196 <= H <= 199, 4 <= W <= 7, N >= 1)",
    ),
    "LeNet": (
        LeNet(), ["N,1,H,W"],
        "(32 <= H <= 35, 32 <= W <= 35, N >= 1) or (16 <= H <= 19, 112 <= W <= 115, N >= 1) "
        "or (112 <= H <= 115, 16 <= W <= 19, N >= 1)",
    ),
    "AlexNet's features": (AlexFeatures(), ["N,3,H,W"], "H >= 63, W >= 63, N >= 1"),
    "AlexNet": (AlexNet(), ["N,3,H,W"], "H >= 63, W >= 63, N >= 1"),
    "VGG with adaptive pooling": (VGG(True).eval(), ["N,3,H,W"], "H >= 32, W >= 32, N >= 1"),
    "ResNet-50": (ResNet50().eval(), ["N,3,H,W"], ANY),
    "ResNet-50 in training": (ResNet50().train(), ["N,3,H,W"], "(N >= 2) or (H >= 33) or (W >= 33)"),
    "U-Net of five levels": (
        UNet().eval(), ["N,1,H,W"], "H = 0 mod 32, H >= 32, W = 0 mod 32, W >= 32, N >= 1",
    ),
    "U-Net that pads": (PaddingUNet(2).eval(), ["N,1,H,W"], "H >= 4, W >= 4, N >= 1"),
    "GPT that checks": (GPT().eval(), ["int64[N,T]"], "1 <= T <= 64, N >= 1"),
    "GPT": (GPT(checks=False).eval(), ["int64[N,T]"], "1 <= T <= 64, N >= 1"),
    "table of positions": (Counted().eval(), ["int64[N,T]"], "1 <= T <= 1024, N >= 1"),
    "ViT that interpolates": (ViT(interpolates=True).eval(), ["N,3,H,W"], "H >= 4, W >= 4, N >= 1"),
    "DenseNet": (Dense().eval(), ["N,3,H,W"], "H >= 5, W >= 5, N >= 1"),
    "FPN": (FPN(exact=True).eval(), ["N,3,H,W"], ANY),
    "DCGAN": (Generator().eval(), ["N,10,H,W"], ANY),
    "transformer encoder": (Encoder().eval(), ["int64[N,T]", "bool[N,T]"], "N >= 1, T >= 1"),
    "MobileNet": (Mobile().eval(), ["N,3,H,W"], ANY),
    "MobileNet in training": (Mobile().train(), ["N,3,H,W"], "(N >= 2) or (H >= 5) or (W >= 5)"),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_answer(name):
    model, specs, reads = KNOWN[name]
    d = sp.derive(model, *specs)
    assert (d.verdict, str(d.domain)) == ("proved", reads)
    assert d.domain.exact, d.domain.why
    assert not d.warnings


@pytest.mark.parametrize("name", KNOWN)
def test_letters_give_what_numbers_give(name):
    model, specs, _ = KNOWN[name]
    d = sp.derive(model, *specs)
    chosen = random.Random(0)
    for _ in range(2):
        part = chosen.choice(d.domain.parts[:1])
        wanted = {letter: chosen.randint(1, 80) for letter in d.domain.letters} | {"N": chosen.randint(1, 3)}
        sizes = part.point(wanted)
        numeric = d.at(**sizes)
        assert numeric.verdict == "proved"
        assert [numbers(step.output, sizes) for step in d.steps] == [step.output for step in numeric.steps]
        assert at(d.cost.macs, sizes) == numeric.cost.macs


def numbers(shape, sizes):
    if isinstance(shape, (tuple, list)):
        return type(shape)(numbers(part, sizes) for part in shape)
    return at(shape, sizes) if isinstance(shape, int) else shape


def test_vit_is_pinned_to_its_table_of_positions():
    found = sp.derive(ViT().eval(), "N,3,H,W").domain
    assert found.boxes[0]["H"].text("H") == "32 <= H <= 35"
    assert found.exact
    assert found.contains(H=16, W=64)  # 4 * 16 patches are 64 too
    assert not found.contains(H=36, W=32)


def test_unet_in_training_needs_two_values_at_the_bottom():
    found = sp.derive(UNet().train(), "N,1,H,W").domain
    assert found.exact
    assert not found.contains(N=1, H=32, W=32)
    assert found.contains(N=1, H=64, W=32)
    assert found.contains(N=2, H=32, W=32)


@pytest.mark.slow
def test_torch_export_knows_less():
    """PyTorch's own dynamic shapes give a lower bound only, where the last layer bounds the size from above too."""
    from torch.export import Dim, export

    free = {"x": {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}}
    program = export(FourStage().eval(), (torch.zeros(2, 1, 28, 28),), dynamic_shapes=free)
    ranges = [(int(r.lower), r.upper) for r in program.range_constraints.values()]
    ours = sp.derive(FourStage().eval(), "N,1,H,W").domain.intervals
    assert ours["H"] == ours["W"] == [(16, 31)]
    assert all(upper > 31 for _, upper in ranges)
