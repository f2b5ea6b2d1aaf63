"""A layer that refuses its own arguments when it is made: heads, groups that do not divide."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any

from torch import nn

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import Edit
from shapeproof.diagnosis.propose import expression
from shapeproof.diagnosis.reading import called_name, given
from shapeproof.diagnosis.rebuild import CONVS, TRANSPOSED, names

HEADS = {"MultiheadAttention": "num_heads"}  # every other layer with attention in it says nhead


def find(case: Case) -> Iterator[Edit]:
    """Another number of parts, one that divides the width."""
    found = _parts(case)
    node = case.node
    if found is None or not isinstance(node, ast.Call) or case.spot is None:
        return
    attribute, parts, wide, code = found
    kind: Any = getattr(nn, called_name(node), None)
    argument = given(node, names(kind)).get(attribute) if kind is not None else None
    if argument is None:
        return
    for new in divisors_near(parts, wide)[:2]:
        words = f"choose {attribute} so that it divides {wide if code != 'groups' else 'both channels'}"
        yield expression(case, case.spot, argument, str(new), words, "argument", new, 0.1, code, attribute)


def terms(case: Case) -> tuple[str, str, str] | None:
    """Code, what the layer needs, and what it was given."""
    found = _parts(case)
    if found is None:
        return None
    attribute, parts, wide, code = found
    if code == "groups":
        held = case.frames[-1][0].f_locals
        said = f"in_channels = {held['in_channels']} and out_channels = {held['out_channels']}"
        return code, f"groups that divide both {said}", f"groups = {parts}"
    return code, f"{attribute} that divides {wide}", f"{attribute} = {parts}"


def divisors_near(parts: int, wide: int) -> list[int]:
    """The numbers that divide ``wide``, the nearest to ``parts`` first, 1 last."""
    all_of = [n for n in range(1, wide + 1) if wide % n == 0]
    return sorted(all_of, key=lambda n: (n == 1, abs(n - parts), n))


def _parts(case: Case) -> tuple[str, int, int, str] | None:
    """The argument, its value, the width that it must divide, and the code; where a layer refused to be made."""
    if not case.frames or case.frames[-1][0].f_code.co_name != "__init__" or case.owner is None:
        return None
    held = case.frames[-1][0].f_locals
    called = called_name(case.node) if isinstance(case.node, ast.Call) else ""
    if isinstance(case.owner, nn.MultiheadAttention):
        return HEADS.get(called, "nhead"), held["num_heads"], held["embed_dim"], "heads"
    groups = held.get("groups")
    if isinstance(case.owner, (*CONVS, *TRANSPOSED)) and groups:
        return "groups", groups, math.gcd(held["in_channels"], held["out_channels"]), "groups"
    if isinstance(case.owner, nn.GroupNorm):
        return "num_groups", held["num_groups"], held["num_channels"], "num-features"
    return None
