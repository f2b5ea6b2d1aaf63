"""LaTeX: what a student would hand in, well formed whatever a derivation holds, and compiled where TeX is."""

import re
import shutil
import subprocess

import pytest
from torch import nn

import shapeproof as sp
from letter_networks import FPN, GPT, PaddingUNet, ResNet50
from shapeproof.models.document import FourStage, TwoStage
from shapeproof.render.tex_math import arithmetic, text

ODD = nn.Sequential(nn.Conv2d(1, 2, 3, dilation=2), nn.MaxPool2d((3, 2), ceil_mode=True))
DOCUMENTS = {
    "numbers": (FourStage().eval(), (8, 1, 28, 28)),
    "letters": (FourStage().eval(), "N,1,H,W"),
    "a failure": (TwoStage().eval(), "N,1,32,32"),
    "ceil and dilation": (ODD, "N,1,H,W"),
    "several outputs": (FPN(exact=True).eval(), "N,3,H,W"),
    "a residual network": (ResNet50().eval(), (1, 3, 64, 64)),
    "padding": (PaddingUNet(2).eval(), "N,1,H,W"),
    "attention": (GPT().eval(), "int64[N,T]"),
}


def latex(name):
    model, spec = DOCUMENTS[name]
    return sp.derive(model, spec).to_latex()


def test_formula_substitution_and_result_stand_below_one_another():
    found = latex("numbers")
    assert r"With $H = 28, p = 2, k = 5, s = 1$:" in found
    rows = [
        r"\text{height and width} &= \left\lfloor \frac{H + 2p - k}{s} \right\rfloor + 1 \\",
        r"&= \left\lfloor \frac{28 + 2 \cdot 2 - 5}{1} \right\rfloor + 1 \\",
        "&= 28",
    ]
    assert "\n".join(rows) in found
    assert r"128 \cdot 1 \cdot 1 &= 128" in found


@pytest.mark.parametrize(
    ("line", "reads"),
    [
        ("floor(H/16)", r"\left\lfloor \frac{H}{16} \right\rfloor"),
        ("ceil((H + 1)/2) - 1", r"\left\lceil \frac{H + 1}{2} \right\rceil - 1"),
        ("32*(H - 2)^2", r"32 \cdot \left(H - 2\right)^{2}"),
        ("(N, 16, 28, 28)", r"\left(N,\ 16,\ 28,\ 28\right)"),
        ("(*, in_features)", r"\left(*,\ \mathrm{in\_features}\right)"),
        ("needs 128, has 128", r"\text{needs 128, has 128}"),
        ("50% of {x} & #1_a", r"\text{50\% of \{x\} \& \#1\_a}"),
    ],
)
def test_arithmetic(line, reads):
    assert arithmetic(line) == reads


def test_signs_of_latex_stand_as_they_are():
    assert text(r"a\b_c^d~e$") == r"a\textbackslash{}b\_c\textasciicircum{}d\textasciitilde{}e\$"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_well_formed(name):
    found = latex(name)
    bare = found.replace(r"\{", "").replace(r"\}", "")
    depth = 0
    for sign in bare:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    opened = re.findall(r"\\begin\{(\w+\*?)\}", found)
    assert sorted(opened) == sorted(re.findall(r"\\end\{(\w+\*?)\}", found))
    assert len(re.findall(r"\\left[\\(|]", found)) == len(re.findall(r"\\right[\\)|]", found))
    outside = re.sub(r"\\begin\{align\*\}.*?\\end\{align\*\}", "", found.replace(r"\$", ""), flags=re.DOTALL)
    assert outside.count("$") % 2 == 0
    assert found.isascii()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed (texlive-latex-base has it)")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_compiles(name, tmp_path):
    (tmp_path / "a.tex").write_text(latex(name), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60)
    assert done.returncode == 0, done.stdout[-1500:]
    assert (tmp_path / "a.pdf").stat().st_size > 1000
