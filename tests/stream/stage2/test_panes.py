"""Open panes, against a recount from the events themselves."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Layout, fit_reference
from detectors.change_points.history import History
from detectors.counting.sparse import encode_counts
from stream.sketches.merge import SketchMerge, VectorMerge
from stream.sketches.sketch import Sketch
from stream.stage2.panes import ACCEPTED, DUPLICATE, OVERLAP, SHRUNK, Late, PaneStore

WIDTH = 6
BINS = VectorMerge(WIDTH)
few = settings(derandomize=True, max_examples=60, deadline=None)


def encoded(*counts: int) -> bytes:
    return encode_counts(np.array([*counts, *[0] * (WIDTH - len(counts))], np.int64))


def offer(store: PaneStore, chunk: int, through: int, *counts: int, partition: int = 0) -> str:
    return store.offer(partition, chunk, through, "", 0, encoded(*counts), BINS)


def total(store: PaneStore) -> list[int]:
    return store.seal(0, BINS).counts[""].tolist()


def test_inside_a_chunk_the_newer_replaces_and_a_later_chunk_adds():
    store = PaneStore()
    assert offer(store, 0, 5, 2) == ACCEPTED
    assert offer(store, 0, 9, 3, 1) == ACCEPTED
    assert offer(store, 10, 12, 4) == ACCEPTED
    assert offer(store, 0, 5, 7, partition=1) == ACCEPTED
    assert total(store) == [14, 1, 0, 0, 0, 0]
    assert store.bytes_held == 0
    assert len(store) == 0


@given(st.lists(st.integers(0, 2**31 + 2), min_size=WIDTH, max_size=WIDTH))
@few
def test_counts_are_checked_and_their_events_known_without_a_vector(counts):
    data = encoded(*counts)
    if max(counts) > 2**31:
        for look in (BINS.check, BINS.decode):
            with pytest.raises(ValueError, match=f"above {2**31}"):
                look(data)
        return
    BINS.check(data)
    assert BINS.events_in(data) == BINS.events(BINS.decode(data)) == counts[0]


def test_events_of_a_sketch_are_known_from_its_bytes():
    data = Sketch(events=17).encode()
    SketchMerge().check(data)
    assert SketchMerge().events_in(data) == SketchMerge().events(SketchMerge().decode(data)) == 17


def test_what_is_not_news_is_not_taken():
    store = PaneStore()
    offer(store, 10, 15, 2)
    assert offer(store, 10, 15, 2) == DUPLICATE
    assert offer(store, 10, 12, 1) == DUPLICATE
    assert offer(store, 0, 9, 8) == DUPLICATE
    assert offer(store, 12, 30, 8) == OVERLAP
    assert offer(store, 4, 12, 8) == OVERLAP
    assert offer(store, 10, 18, 1) == SHRUNK
    assert total(store) == [2, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "data", [b"\x80", b"\x7f\x01", b"\xff" * 12, encode_counts(np.array([2**31 + 1]))]
)
def test_damaged_counts_are_an_error_and_leave_no_trace(data):
    store = PaneStore()
    with pytest.raises(ValueError, match="encoded counts of"):
        store.offer(0, 0, 5, "", 0, data, BINS)
    assert len(store) == 0
    assert store.bytes_held == 0


@given(st.integers(0, 2**32))
@few
def test_readers_that_crash_repeat_and_overlap_leave_the_count_of_the_log(seed):
    """Three partitions of events, read by writers that stop anywhere and begin again."""
    rng = random.Random(seed)
    store = PaneStore()
    wanted: dict[tuple[int, str], list[int]] = {}
    words = []
    for partition in range(3):
        log = [
            (rng.randrange(3) * 10, rng.choice(["", "a=1"]), rng.randrange(1, WIDTH))
            for _ in range(rng.randrange(60))
        ]
        size = rng.choice([3, 7])
        for pane, segment, bin_ in log:
            counts = wanted.setdefault((pane, segment), [0] * WIDTH)
            counts[0] += 1
            counts[bin_] += 1
        mine = []
        for begin in range(0, len(log), size):
            chunk = log[begin : begin + size]
            for _ in range(rng.choice([1, 1, 2, 3])):  # the last reads the chunk to its end
                mine += [
                    (begin, e)
                    for e in sorted(rng.sample(range(len(chunk)), min(2, size, len(chunk))))
                ]
            mine.append((begin, len(chunk) - 1))
            if rng.random() < 0.5 and len(mine) > 3:
                mine += rng.sample(mine, 3)
        words.append([(partition, begin, end, log[begin : begin + end + 1]) for begin, end in mine])
    while any(words):
        partition, begin, end, read = rng.choice([w for w in words if w]).pop(0)
        counts: dict[tuple[int, str], list[int]] = {}
        for pane, segment, bin_ in read:
            row = counts.setdefault((pane, segment), [0] * WIDTH)
            row[0] += 1
            row[bin_] += 1
        for (pane, segment), row in counts.items():
            outcome = store.offer(partition, begin, begin + end, segment, pane, encoded(*row), BINS)
            assert outcome in (ACCEPTED, DUPLICATE)
        if rng.random() < 0.2:
            fresh = PaneStore()
            fresh.load(store.dump())
            assert fresh.bytes_held == store.bytes_held
            store = fresh
    got = {
        (pane, segment): row.tolist()
        for pane in store.due(100)
        for segment, row in store.seal(pane, BINS).counts.items()
    }
    assert got == wanted
    assert store.bytes_held == 0


def test_many_chunks_of_one_pane_are_merged():
    store = PaneStore()
    for chunk in range(200):
        offer(store, chunk * 10, chunk * 10 + 9, 5, chunk % 2)
    assert store.bytes_held < 60
    sealed = store.seal(0, BINS)
    assert sealed.counts[""].tolist() == [1000, 100, 0, 0, 0, 0]
    assert sealed.offsets == {0: (0, 1999)}
    assert store.bytes_held == 0


def test_segments_come_in_the_order_of_their_names_and_offsets_span_them():
    store = PaneStore()
    for segment, partition, through in (("b=1", 0, 4), ("", 1, 9), ("a=1", 0, 7)):
        store.offer(partition, 2, through, segment, 0, encoded(1), BINS)
    sealed = store.seal(0, BINS)
    assert list(sealed.counts) == ["", "a=1", "b=1"]
    assert sealed.offsets == {0: (2, 7), 1: (2, 9)}


def test_due_panes_come_in_order_and_empty_ones_are_not_walked():
    store = PaneStore()
    now = 1_780_000_000_000
    for pane in (now, 0, now - 10_000):
        store.offer(0, 0, 5, "", pane, encoded(1), BINS)
    assert store.due(now) == [0, now - 10_000]
    assert store.due(now + 1) == [0, now - 10_000, now]


def test_offsets_of_a_topic_made_again_say_nothing_about_the_old_ones():
    store = PaneStore()
    offer(store, 900, 990, 2)
    offer(store, 991, 999, 1)
    offer(store, 500, 509, 4, partition=1)
    store.begin_source()
    assert offer(store, 0, 5, 3) == ACCEPTED
    store.begin_source()
    assert offer(store, 0, 2, 1) == ACCEPTED
    fresh = PaneStore()
    fresh.load(store.dump())
    sealed = fresh.seal(0, BINS)
    assert sealed.counts[""].tolist() == [11, 0, 0, 0, 0, 0]
    assert sealed.offsets == {0: (0, 2)}
    assert fresh.bytes_held == 0


def test_late_events_are_cumulative_in_a_chunk_by_plan_and_add_over_chunks():
    late = Late()
    assert late.note(0, 5, 2, b"one")
    assert late.note(0, 5, 1, b"two")
    assert late.total == 3
    assert late.note(0, 9, 4, b"one")
    late.refused[10_000] = 6
    assert late.total == 11
    assert not late.note(0, 8, 9, b"one")
    assert late.note(10, 11, 1, b"two")
    assert late.total == 12
    assert not late.note(0, 9, 99, b"one")
    assert late.total == 12


def test_the_most_that_a_summary_may_hold_can_be_summed_up():
    """Thousands of panes with as many events as are taken fit into the sums of scores."""
    values = np.linspace(0.0, 1.0, 1_000)
    [signal] = fit_reference({"x": values}, model="m").signals
    layout = Layout({"x": signal.binning})
    most = np.zeros(layout.width, np.int64)
    most[[0, 64]] = 2**31  # all of them in the bin with the largest score
    assert VectorMerge(layout.width).decode(encode_counts(most)).max() == 2**31
    history = History([signal], layout)
    for pane in range(5_000):
        history.add(most, pane, pane + 1)
    assert history.of(0)[-1, 0] >= 2**31


def test_a_sketch_of_more_events_than_a_chunk_can_hold_is_refused():
    sketch = Sketch(events=2**31)
    assert SketchMerge().decode(sketch.encode()).events == 2**31
    with pytest.raises(ValueError, match=r"2\*\*31"):
        SketchMerge().decode(Sketch(2**31 + 1).encode())
