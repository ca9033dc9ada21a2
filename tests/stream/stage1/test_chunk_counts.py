"""Segments of the open chunk: the table of values counts as a dict of places would."""

from __future__ import annotations

import inspect
from collections import Counter

import numpy as np
import pytest

from detectors import fit_reference
from detectors.counting.ids import IdSample
from detectors.counting.sparse import decode_counts
from detectors.references.segments import OTHER_VALUES
from stream.decode.columns import Columns
from stream.decode.native import NativeDecoder
from stream.plans.plan import Plan, Subject
from stream.stage1 import chunk_counts as module
from stream.stage1.chunk_counts import ChunkCounts
from stream.stage1.summarise import CHUNK_RECORDS
from tests.stream.decode_tools import plan

PLAN = plan(segments=("region",), columns={"country": None, "label": None, "actual": None})


def columns(values):
    n = len(values)
    numeric = np.zeros((n, len(PLAN.layout.numeric)))
    return Columns("fraud", "", PLAN, np.arange(n), numeric, np.empty((n, 0), np.int32), [values])


@pytest.mark.parametrize("few", [0, 10**9])
@pytest.mark.parametrize("limit", [3, 2_000])
@pytest.mark.parametrize("poll", [7, 100, 600])
def test_counts_of_segments(few, limit, poll, monkeypatch):
    monkeypatch.setattr(module, "_FEW", few)
    monkeypatch.setattr(module, "MAX_SEGMENTS", limit)
    rng = np.random.default_rng(3)
    values = [
        None if i == 0 else "x" * 300 if i == 1 else f"r{i}"
        for i in rng.integers(0, 90, 600).tolist()
    ]
    time_ms = np.sort(rng.integers(0, 30_000, 600))
    counted = ChunkCounts(Subject("fraud", ""), PLAN)
    for at in range(0, 600, poll):
        times = time_ms[at : at + poll]
        assert counted.add(columns(values[at : at + poll]), times, times) == 0
    known: list[str] = []
    wanted: Counter[tuple[str, int]] = Counter()
    for value, ms in zip(values, time_ms.tolist(), strict=True):
        wanted["", ms - ms % 10_000] += 1
        if value is None:
            continue
        if value not in known and len(known) < limit and len(value) <= 200:
            known.append(value)
        name = value if value in known else OTHER_VALUES
        wanted[f"region={name}", ms - ms % 10_000] += 1
    found = {
        (entry.segment, entry.pane_ms): int(decode_counts(entry.counts, PLAN.layout.width)[0])
        for entry in counted.take(40_000, only_complete=True)
    }
    assert found == wanted
    assert bool(counted._tables) is False
    assert len(counted) == 0


def test_the_table_is_in_use():
    counted = ChunkCounts(Subject("fraud", ""), PLAN)
    times = np.zeros(100, np.int64)
    counted.add(columns([f"r{i % 50}" for i in range(100)]), times, times)
    assert len(counted._tables) == 1
    assert counted.has_news


def test_a_chunk_has_a_row_for_each_open_pane_in_32_bits_which_no_chunk_overflows():
    most = inspect.signature(NativeDecoder).parameters["max_batch_rows"].default
    assert most * CHUNK_RECORDS < 2**31
    counted = ChunkCounts(Subject("fraud", ""), PLAN)
    counted.add(columns([None] * 5), np.zeros(5, np.int64), np.zeros(5, np.int64))
    assert counted._accumulators._counts.nbytes == 4 * PLAN.layout.width


@pytest.mark.parametrize("with_ids_first", [True, False])
def test_events_without_ids_between_events_with_them(with_ids_first):
    """Rows that are made while no event has an id must have room for those of later ones."""
    alike = fit_reference({"x": np.repeat([1.0, 2.0], 200)}, model="fraud")
    assert alike.copies.rows == "", "events are told apart by their ids alone"
    watched = Plan(model="fraud", reference=alike, segments=("region",))
    counted = ChunkCounts(Subject("fraud", ""), watched)
    sent = []
    for batch in range(6):
        n = 4 << batch  # so that each makes the rows grow
        has_ids = (batch % 2 == 0) is with_ids_first
        ids = (np.arange(1, n + 1) + 100 * batch) << 24 if has_ids else None  # upper bits count
        events = Columns(
            "fraud",
            "",
            watched,
            np.arange(n),
            np.ones((n, 1)),
            np.empty((n, 0), np.int32),
            [[f"r{batch}-{i}" for i in range(n)]],
            ids,
        )
        counted.add(events, np.full(n, watched.pane_ms * batch), np.zeros(n, np.int64))
        sent.append(n if has_ids else 0)
    entries = counted.take(0, only_complete=False)
    assert len(entries) == sum((4 << batch) + 1 for batch in range(6))
    held = {e.pane_ms // watched.pane_ms: IdSample.decode(e.ids) for e in entries if not e.segment}
    assert [held[batch].hashes.size for batch in range(6)] == sent
