"""Memory of subjects: what is equal is shared, what is no longer shown is forgotten."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from detectors import Reference, fit_reference
from stream.plans.plan import Plan
from stream.stage2 import windows as windows_module
from stream.stage2.detection import Detection
from stream.stage2.panes import Sealed
from stream.stage2.shared_tables import SharedTables
from tests.stream.harness import make_plan

SIGNALS = 20


@pytest.fixture(scope="module")
def encoded() -> bytes:
    rng = np.random.default_rng(0)
    columns = {f"f{i:02d}": rng.normal(size=5_000) for i in range(SIGNALS)}
    return fit_reference(columns, model="m", times_ms=np.arange(5_000) * 1_000).to_json()


def read(encoded: bytes) -> Plan:
    return Plan(model="m", reference=Reference.from_json(encoded))


def feed(detection: Detection, panes: int, segment: str = "") -> None:
    rng = np.random.default_rng(1)
    plan = detection.plan
    for t in range(panes):
        counts = np.zeros(plan.layout.width, np.int64)
        counts[0] = 500
        for i, signal in enumerate(plan.monitored):
            share = signal.counts / signal.events
            counts[plan.layout.slice(i)] = rng.multinomial(500, share / share.sum())
        detection.pane(Sealed(t * plan.pane_ms, {segment: counts}, {}))


def test_subjects_under_equal_plans_share_tables_and_no_state(encoded: bytes) -> None:
    one, other = Detection(read(encoded)), Detection(read(encoded))
    assert one.bank is other.bank
    assert one.sequential.scores is other.sequential.scores
    feed(one, 3)
    assert one.dump() != other.dump()
    feed(other, 3)
    assert one.dump() == other.dump()
    assert SharedTables.of(make_plan()).bank is not one.bank


def test_shared_tables_go_with_their_last_user(encoded: bytes) -> None:
    plan = read(encoded)
    first = id(SharedTables.of(plan))
    held = SharedTables.of(plan)
    assert SharedTables.of(plan) is held
    del held
    gc.collect()
    assert first
    assert not [
        one
        for one in gc.get_objects()
        if type(one) is SharedTables and one.bank.layout is plan.layout
    ]


def _cost(encoded: bytes, plan: Plan | None) -> float:
    """KiB that a subject takes with a full window and a filling one, all default tests on."""
    gc.collect()
    tracemalloc.start()
    plan = plan or read(encoded)
    detection = Detection(plan)
    feed(detection, 40)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] / 1024
    tracemalloc.stop()
    assert detection.results, size
    return size


def test_a_subject_of_twenty_signals_costs_what_the_manual_says(encoded: bytes) -> None:
    plan = read(encoded)
    first = Detection(plan)
    feed(first, 40)  # compiles, and fills the caches of the tables
    assert _cost(encoded, plan) < 100
    del first
    assert _cost(encoded, None) < 380


def test_results_of_segments_long_silent_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_module, "MAX_SCOPES", 3)
    plan = make_plan()
    detection = Detection(plan)
    feed(detection, 12)
    for i in range(9):
        feed(detection, 12, f"region=r{i}")
    assert detection.results.keys() == detection.windows.last.keys()
    assert len(detection.results) == 3
