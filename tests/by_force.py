"""A rule's domain against brute force: the same random calls as elsewhere, with letters for some of their sizes."""

import itertools
import re

import torch

import shapeproof as sp
from agreement import REFUSALS, closed_over
from shapeproof.capture.spec import DTYPES, given_sizes, parse
from shapeproof.derivation.inputs import tensor_for

LETTERS = "HWK"
REACH = range(1, 8)


def lettered(rng, tensors):
    """Specs of the tensors with at most three letters, equal sizes now and then under one; ``None`` for odd tensors."""
    shapes = [[str(size) for size in t.shape] for t in tensors]
    if any(t.layout != torch.strided or 0 in t.shape or _dtype(t) not in DTYPES for t in tensors):
        return None
    places = [(i, j) for i, shape in enumerate(shapes) for j in range(len(shape))]
    chosen = rng.sample(places, min(len(places), rng.randint(1, 3)))
    for name, (i, j) in zip(LETTERS, chosen, strict=False):
        size = tensors[i].shape[j]
        shapes[i][j] = f"{name}={size}"
        for a, b in places:
            if shapes[a][b] == str(size) and rng.random() < 0.4:
                shapes[a][b] = f"{name}={size}"
    return [f"{_dtype(t)}[{','.join(shape)}]" for t, shape in zip(tensors, shapes, strict=True)]


def _dtype(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def contradictions(fn, specs, reach=REACH):
    """Where a domain that is called exact and PyTorch differ; ``None`` where nothing is claimed."""
    parsed = [parse(spec) for spec in specs]
    try:
        found = sp.derive(fn, *specs)
    except REFUSALS:
        sizes = given_sizes(parsed)
        if _runs(fn, [tensor_for(spec, sizes, frozenset(), fn)[0] for spec in parsed]):
            raise  # it is none of the call's own
        return None
    if found.domain is None or not found.domain.exact:
        return None
    wrong = []
    for values in itertools.product(reach, repeat=len(found.domain.letters)):
        sizes = dict(zip(found.domain.letters, values, strict=True))
        runs = _runs(fn, [tensor_for(spec, sizes, frozenset(), fn)[0] for spec in parsed])
        if found.domain.contains(**sizes) is not runs:
            wrong.append((sizes, runs))
    return wrong and [str(found.domain), *wrong[:3]]


def _runs(fn, tensors):
    try:
        with torch.no_grad():
            fn(*tensors)
    except REFUSALS:
        return False
    return True


def cases(maker, rng, most):
    """So many calls with their specs."""
    while most:
        fn, tensors = maker(rng)
        specs = lettered(rng, tensors)
        most -= 1
        if specs and any("=" in spec for spec in specs):
            yield fn, specs, closed_over(fn)


def shorter(fn, specs):
    """The same call on tensors cut by one along every lettered size, so that sizes of 0 occur; and its specs."""
    cuts = [tuple(slice(1 if entry.name else 0, None) for entry in parse(spec).entries) for spec in specs]
    longer = [re.sub(r"=(\d+)", lambda match: f"={int(match[1]) + 1}", spec) for spec in specs]
    return (lambda *tensors: fn(*(tensor[cut] for tensor, cut in zip(tensors, cuts, strict=True)))), longer
