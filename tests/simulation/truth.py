"""The run without faults, and what a run with faults has to have in common with it."""

from __future__ import annotations

from functools import cache
from typing import Final

from tests.simulation.scenario import Outcome, Scenario, outcome, run
from tests.simulation.world import World

__all__ = ["DENSE", "FAULTS", "check", "truth"]

#: Chance of a fault at every turn, which takes each worker one step on.
FAULTS: Final = 0.03
#: Of a short run: a fault every eighth step or so, and no more than it has time to get over.
DENSE: Final = {"faults": 4 * FAULTS, "most": 20}
#: Events of one model that may come while a partition is being called idle.
_AT_IDLENESS: Final = 1


@cache
def truth(scenario: Scenario) -> Outcome:
    """What comes of a scenario when nothing fails."""
    world, made = run(scenario, 0, faults=0)
    assert not made
    return outcome(world)


def check(world: World, expected: Outcome) -> None:
    """The same alerts and states, and the same late events.

    A chunk that is read again after its partition was called idle names once more what idleness
    had sealed; stage 2 cannot tell it from late events and may count some more. And when a
    partition is called idle is chance: an event that comes just then may be late in one run and
    counted in the other, which is outside of the law. A state may differ by no more than that.
    """
    got = outcome(world)
    assert got.alerts == expected.alerts
    assert got.last == expected.last
    for subject, state in expected.states.items():
        moved = got.late[subject] - expected.late[subject]
        if not (world.idleness and 0 < abs(moved) <= _AT_IDLENESS):
            assert got.states[subject] == state
    assert got.states.keys() == expected.states.keys()
    assert not got.declared_loss
    assert "shrunk" not in got.refused
    if world.idleness:
        assert all(got.late[subject] >= n - _AT_IDLENESS for subject, n in expected.late.items())
    else:
        assert got.late == expected.late
        assert got.sealed == expected.sealed
