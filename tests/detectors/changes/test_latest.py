"""Blocks of panes against a naive recount, and what is told to have come since a change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import ChangePoint
from detectors.change_points.blocks import Blocks
from detectors.change_points.explain import LEAST_EVENTS
from detectors.change_points.latest import Latest

PANE_MS = 10
WIDTH = 4


def panes(events: list[int]) -> list[np.ndarray]:
    """Flat counts of panes: position 0 is the number of events."""
    rng = np.random.default_rng(len(events))
    return [
        np.concatenate([[n], rng.multinomial(n, np.full(WIDTH - 1, 1 / (WIDTH - 1)))]).astype(
            np.int64
        )
        for n in events
    ]


def fed(counts: list[np.ndarray]) -> Latest:
    latest = Latest(WIDTH)
    for at, each in enumerate(counts):
        latest.add(each, at * PANE_MS, (at + 1) * PANE_MS)
    return latest


def naive(counts: list[np.ndarray], start_ms: int, end_ms: int) -> np.ndarray:
    return np.sum(counts[start_ms // PANE_MS : end_ms // PANE_MS], axis=0)


FEEDS = st.lists(st.integers(1, 400), min_size=1, max_size=200) | st.lists(
    st.integers(1, 3), min_size=1, max_size=400
)


@given(FEEDS)
@settings(max_examples=60)
def test_blocks_hold_every_pane_once(events: list[int]) -> None:
    counts = panes(events)
    blocks = Blocks(WIDTH, 48)
    for at, each in enumerate(counts):
        blocks.add(each, at * PANE_MS, (at + 1) * PANE_MS)
    assert blocks.start_ms[0] == 0
    assert blocks.start_ms[1:] == blocks.end_ms[:-1]
    assert blocks.first == [int(blocks[at][0]) for at in range(len(blocks))]
    for at, start_ms in enumerate(blocks.start_ms):
        assert (blocks.since(at) == naive(counts, start_ms, blocks.end_ms[-1])).all()
    copy = Blocks(WIDTH, 48)
    copy.load(blocks.dump())
    assert copy.dump() == blocks.dump()
    assert (copy.start_ms, copy.end_ms, copy.first) == (
        blocks.start_ms,
        blocks.end_ms,
        blocks.first,
    )


@given(FEEDS, st.data())
@settings(max_examples=100)
def test_since_a_change_is_what_came_since_then(events: list[int], data: st.DataObject) -> None:
    counts = panes(events)
    latest = fed(counts)
    began = data.draw(st.integers(0, len(events) - 1)) * PANE_MS
    earliest = data.draw(st.integers(0, began // PANE_MS)) * PANE_MS
    since = latest.since(ChangePoint(began, earliest, len(events) * PANE_MS))
    assert (since.counts == naive(counts, since.start_ms, since.end_ms)).all()
    assert since.end_ms == len(events) * PANE_MS
    held = latest.since(None)
    assert held.counts[0] >= min(LEAST_EVENTS, sum(events))
    if since.start_ms < earliest:  # only the last block reaches back over it
        assert latest.since(ChangePoint(since.end_ms, since.end_ms, since.end_ms)) == since


def test_the_change_is_met_to_the_pane_and_no_older_pane_is_told() -> None:
    """The blocks of the last panes are single ones."""
    counts = panes([50] * 40)
    since = fed(counts).since(ChangePoint(380, 300, 400))
    assert (since.start_ms, since.counts[0]) == (380, 100)


def test_too_few_events_since_are_joined_by_those_that_may_be_since() -> None:
    counts = panes([1] * 100)
    alone = fed(counts).since(ChangePoint(990, 990, 1_000))
    assert alone.counts[0] == 1
    joined = fed(counts).since(ChangePoint(990, 0, 1_000))
    assert LEAST_EVENTS <= joined.counts[0] < 3 * LEAST_EVENTS
    unknown = fed(counts).since(None)
    assert unknown.counts[0] >= LEAST_EVENTS


def test_a_thousand_events_are_enough() -> None:
    latest = fed(panes([100] * 500))
    everything = latest.since(ChangePoint(0, 0, 5_000))
    assert 1_000 <= everything.counts[0] <= 2_000
    assert len(latest.dump()) < 1_000
    fast = fed(panes([3_000] * 20))
    assert fast.since(ChangePoint(0, 0, 200)).counts[0] == 3_000


def test_a_state_goes_on_as_it_was() -> None:
    counts = panes(list(range(1, 120)))
    whole, first = fed(counts), fed(counts[:70])
    second = Latest(WIDTH)
    second.load(first.dump())
    for at in range(70, len(counts)):
        second.add(counts[at], at * PANE_MS, (at + 1) * PANE_MS)
    assert second.dump() == whole.dump()
    with pytest.raises(ValueError, match="not a state of Blocks"):
        second.load(b"")
