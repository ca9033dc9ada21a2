"""What a pipeline does wrong: from which share on it is told, and when nothing is waited for."""

from __future__ import annotations

import pytest

from stream.contracts.summary_message import Source, SummaryBatch
from stream.plans.plan import Plan
from stream.stage2.detection import Step
from stream.stage2.health import Health
from tests.stream.harness import make_plan

DAY = 86_400_000


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(window_events=200, window_min_events=100, window_max_age_ms=DAY)


def batch(
    chunk: int = 0,
    *,
    ahead: int = 0,
    most_ms: int = 0,
    aged: int = 0,
    stale: int = 0,
    partition: int = 0,
) -> SummaryBatch:
    source = Source("id", "predictions", partition, 2)
    return SummaryBatch(
        source,
        chunk,
        chunk + 9,
        "fraud",
        "1",
        b"plan",
        0,
        [],
        ahead=ahead,
        ahead_max_ms=most_ms,
        aged=aged,
        stale=stale,
    )


def window(events: int) -> Step:
    return Step(2_000, 1_000, events, [], True, [], {})


def told(health: Health, events: int, late: int = 0) -> list[tuple[str, float]]:
    return [(one.test, one.value) for one in health.findings(window(events), late)]


def test_late_events_are_told_above_one_in_a_hundred_of_a_window() -> None:
    health = Health()
    assert told(health, 99, late=1) == []
    assert told(health, 98, late=2) == [("late_share", 1 / 99)], "of those since the last window"
    assert told(health, 0, late=3) == [("late_share", 1.0)]
    assert told(health, 50, late=3) == []


def test_events_ahead_are_told_above_one_in_a_hundred_of_a_window() -> None:
    health = Health()
    health.note(batch(ahead=1, most_ms=5_000))
    assert told(health, 100) == []
    health.note(batch(10, ahead=2, most_ms=7_000, partition=1))
    (found,) = health.findings(window(100), 0)
    assert (found.test, found.value) == ("clock_ahead", 0.02)
    assert "by up to 7 s" in found.change
    health.note(batch(20, ahead=9, most_ms=1_000))
    (found,) = health.findings(window(5), 0)
    assert found.value == 1.0, "they may be more than the events of a window"
    assert "by up to 1 s" in found.change, "what was told of before is over"


def test_old_events_are_told_above_one_in_ten() -> None:
    health = Health()
    health.note(batch(aged=100, stale=10))
    assert told(health, 500) == []
    health.note(batch(10, aged=90, stale=10))
    assert told(health, 500) == [("event_age", 10 / 90)]
    assert told(health, 500) == []


def test_clocks_are_judged_before_a_window_once_as_many_wait_as_one_needs(plan: Plan) -> None:
    health = Health()
    assert not health.is_overdue(0, 1_000, plan)
    assert health.waits_since_ms == -1
    assert not health.is_overdue(99, 1_000, plan)
    assert health.is_overdue(100, 1_000, plan)
    health.note(batch(ahead=1))
    assert health.is_overdue(99, 1_000, plan), "those ahead wait as well"


@pytest.mark.parametrize("began_ms", [0, 1_000])
def test_clocks_are_judged_before_a_window_once_one_would_be_over(
    plan: Plan, began_ms: int
) -> None:
    health = Health()
    assert not health.is_overdue(1, began_ms, plan)
    assert not health.is_overdue(2, began_ms + DAY - 1, plan)
    assert health.is_overdue(2, began_ms + DAY, plan)
    step = window(0)
    assert [one.value for one in health.of_clocks(step, 2)] == [1.0]
    assert (health.told, health.waits_since_ms) == (2, -1)
    assert not health.is_overdue(2, began_ms + 9 * DAY, plan), "all were told of"
    assert not health.is_overdue(3, began_ms + 9 * DAY, plan), "and the next wait from now on"


def test_silence_is_told_once_and_ends_with_a_later_pane() -> None:
    health = Health()
    assert health.deadline_ms(60_000) is None, "nothing was heard yet"
    assert not health.hear(10_000)
    assert health.deadline_ms(0) is None, "nobody wants to hear of it"
    assert health.deadline_ms(60_000) == 70_000
    step = health.fall_silent(60_000)
    assert (step.at_ms, step.start_ms) == (70_000, 10_000)
    assert [(one.test, one.value, one.severity) for one in step.findings] == [
        ("no_data", 60.0, "critical")
    ]
    assert health.deadline_ms(60_000) is None
    assert not health.hear(10_000), "a pane of before ends nothing"
    assert health.silent
    assert health.hear(10_001)
    assert not health.silent
    assert health.deadline_ms(60_000) == 70_001
