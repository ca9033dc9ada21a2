"""Copies of events across panes: how long ids are remembered, and what is said of their share."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.counting.ids import IdSample
from stream.stage2.copies import CopyCounter
from stream.stage2.panes import Sealed

ALPHA = 1e-3
MINUTE = 60_000


def ids(*hashes: int) -> IdSample:
    return IdSample.of(np.array(hashes, np.int64))


def events(n: int, again: int, first: int = 1) -> IdSample:
    """So many events, of which some had come before in the same pane."""
    counts = np.ones(n - again, np.int64)
    counts[:again] += 1
    return IdSample(np.arange(first, first + n - again), counts)


def noted(counter: CopyCounter, start_ms: int, sample: IdSample | None) -> None:
    """As a pane of the whole stream, without counts."""
    sealed = Sealed(
        start_ms, {"": np.zeros(1, np.int64)}, {}, {}, {} if sample is None else {"": sample}
    )
    counter.once(sealed, np.zeros(0, np.int64))


@pytest.mark.parametrize(
    ("pane_s", "furthest"),
    [(1, 8), (10, 8), (15, 8), (20, 6), (30, 4), (60, 2), (120, 1), (3_600, 1)],
)
def test_ids_are_remembered_for_two_minutes_and_eight_panes(pane_s: int, furthest: int) -> None:
    found = []
    for distance in range(1, 14):
        counter = CopyCounter(pane_s * 1_000)
        for i in range(distance):
            noted(counter, i * pane_s * 1_000, ids(100 + i))
        noted(counter, distance * pane_s * 1_000, ids(100))
        assert counter.share in (0.0, 1 / (distance + 1))
        if counter.share:
            found.append(distance)
    assert found == list(range(1, furthest + 1))


@pytest.mark.parametrize(
    ("again", "severity"),
    [
        (0, None),
        (20, None),
        (45, "info"),
        (49, "info"),
        (50, "warning"),
        (249, "warning"),
        (250, "critical"),
        (500, "critical"),
    ],
)
def test_the_severity_is_by_the_share_that_had_come_before(
    again: int, severity: str | None
) -> None:
    counter = CopyCounter(MINUTE)
    noted(counter, 0, events(1_000, again))
    found = counter.judge(MINUTE, ALPHA)
    assert (found and found.severity) == severity
    assert found is None or found.value == again / 1_000


def test_what_is_usual_is_taken_off() -> None:
    for again, severity in (
        (1_200, None),
        (1_499, "info"),
        (1_501, "warning"),
        (3_501, "critical"),
    ):
        counter = CopyCounter(MINUTE, usual=0.1)
        noted(counter, 0, events(10_000, again))
        found = counter.judge(MINUTE, ALPHA)
        assert (found and found.severity) == severity
        assert found is None or found.threshold == pytest.approx(0.12)


def test_it_is_told_since_the_pane_after_the_last_large_one_without_copies() -> None:
    counter = CopyCounter(MINUTE)
    panes = [(100, 50), (100, 0), (49, 0), (100, 50), (49, 0), (100, 50)]
    for i, (n, again) in enumerate(panes):
        noted(counter, i * MINUTE, events(n, again, first=1_000 * (i + 1)))
    found = counter.judge(6 * MINUTE, ALPHA)
    assert found is not None
    assert found.start_ms == 0
    assert found.value == 150 / 498
    assert found.change_point is not None
    assert found.change_point.estimate_ms == 3 * MINUTE, "a pane of 49 events shows nothing alone"
    assert found.change_point.latest_ms == 4 * MINUTE
    assert "33.6 % had come before" in found.change, "50 of 149, after the pane that began it"
    assert counter.judge(7 * MINUTE, ALPHA) is None, "each event is judged once"


def test_a_window_without_copies_ends_a_run_and_a_state_is_loaded_as_it_was() -> None:
    counter = CopyCounter(MINUTE)
    noted(counter, 0, events(100, 50))
    assert counter.judge(MINUTE, ALPHA) is not None
    noted(counter, MINUTE, events(40, 0, first=500))
    assert counter.judge(2 * MINUTE, ALPHA) is None
    noted(counter, 2 * MINUTE, events(100, 50, first=1_000))
    again = CopyCounter(MINUTE)
    again.load(counter.dump())
    assert again.dump() == counter.dump()
    found = again.judge(3 * MINUTE, ALPHA)
    assert found is not None
    assert found.change_point is not None
    assert found.change_point.estimate_ms == 2 * MINUTE
    assert again.share == 100 / 240
