"""For how long a model was in alarm: counted by panes, whatever the partitions and restarts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.alert_event import parse_time
from stream.plans.plan import PlanBook, Subject
from stream.stage2.alarms import Alarms
from tests.stream.harness import START_S, make_events, make_plan, make_reference, run_stages

DAY = 86_400_000
PANE = 10_000

kinds = st.sampled_from([(), ("system",), ("data_drift",), ("data_quality", "system")])


def phase(reference: str = "a", *, tested: bool = True) -> Any:
    return SimpleNamespace(detection=object() if tested else None, reference_hash=reference)


@given(st.lists(st.tuples(st.integers(1, 5 * DAY), kinds), min_size=1, max_size=80))
@settings(max_examples=200, deadline=None)
def test_the_share_of_four_weeks_as_a_naive_twin_counts_it(script):
    alarms, seen, now = Alarms(), [], 0
    for passed, firing in script:
        now += passed
        alarms.pane(now, phase(), firing)
        seen.append((now // DAY, any(kind != "system" for kind in firing)))
        alarms = msgspec.msgpack.decode(msgspec.msgpack.encode(alarms), type=Alarms)
        late = [alarm for day, alarm in seen if day > now // DAY - 28]
        assert alarms.ratio == pytest.approx(sum(late) / len(late))
        assert (alarms.panes, alarms.in_alarm) == (len(seen), sum(alarm for _, alarm in seen))
        assert len(alarms.days) <= 28


def test_it_begins_anew_with_another_reference_and_counts_nothing_untested():
    alarms = Alarms()
    assert alarms.ratio is None
    alarms.pane(0, phase(tested=False), ("data_drift",))
    assert alarms.ratio is None
    alarms.pane(PANE, phase("a"), ("data_drift",))
    assert alarms.ratio == 1.0
    alarms.pane(2 * PANE, phase("b"), ())
    assert (alarms.ratio, alarms.panes) == (0.0, 1)


def naive(alerts: list[dict[str, Any]], panes: list[int]) -> int:
    """Panes after which an episode was open, by the alert events alone."""
    spans: dict[str, list[int]] = {}
    for alert in alerts:
        data = alert["data"]
        if data["labels"]["kind"] != "system":
            begins = parse_time(data["startsAt"])
            ends = parse_time(alert["time"]) if data["status"] == "resolved" else 2**62
            spans[data["episode"]] = [begins, ends]
    return sum(any(begins <= p + PANE < ends for begins, ends in spans.values()) for p in panes)


@pytest.mark.parametrize("drift_at", [None, 0, 1_200])
def test_partitions_restarts_and_the_alerts_agree(drift_at: int | None) -> None:
    plans = PlanBook()
    plans.add(make_plan(segments=()))
    events = make_events(1, 2_400, drift_at=drift_at)
    panes = list(range(START_S * 1000, (START_S + 2_400) * 1000, PANE))
    found = []
    for seed, partitions, every in ((1, 1, 0.0), (2, 3, 0.0), (3, 2, 0.3)):
        alerts, monitor = run_stages(
            plans, events, partitions=partitions, seed=seed, snapshot_every=every
        )
        alarms = monitor.subjects[Subject("fraud", "1")].alarms
        assert (alarms.panes, alarms.in_alarm) == (len(panes), naive(alerts, panes))
        assert alarms.ratio == alarms.in_alarm / alarms.panes
        found.append(alarms.in_alarm)
    assert len(set(found)) == 1
    assert (found[0] > 0) == (drift_at is not None)
    if drift_at is not None:
        assert found[0] / len(panes) == pytest.approx(1 - drift_at / 2_400, abs=0.1)


def test_a_new_reference_ends_what_was_counted_against_the_old() -> None:
    plans = PlanBook()
    plans.add(make_plan(segments=()))
    later = make_plan(segments=(), reference=make_reference(seed=6))
    plans.add(later, effective_from_ms=(START_S + 1_200) * 1000)
    _, monitor = run_stages(plans, make_events(1, 2_400, drift_at=0), partitions=2, seed=1)
    alarms = monitor.subjects[Subject("fraud", "1")].alarms
    assert alarms.reference == later.reference.hash
    assert alarms.panes == 120
