"""How threads wait: short where nobody said otherwise."""

import pytest

from shapeproof.training import waiting


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_what_is_set_already_stays(monkeypatch, given, wanted):
    environment = dict(given)
    monkeypatch.setattr(waiting.os, "environ", environment)
    waiting.wait_briefly()
    assert environment == wanted
