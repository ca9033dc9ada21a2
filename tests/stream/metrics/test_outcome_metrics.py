"""The metrics page says how right a model was in its last full windows."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from stream.contracts.plan_settings import Limit
from stream.decode.record import FileRecord
from stream.metrics import MetricsCollector
from stream.metrics.gauges import bounded, signal_gauges
from stream.plans.plan import PlanBook
from stream.replay import Replay
from stream.stage2 import windows
from tests.stream.harness import make_events, make_plan, make_reference
from tests.stream.metrics.test_metrics import FileState

WINDOW = 1_000
Page = dict[str, dict[tuple[str, str], float]]


def replayed(events: list[bytes], **settings: Any) -> FileState:
    book = PlanBook()
    reference = make_reference(n=6_000, outcomes=True)
    book.add(make_plan(reference=reference, window_events=WINDOW, **settings))
    state = FileState(Replay(book))
    for _ in state.replay.run(FileRecord(i, 0, event) for i, event in enumerate(events)):
        pass
    return state


def page_of(state: FileState) -> Page:
    """family -> (segment, metric) -> value."""
    return {
        family.name.removeprefix("driftstream_"): {
            (sample.labels["segment"], sample.labels.get("metric", "")): sample.value
            for sample in family.samples
        }
        for family in MetricsCollector(state).collect()
        if "_outcome" in family.name
    }


def test_metrics_are_those_of_the_events_of_the_last_full_window() -> None:
    events = make_events(3, 4_000, outcomes=True)
    state = replayed(events)
    page = page_of(state)
    (held,) = state.replay.monitor.subjects.values()
    assert held.detection is not None
    window = held.detection.windows.last[""]
    read = [msgspec.json.decode(event) for event in events]
    inside = [
        event for event in read if window.start_ms <= event["timestamp"] * 1000 < window.end_ms
    ]
    assert len(inside) == window.events
    known = [event for event in inside if "actual" in event]
    right = np.mean([(e["prediction"]["score"] >= 0.5) == (e["actual"] == "yes") for e in known])
    assert page["outcome_events"]["", ""] == len(known) < window.events
    assert page["outcome"]["", "accuracy"] == pytest.approx(right)
    for metric, value in page["outcome"].items():
        if metric in page["outcome_low"]:
            low, high = (page[f"outcome_{end}"][metric] for end in ("low", "high"))
            assert low <= value <= high, metric
    # No law says how much the error of calibration varies.
    assert set(page["outcome"]) - set(page["outcome_low"]) == {
        (segment, "calibration_error") for segment in ("", "region=eu", "region=us")
    }
    assert {segment for segment, _ in page["outcome_reference"]} == {""}
    low, high = (page[f"outcome_estimated_{end}"]["", "accuracy"] for end in ("low", "high"))
    assert low < page["outcome"]["", "accuracy"] < high
    assert not any(math.isnan(v) for family in page.values() for v in family.values())


def test_what_scores_let_expect_stays_where_the_truth_is_turned_round() -> None:
    page = page_of(replayed(make_events(3, 4_000, drift_at=1_000, outcomes=True)))
    assert page["outcome"]["", "accuracy"] < 0.3
    assert page["outcome_estimated_low"]["", "accuracy"] > 0.6
    assert page["outcome_reference"]["", "accuracy"] == pytest.approx(0.75, abs=0.03)


def test_a_window_without_truths_has_estimates_and_no_metric() -> None:
    page = page_of(replayed(make_events(3, 4_000)))
    assert page["outcome_events"]["", ""] == 0.0
    assert page["outcome"] == {}
    assert ("", "accuracy") in page["outcome_estimated"]


def test_without_room_no_metric_stands_for_others() -> None:
    state = replayed(make_events(3, 4_000, outcomes=True))
    every = list(signal_gauges(state.replay.monitor.subjects.values()))
    for limit in (20, 60, 100):
        kept, dropped = bounded(every, limit)
        assert dropped
        assert not [g for g in kept if g.family.startswith("outcome") and g.segment == "__other__"]


def test_limits_and_the_evidence_that_they_are_passed() -> None:
    limits = Limit(metric="accuracy", at_least=0.7), Limit(metric="accuracy", at_least=0.8)
    state = replayed(make_events(3, 4_000, outcomes=True), limits=limits)
    page = {
        family.name.removeprefix("driftstream_"): {
            sample.labels["limit"]: sample.value for sample in family.samples
        }
        for family in MetricsCollector(state).collect()
        if "_limit" in family.name
    }
    assert page["limit"] == {"accuracy at least 0.7": 0.7, "accuracy at least 0.8": 0.8}
    kept, passed = page["limit_evidence"].values()  # accuracy is three in four
    assert 0.0 <= kept < passed <= 1.0


def test_views_of_segments_that_are_silent_for_long_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windows, "MAX_SCOPES", 3)
    events = make_events(3, 4_000, outcomes=True)
    named = []
    for i, event in enumerate(events):
        read = msgspec.json.decode(event)
        read["segments"]["region"] = f"r{i // 500}"
        named.append(msgspec.json.encode(read))
    book = PlanBook()
    reference = make_reference(n=6_000, outcomes=True)
    book.add(make_plan(reference=reference, window_max_age_ms=300_000))
    state = FileState(Replay(book))
    seen: set[str] = set()
    for first in range(0, len(named), 250):
        part = (FileRecord(i, 0, named[i]) for i in range(first, first + 250))
        for _ in state.replay.run(part, at_end=False):
            pass
        seen |= {segment for segment, _ in page_of(state).get("outcome_events", {})}
    (held,) = state.replay.monitor.subjects.values()
    assert held.detection is not None
    views = held.detection._outcomes
    assert views is not None
    assert len(seen) > 4
    assert set(views._made) <= set(held.detection.windows.last)
