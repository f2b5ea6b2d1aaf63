"""The project's own frozen dataclasses behave as the standard library's do."""

import copy
import dataclasses
import inspect
import pickle

import pytest

from shapeproof.records import dataclass, usual


@dataclass(frozen=True)
class Ours:
    """A point."""

    x: int
    y: tuple = (1, 2)
    aside: int = dataclasses.field(default=0, repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Theirs:
    x: int
    y: tuple = (1, 2)
    aside: int = dataclasses.field(default=0, repr=False, compare=False)


@dataclass(frozen=True)
class Further(Ours):
    z: int = 5


@dataclass(frozen=True)
class Clashing:
    values: int
    name: str = "n"
    entry: object = None


@dataclass()
class Open:
    held: list = dataclasses.field(default_factory=list)


@pytest.mark.parametrize("made", [(3,), (3, (4,)), (3, (4,), 7)])
def test_ours_are_written_equal_and_hashed_as_theirs_are(made):
    ours, theirs = Ours(*made), Theirs(*made)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert hash(ours) == hash(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert ours == Ours(*made[:2], aside=99)
    assert ours != Ours(4)
    assert ours != theirs


def test_what_is_frozen_stays_as_it_was_made():
    point = Ours(3)
    with pytest.raises(dataclasses.FrozenInstanceError, match="x"):
        point.x = 4
    with pytest.raises(dataclasses.FrozenInstanceError, match="new"):
        point.new = 4
    with pytest.raises(dataclasses.FrozenInstanceError, match="x"):
        del point.x
    assert dataclasses.replace(point, x=4) == Ours(4)
    assert point == Ours(3)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_are_equal_and_other_objects(copied):
    point = Further(3, z=6)
    assert copied(point) == point
    assert copied(point) is not point


def test_arguments_are_taken_and_refused_as_theirs():
    ours, theirs = (list(inspect.signature(kind).parameters) for kind in (Ours, Theirs))
    assert ours == theirs
    for wrong in ((), (1, 2, 3, 4)):
        with pytest.raises(TypeError):
            Ours(*wrong)
    with pytest.raises(TypeError, match="w"):
        Ours(1, w=2)
    assert Further(1).z == 5
    assert Further(1) != Ours(1)


def test_a_field_may_have_any_name():
    assert vars(Clashing(1, entry=2)) == {"values": 1, "name": "n", "entry": 2}


def test_what_is_open_can_change_and_shares_nothing():
    first, second = Open(), Open()
    first.held.append(1)
    assert second.held == []
    second.held = [1]
    assert first == second
    with pytest.raises(TypeError, match="unhashable"):
        hash(first)


def test_a_class_that_checks_its_fields_is_asked_to():
    @dataclass(frozen=True)
    class Positive:
        size: int

        def __post_init__(self):
            if self.size < 1:
                raise ValueError(self.size)

    assert Positive(1).size == 1
    with pytest.raises(ValueError, match="0"):
        Positive(0)


@pytest.mark.parametrize("marked", [lambda cls: cls, usual])
def test_the_first_is_made_as_the_later_ones_are(marked):
    @marked
    @dataclass(frozen=True)
    class Made:
        x: int
        y: tuple = (1, 2)
        held: list = dataclasses.field(default_factory=list)

    for _ in range(3):
        first, second = Made(1, held=[3]), Made(2, (4,))
        assert (vars(first), vars(second)) == ({"x": 1, "y": (1, 2), "held": [3]}, {"x": 2, "y": (4,), "held": []})


def test_one_that_is_wrong_from_the_start_is_refused():
    @dataclass()
    class Made:
        x: int

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Made()
