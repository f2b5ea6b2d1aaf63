"""A rule is asked once for the same arguments, and again for anything that it could tell apart."""

import pytest
import torch

from shapeproof.capture.answers import Answers
from shapeproof.dims import letter
from shapeproof.dims.conditions import collecting
from shapeproof.rules.registry import Derived, Operand, Rule, Violation, require


@pytest.fixture
def asked():
    """How often a rule ran, and the rule: the first size must be a multiple of the second argument."""
    times = []

    def function(tensor, by, *_, **__):
        times.append(by)
        require("mod", tensor.shape[0], by, "argument", f"a multiple of {by}", f"{tensor.shape[0]}")
        return Derived(tensor.shape, "", f"{type(by).__name__} {by}")

    return times, Rule("probe", function, "")


def test_the_same_arguments_are_answered_once(asked):
    times, rule = asked
    answers = Answers()
    first, second = (
        answers.ask(rule, (Operand((8, 3)), 2, (..., slice(1, None))), {"dim": [1, (2, None)]}) for _ in range(2)
    )
    assert first is second
    assert len(times) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((Operand((8,)), 1), (Operand((8,)), True)),
        ((Operand((8,)), 2), (Operand((8,)), 2.0)),
        ((Operand((8,)), 2), (Operand((letter("N", 8),)), 2)),
        ((Operand((letter("N", 8),)), 2), (Operand((letter("M", 8),)), 2)),
        ((Operand((8,)), 2), (Operand((8,), "int64"), 2)),
        ((Operand((8,)), 2, (1, 2)), (Operand((8,)), 2, [1, 2])),
        ((Operand((8,)), 2, (0, True)), (Operand((8,)), 2, (0, 1))),
        ((Operand((8,)), 2, slice(0, 2)), (Operand((8,)), 2, slice(0, letter("N", 2)))),
        ((Operand((8,)), 2, slice(0, 1)), (Operand((8,)), 2, slice(0, True))),
        ((Operand((8,)), 2, torch.float16), (Operand((8,)), 2, torch.float32)),
        ((Operand((8,)), 2, object()), (Operand((8,)), 2, object())),
    ],
)
def test_what_a_rule_can_tell_apart_is_asked_again(asked, one, other):
    times, rule = asked
    answers = Answers()
    for args in (one, other):
        assert answers.ask(rule, args, {}) == rule(args, {})
    assert len(times) == 4


def test_conditions_are_told_and_refusals_raised_each_time(asked):
    _, rule = asked
    answers = Answers()
    for _ in range(2):
        with collecting(apart=True) as stated:
            answers.ask(rule, (Operand((letter("N", 8),)), 2), {})
        assert [str(condition.relation) for condition in stated] == ["N = 0 mod 2"]
        with pytest.raises(Violation, match="a multiple of 3"):
            answers.ask(rule, (Operand((8,)), 3), {})
