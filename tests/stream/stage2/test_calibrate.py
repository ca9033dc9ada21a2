"""The calibration period: dependence measured in production, for a reference without order."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from detectors import fit_reference
from detectors.references.recalibrate import MOST_BATCHES, PaneBatches, calibrated
from stream.plans.plan import Plan, PlanBook, Subject
from tests.stream.harness import START_S, make_events, make_plan, make_reference, run_stages

N = 2_500
RHO = 0.95


def ar1(n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=n) * (1 - RHO**2) ** 0.5
    values = np.empty(n)
    values[0] = noise[0] / (1 - RHO**2) ** 0.5
    for i in range(1, n):
        values[i] = RHO * values[i - 1] + noise[i]
    return values


def slow_events(n: int, seed: int, drift_at: int | None = None) -> list[bytes]:
    """One event a second; x is an AR(1) of marginal N(0, 1)."""
    values = ar1(n, seed)
    if drift_at is not None:
        values[drift_at:] += 1.5
    return [
        msgspec.json.encode(
            {
                "model": {"name": "slow", "version": "1"},
                "timestamp": START_S + i,
                "features": {"x": value},
            }
        )
        for i, value in enumerate(values.tolist())
    ]


@pytest.fixture(scope="module")
def unordered():
    """A reference of the same law whose rows were shuffled."""
    shuffled = np.random.default_rng(0).permutation(ar1(20_000, 1))
    return fit_reference({"x": shuffled}, model="slow")


def alerts_of(reference, events, **settings):
    book = PlanBook()
    book.add(Plan(model="slow", reference=reference, false_alarms_per_week=1.0, **settings))
    alerts, monitor = run_stages(book, events, partitions=2, seed=0, chunk_records=4_096)
    return alerts, monitor.subjects[Subject("slow", "1")]


def test_a_slow_stream_alarms_without_it_and_is_silent_with_it(unordered):
    events = slow_events(40_000, 2)
    without, held = alerts_of(unordered, events)
    assert without
    assert held.detection.plan.reference is unordered
    calm, held = alerts_of(unordered, events, calibrate_ms=15_000_000)
    assert calm == []
    (x,) = held.detection.plan.reference.signals
    truth = (1 + RHO) / (1 - RHO)
    assert 0.7 * truth <= x.calibration.phi_x <= 2.5 * truth  # with a margin for few batches
    assert held.detection.plan.reference.events_per_week == 604_800
    assert held.detection.results  # it was tested


def test_drift_after_it_is_found_and_names_the_calibrated_reference(unordered):
    events = slow_events(50_000, 3, drift_at=30_000)
    alerts, held = alerts_of(unordered, events, calibrate_ms=15_000_000)
    assert alerts[0]["data"]["labels"]["kind"] == "data_drift"
    assert alerts[0]["data"]["reference"] == held.detection.plan.reference.hash != unordered.hash
    assert alerts[0]["data"]["config"] == held.phase.plan.hash


def test_it_ends_when_its_time_is_over():
    plan = make_plan(calibrate_ms=1_000_000, segments=())
    book = PlanBook()
    book.add(plan)
    _, monitor = run_stages(book, make_events(3, N), partitions=1, seed=0)
    held = monitor.subjects[Subject("fraud", "1")]
    assert held.phase.tested_since_ms == (START_S + 1_000) * 1000
    assert held.phase.warmup is None
    assert held.detection.windows.born_ms == held.phase.tested_since_ms


@pytest.mark.parametrize("partitions", [1, 3])
def test_partitions_and_snapshots_at_any_point_change_nothing(partitions):
    """Law 1 and law 5, through the period, its end and the drift behind it."""
    book = PlanBook()
    book.add(make_plan(calibrate_ms=1_000_000))
    events = make_events(11, N, drift_at=N // 2)
    truth, whole = run_stages(book, events, partitions=1, seed=0)
    assert truth
    assert whole.subjects[Subject("fraud", "1")].phase.tested_since_ms
    alerts, monitor = run_stages(book, events, partitions=partitions, seed=1, snapshot_every=0.15)
    assert alerts == truth
    dumps = [m.subjects[Subject("fraud", "1")].phase.dump() for m in (whole, monitor)]
    # Windows say which offsets they are of, and those depend on the partitions.
    states = [msgspec.msgpack.decode(dump)[:-1] for dump in dumps]
    assert states[0] == states[1]


def test_batches_are_bounded_and_a_function_of_the_panes():
    rng = random.Random(1)
    panes = [(i * 10, rng.randint(0, 9)) for i in range(1_000)]
    whole = PaneBatches(2)
    again = PaneBatches(2)
    for start_ms, events in panes:
        counts = np.array([events, events], np.int64)
        whole.add(start_ms, counts)
        again.add(start_ms, counts)
        assert MOST_BATCHES >= len(whole) > (MOST_BATCHES // 2 - 1) * (whole.level > 0)
        if rng.random() < 0.1:
            state = again.dump()
            again = PaneBatches(2)
            again.load(state)
    assert whole.dump() == again.dump()
    events = np.array([events for _, events in panes])
    naive = [events[at : at + 8].sum() for at in range(0, 1_000, 8)]
    assert whole.table[:, 0].tolist() == naive


def test_batches_of_a_cycle_are_sevenths_of_it():
    batches = PaneBatches(1, cycle_ms=70)
    for start_ms in range(0, 140, 5):
        batches.add(start_ms, np.ones(1, np.int64))
    assert batches.table[:, 0].tolist() == [2] * 14


def test_signals_that_production_does_not_have_keep_what_the_reference_says():
    reference = make_reference()
    width = reference.layout().width
    table = np.zeros((60, width), np.int64)
    table[:, 0] = 100
    x = reference.signals[0]
    table[:, 1 : 1 + x.binning.n_bins] = np.random.default_rng(0).multinomial(
        100, x.counts / x.counts.sum(), 60
    )
    result = calibrated(reference, reference.signals, table, first_ms=0, last_ms=604_800_000)
    assert result.signals[0].calibration.batches == 60
    assert result.signals[0].calibration.phi < 2
    assert result.signals[1].calibration is reference.signals[1].calibration
    assert (result.events_per_week, result.ordered) == (6_000, True)
    assert not any("rows have no times" in words for words in result.warnings)
    assert type(result).from_json(result.to_json()).hash == result.hash
