"""Rules against PyTorch on random arguments, for the files that hold the makers of those arguments."""

import random

import shapeproof as sp

CASES = 200


def shapes(result):
    return tuple(tuple(one.shape) for one in result) if isinstance(result, (tuple, list)) else tuple(result.shape)


def assert_agreement(name, maker):
    """Over all cases the shape, and whether the call is refused, are the rule's; and both outcomes occur."""
    rng = random.Random(name)
    verdicts = []
    for case in range(CASES):
        fn, tensors = maker(rng)
        try:
            expected = shapes(fn(*(t.clone() for t in tensors)))  # clones: the call may write into its argument
        except (RuntimeError, ValueError, IndexError) as error:
            expected = error
        found = sp.derive(fn, *tensors)
        assert found.verdict in ("proved", "failed"), (name, case, found.to_text(), expected)
        if found.verdict == "proved":
            assert found.output == expected, (name, case)
        else:
            assert isinstance(expected, Exception), (name, case)
        verdicts.append(found.verdict)
    assert {"proved", "failed"} == set(verdicts)
