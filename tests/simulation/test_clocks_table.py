"""The table of wrong clocks counts what it says, on logs of some seconds."""

from __future__ import annotations

from benchmarks.clocks import events, make_plans, measure


def late(by_broker: bool, **wrong: float) -> float:
    cell = measure(make_plans(), events(7, 40.0, 60, 0, **wrong), by_broker=by_broker)
    return float(cell.split(" %")[0])


def test_no_honest_event_is_late_by_a_broker_s_times_and_many_are_by_a_flood() -> None:
    assert late(True) == late(False) == 0
    assert late(True, model=10, by_s=20) == 0
    assert late(False, model=10, by_s=20) > 20
    assert late(False, hosts=1, by_s=20) == 0
