"""Windows by count, by age and by cycle, however the frontier goes."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.counting.sparse import encode_counts
from stream.stage2 import windows as module
from stream.stage2.windows import Closed, WindowRule, Windows

PANE = 10
WIDTH = 3
few = settings(derandomize=True, max_examples=80, deadline=None)


def counts(events: int) -> np.ndarray:
    return np.array([events, events, 0], np.int64)


def add(windows: Windows, pane: int, events: int, segment: str = "", pane_ms: int = PANE):
    return windows.add(segment, pane, pane + pane_ms, counts(events), {0: (pane, pane + 1)})


def plain(closed: Closed):
    return (*closed[:4], closed.counts.tolist(), closed.offsets, closed.full)


def test_a_window_closes_when_it_holds_enough_events():
    windows = Windows(WindowRule(100, 1_000, 50), WIDTH)
    assert add(windows, 0, 60) is None
    assert add(windows, 10, 30) is None
    closed = add(windows, 30, 25)
    assert plain(closed) == ("", 0, 40, 115, [115, 115, 0], {0: (0, 31)}, True)
    assert add(windows, 40, 1) is None
    assert windows.filling[""].start_ms == 40


@pytest.mark.parametrize(("events", "full"), [(99, False), (100, True), (101, True)])
def test_a_window_is_full_with_as_many_events_as_were_asked_for(events, full):
    windows = Windows(WindowRule(100, 1_000, 50), WIDTH)
    assert (add(windows, 0, events) is not None) is full


@pytest.mark.parametrize(("events", "cycle_ms"), [(1_000, 0), (200, 0), (199, 0), (1_000, 50)])
@pytest.mark.parametrize("a_pane", [1, 7, 499, 500, 999, 1_000])
def test_a_window_passes_half_once_unless_it_is_full(
    events: int, cycle_ms: int, a_pane: int
) -> None:
    rule = WindowRule(events, 10**9, 50, cycle_ms)
    filled = [*range(0, events, a_pane), events]
    passed = [rule.passes_half(a, b, 300_000) for a, b in pairwise(filled)]
    assert not any(rule.passes_half(a, b, 299_999) for a, b in pairwise(filled))
    by_hand = any(events // 2 <= n < events for n in filled)
    assert sum(passed) == int(by_hand and events >= 200 and not cycle_ms)


def test_a_window_closes_at_its_age_and_is_tested_if_it_holds_enough():
    windows = Windows(WindowRule(100, 50, 20), WIDTH)
    add(windows, 0, 25)
    add(windows, 0, 5, "region=eu")
    assert windows.expire(49) == []
    assert [(*plain(c)[:4], c.full) for c in windows.expire(50)] == [
        ("", 0, 50, 25, True),
        ("region=eu", 0, 50, 5, False),
    ]
    assert windows.expire(10**9) == []
    assert windows.segments == [""]


def test_windows_expire_by_deadline_then_by_name():
    windows = Windows(WindowRule(100, 50, 20), WIDTH)
    add(windows, 10, 1, "b")
    add(windows, 10, 1, "a")
    add(windows, 0, 1, "c")
    assert [c.segment for c in windows.expire(60)] == ["c", "a", "b"]


def test_a_deadline_is_the_end_of_a_pane():
    """Else the pane it lies in would be in or out by how far the frontier goes at once."""
    windows = Windows(WindowRule(100, 25, 20), WIDTH)
    add(windows, 20, 1)
    assert windows.filling[""].deadline_ms == 50


def test_a_cycle_is_never_cut_and_the_first_only_tested_if_nearly_whole():
    windows = Windows(WindowRule(100, 50, 20, cycle_ms=70), WIDTH)
    assert add(windows, 30, 5_000) is None  # 30 of 70 are missing
    (first,) = windows.expire(70)
    assert (first.end_ms, first.events, first.full) == (70, 5_000, False)
    assert windows.last == {}
    add(windows, 80, 5_000)  # the second is whole, though its first pane is empty
    (second,) = windows.expire(140)
    assert (second.start_ms, second.end_ms, second.full) == (80, 140, True)


def test_cycles_with_too_few_events_are_tested_together():
    windows = Windows(WindowRule(100, 50, 20, cycle_ms=70), WIDTH)
    for pane in (0, 80, 150):
        assert windows.expire(pane) == []
        assert add(windows, pane, 8) is None
    (closed,) = windows.expire(210)
    assert (closed.start_ms, closed.end_ms, closed.events, closed.full) == (0, 210, 24, True)


def test_a_window_of_cycles_without_events_is_given_up():
    windows = Windows(WindowRule(100, 50, 20, cycle_ms=70), WIDTH)
    add(windows, 0, 8)
    assert windows.expire(8 * 70 - 1) == []
    (closed,) = windows.expire(8 * 70)
    assert (closed.events, closed.full) == (8, False)


@pytest.mark.parametrize(("born", "full"), [(0, True), (10, True), (20, False), (60, False)])
def test_up_to_a_seventh_of_the_first_cycle_may_be_missing(born, full):
    windows = Windows(WindowRule(100, 50, 20, cycle_ms=70), WIDTH)
    add(windows, born, 5_000)
    assert [c.full for c in windows.expire(70)] == [full]


def test_a_week_may_lack_its_first_day_and_not_an_hour_more():
    hour, week = 3_600_000, 604_800_000
    rule = WindowRule(100, 50, 20, cycle_ms=week)
    begun = [first for first in range(0, week, hour) if not rule.is_cut(first, born_ms=first)]
    assert begun == list(range(0, 25 * hour, hour))
    assert not rule.is_cut(week, born_ms=30 * hour), "a later week lacks nothing"


@pytest.mark.parametrize(("events", "size"), [(200, 1), (1_000, 2), (70_000, 4)])
def test_the_last_window_is_kept_in_the_smallest_integers_that_hold_it(events, size):
    windows = Windows(WindowRule(100, 50, 20), WIDTH)
    closed = add(windows, 0, events)
    kept = windows.last[""]
    assert closed.counts.dtype == np.int64
    assert kept.counts.itemsize == size
    assert kept.counts.tolist() == closed.counts.tolist()
    again = Windows(WindowRule(100, 50, 20), WIDTH)
    again.load(windows.dump([""]))
    assert again.last[""].counts.tolist() == closed.counts.tolist()
    assert again.dump([""]) == windows.dump([""])


def test_an_event_of_1970_and_then_todays_cost_two_panes():
    windows = Windows(WindowRule(100, 86_400_000, 1), WIDTH)
    add(windows, 0, 1)
    today = 1_780_000_000_000
    (old,) = windows.expire(today)
    assert (old.start_ms, old.end_ms) == (0, 86_400_000)
    assert add(windows, today, 1) is None
    assert windows.expire(today + PANE) == []


def test_segments_beyond_the_limit_are_counted_together(monkeypatch):
    monkeypatch.setattr(module, "MAX_SCOPES", 3)
    windows = Windows(WindowRule(100, 50, 20), WIDTH)
    for segment in ("", "r=a", "r=b", "r=c", "r=d", "s=e"):
        add(windows, 0, 7, segment)
    add(windows, 10, 1, "r=a")
    held = {name: window.events for name, window in windows.filling.items()}
    assert held == {"": 7, "r=a": 8, "r=b": 7, "r=__other__": 14, "s=__other__": 7}


def test_the_last_windows_of_segments_long_silent_are_forgotten(monkeypatch):
    monkeypatch.setattr(module, "MAX_SCOPES", 3)
    windows = Windows(WindowRule(100, 50, 1), WIDTH)
    for i, segment in enumerate(("", "r=a", "r=b", "r=a", "r=c", "r=d")):
        add(windows, i * 100, 7, segment)
        windows.expire((i + 1) * 100)
    assert list(windows.last) == ["", "r=c", "r=d"]


rules = st.sampled_from(
    [
        WindowRule(20, 60, 5),
        WindowRule(10**9, 45, 5),
        WindowRule(20, 60, 5, cycle_ms=70),
        WindowRule(200, 60, 60, cycle_ms=70),
    ]
)


def feed(windows: Windows, panes, frontiers, *, reload_with: random.Random | None = None):
    """Seal panes as a subject does, at the steps that the frontier takes."""
    closed = []
    rest = list(panes)
    for frontier in frontiers:
        while rest and rest[0][0] + PANE <= frontier:
            pane, segments = rest.pop(0)
            closed += windows.expire(pane)
            for segment, events in sorted(segments.items()):
                if (one := add(windows, pane, events, segment)) is not None:
                    closed.append(one)
            if reload_with is not None and reload_with.random() < 0.3:
                data = windows.dump(windows.segments)
                windows = Windows(windows.rule, WIDTH)
                windows.load(data)
                assert windows.dump(windows.segments) == data
        closed += windows.expire(frontier)
    return [plain(c) for c in closed], windows.dump(windows.segments)


@given(rules, st.integers(0, 2**32))
@few
def test_steps_of_the_frontier_and_snapshots_leave_no_trace(rule, seed):
    rng = random.Random(seed)
    panes = [
        (i * PANE, {s: rng.randint(1, 9) for s in ("", "a", "b") if s == "" or rng.random() < 0.5})
        for i in range(60)
        if rng.random() < 0.6
    ]
    end = 600
    small = feed(Windows(rule, WIDTH), panes, range(1, end + 1))
    steps = sorted({*rng.sample(range(end), 12), end})
    assert feed(Windows(rule, WIDTH), panes, steps) == small
    assert feed(Windows(rule, WIDTH), panes, [end], reload_with=rng) == small


@given(rules, st.integers(0, 2**32))
@few
def test_no_event_is_lost_or_counted_twice(rule, seed):
    rng = random.Random(seed)
    panes = [(i * PANE, {"": rng.randint(1, 9)}) for i in range(40) if rng.random() < 0.6]
    windows = Windows(rule, WIDTH)
    closed, _ = feed(windows, panes, [10_000])
    assert sum(c[3] for c in closed) == sum(s[""] for _, s in panes)
    assert not windows.filling


def test_state_of_another_layout_is_an_error():
    windows = Windows(WindowRule(100, 50, 20), WIDTH)
    windows.add("", 0, 10, np.array([5, 0, 5], np.int64), {})
    data = windows.dump([""])
    with pytest.raises(ValueError, match=f"{len(encode_counts(np.array([5, 0, 5])))} bytes for 2"):
        Windows(WindowRule(100, 50, 20), 2).load(data)
