"""The laws of docs/architecture.md over the real stages: partitions, chunks, snapshots, plans."""

from __future__ import annotations

import datetime
import random

import msgspec
import pytest

from stream.contracts.plan_settings import Limit
from stream.plans.plan import PlanBook, Subject
from tests.stream.harness import START_S, make_events, make_plan, make_reference, run_stages

N = 2_500
PAIR = ("region", "age")


@pytest.fixture(scope="module")
def reference():
    return make_reference(outcomes=True, protected=("region", PAIR))


@pytest.fixture(scope="module")
def plans(reference) -> PlanBook:
    book = PlanBook()
    limits = (
        Limit(metric="accuracy", at_least=0.7),
        Limit(metric="mean", signal="x", at_most=0.4),
    )
    by = ("region", PAIR)
    book.add(make_plan(reference=reference, limits=limits, segments=by, protected=by))
    return book


@pytest.fixture(scope="module")
def drifting() -> list[bytes]:
    return make_events(11, N, drift_at=N // 2, outcomes=True, unequal=True, ages=True)


@pytest.fixture(scope="module")
def truth(plans, drifting):
    alerts, monitor = run_stages(plans, drifting, partitions=1, seed=0)
    assert alerts, "the stream must raise alerts, or nothing is compared"
    kinds = {alert["subject"].rpartition("/")[2] for alert in alerts}
    assert {"data_drift", "performance", "concept_drift", "fairness"} <= kinds
    found = {signal["name"] for alert in alerts for signal in alert["data"]["signals"]}
    assert {"accuracy at least 0.7", "mean of 'x' at most 0.4"} <= found
    assert {"demographic parity by region", "demographic parity ratio by region"} <= found
    assert "demographic parity by region, age" in found
    scopes = {signal.get("segment") for alert in alerts for signal in alert["data"]["signals"]}
    assert {"region=us", "region=us, age=60+"} <= scopes
    return alerts, state_of(monitor)


def state_of(monitor):
    held = monitor.subjects[Subject("fraud", "1")]
    detection = held.detection
    windows = {s: w.counts.tolist() for s, w in detection.windows.filling.items()}
    last = {s: w.counts.tolist() for s, w in detection.windows.last.items()}
    limits = detection.limits and detection.limits.dump()
    fairness = detection.fairness and detection.fairness.dump()
    tests = (*detection.sequential.dump(), detection.relation.dump(), limits, fairness)
    return held.panes_sealed, windows, last, tests, held.episodes.dump()


@pytest.mark.parametrize("partitions", [1, 3, 8])
@pytest.mark.parametrize("seed", range(3))
def test_partitions_and_polls_change_no_bit(plans, drifting, truth, partitions, seed):
    alerts, monitor = run_stages(
        plans, drifting, partitions=partitions, seed=seed, chunk_records=(64, 128, 400)[seed]
    )
    assert alerts == truth[0]
    assert state_of(monitor) == truth[1]


@pytest.mark.parametrize("seed", range(3))
def test_a_snapshot_at_any_point_changes_nothing(plans, drifting, truth, seed):
    alerts, monitor = run_stages(plans, drifting, partitions=3, seed=seed, snapshot_every=0.15)
    assert alerts == truth[0]
    assert state_of(monitor) == truth[1]


@pytest.mark.parametrize("snapshot_every", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(2))
def test_putting_subjects_away_at_any_point_changes_nothing(
    plans, drifting, truth, seed, snapshot_every
):
    alerts, monitor = run_stages(
        plans, drifting, partitions=3, seed=seed, release_every=0.3, snapshot_every=snapshot_every
    )
    assert alerts == truth[0]
    assert state_of(monitor) == truth[1]


@pytest.mark.parametrize(
    "settings",
    [
        # By age, within a pane.
        {"window_events": 10**9, "window_max_age_ms": 333_000, "protected": ("region",)},
        {"cycle_ms": 600_000, "window_events": 10**9, "protected": ("region",)},
        {"segments": ("age", PAIR), "protected": (PAIR,)},
        {"pane_ms": 7_000, "lateness_ms": 0, "segments": ()},
    ],
)
def test_windows_of_any_kind_are_the_same_over_partitions(reference, drifting, settings):
    book = PlanBook()
    book.add(make_plan(reference=reference, **settings))
    outcomes = [
        run_stages(book, drifting, partitions=p, seed=p, snapshot_every=0.02, release_every=0.1)
        for p in (1, 3, 8)
    ]
    assert outcomes[0][0]
    for alerts, monitor in outcomes[1:]:
        assert alerts == outcomes[0][0]
        assert state_of(monitor) == state_of(outcomes[0][1])


@pytest.mark.parametrize(
    "settings", [{"window_events": 300}, {"pane_ms": 30_000}, {"pane_ms": 7_000, "segments": ()}]
)
def test_a_plan_that_takes_over_is_the_same_over_partitions(reference, drifting, settings):
    """Wherever it is published for, and whatever its panes: none is cut and none is lost."""
    book = PlanBook()
    book.add(make_plan(reference=reference))
    book.add(make_plan(reference=reference, **settings), (START_S + N // 3) * 1000 + 123)
    outcomes = [
        run_stages(book, drifting, partitions=p, seed=p, snapshot_every=0.02) for p in (1, 3, 8)
    ]
    assert outcomes[0][0]
    for alerts, monitor in outcomes:
        assert monitor.refused == {}
        assert alerts == outcomes[0][0]
        assert state_of(monitor) == state_of(outcomes[0][1])


def disordered(seed: int) -> list[bytes]:
    """The drifting stream with one event in ten up to a minute behind its time."""
    rng = random.Random(seed)
    events = []
    for value in make_events(11, N, drift_at=N // 2):
        event = msgspec.json.decode(value)
        if rng.random() < 0.1:
            event["timestamp"] -= rng.choice((3, 4, 12, 60))
        events.append(msgspec.json.encode(event))
    return events


@pytest.mark.parametrize("partitions", [1, 3])
def test_late_events_are_the_same_however_they_are_read(plans, partitions):
    """Polls, chunks, turns and snapshots decide nothing: late is a matter of the log alone."""
    events = disordered(5)
    outcomes = []
    for seed, chunk in enumerate((50, 128, 1_000, 10**6)):
        alerts, monitor = run_stages(
            plans,
            events,
            partitions=partitions,
            seed=seed,
            chunk_records=chunk,
            dealt=3,
            snapshot_every=0.02 * seed,
        )
        drift = [a for a in alerts if a["data"]["labels"]["kind"] != "system"]
        late = monitor.subjects[Subject("fraud", "1")].late_total
        panes, windows, last, adwin, _ = state_of(monitor)
        outcomes.append((drift, late, panes, windows, last, adwin))
    assert outcomes[0][1] > 50
    for outcome in outcomes[1:]:
        assert outcome == outcomes[0]


def test_drift_opens_an_episode_that_names_its_signal_after_the_change(truth):
    for kind, signal in (("data_drift", "x"), ("performance", "error")):
        alert = next(a for a in truth[0] if a["data"]["labels"]["kind"] == kind)
        assert alert["data"]["status"] == "firing"
        assert signal in {each["name"] for each in alert["data"]["signals"]}
        seconds = msgspec.convert(alert["time"], datetime.datetime).timestamp()
        assert START_S + N // 2 < seconds < START_S + N // 2 + 450


def test_no_drift_no_alert(reference):
    book = PlanBook()
    book.add(make_plan(reference=reference, false_alarms_per_week=1.0))
    alerts, monitor = run_stages(book, make_events(3, N), partitions=2, seed=1)
    assert alerts == []
    assert monitor.subjects[Subject("fraud", "1")].panes_sealed == N // 10
