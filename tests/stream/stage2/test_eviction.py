"""Subjects to which nothing happens are evicted, and come back as they were."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from stream.decode.native import NativeDecoder
from stream.plans.plan import PlanBook, Subject
from tests.stream.harness import deal, make_events, make_plan, reloaded, run_stages

SUBJECT = Subject("fraud", "1")


@pytest.fixture
def monitor():
    book = PlanBook()
    book.add(make_plan())
    return run_stages(book, make_events(3, 1_500), partitions=2, seed=0)[1]


def test_a_subject_is_evicted_at_the_second_look_and_used_again(monitor):
    held = monitor.subjects[SUBJECT]
    assert held.detection is not None
    before = held.dump()
    assert (monitor.release_idle(), monitor.release_idle()) == (0, 1)
    assert held.is_idle
    assert held.detection is None
    assert held.dump() == before
    assert monitor.release_idle() == 0
    held.seal_all()
    assert not held.is_idle
    assert held.detection.results
    assert held.dump() == before


def test_a_window_closes_at_its_deadline_also_of_an_evicted_subject(monitor):
    held = monitor.subjects[SUBJECT]
    deadline = min(window.deadline_ms for window in held.detection.windows.filling.values())
    monitor.release_idle()
    monitor.release_idle()
    lateness = held._plan_at(0).lateness_ms
    list(held.advance(deadline + lateness - 20_000))
    monitor.release_idle()
    monitor.release_idle()
    list(held.advance(deadline + lateness - 10_000))
    assert held.is_idle
    list(held.advance(deadline + lateness))
    assert not held.is_idle
    assert held.detection.windows.n_closed == 1


def test_a_snapshot_of_an_evicted_subject_is_that_of_one_in_memory(monitor):
    at_work = reloaded(monitor, monitor.plans).subjects[SUBJECT].dump()
    monitor.release_idle()
    monitor.release_idle()
    assert reloaded(monitor, monitor.plans).subjects[SUBJECT].dump() == at_work


def test_what_is_evicted_takes_little(monitor):
    gc.collect()
    tracemalloc.start()
    fresh = reloaded(monitor, monitor.plans)
    gc.collect()
    at_work = tracemalloc.get_traced_memory()[0]
    fresh.release_idle()
    fresh.release_idle()
    gc.collect()
    away = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert away < at_work / 2


def test_decoders_without_records_are_forgotten_and_made_again():
    book = PlanBook()
    book.add(make_plan())
    decoder = NativeDecoder(book)
    records = deal(make_events(3, 200), 1, 0)[0]
    first = decoder.decode(records)
    assert (decoder.release_idle(), decoder.release_idle()) == (0, 1)
    again = decoder.decode(records)
    np.testing.assert_array_equal(again.groups[0].numeric, first.groups[0].numeric)
    assert (again.time_ms == first.time_ms).all()
    assert decoder.release_idle() == 0
