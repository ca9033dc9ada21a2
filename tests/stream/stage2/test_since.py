"""What is told of a change that a test of single panes found: all events since, not the last."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import pytest

from detectors import fit_reference
from stream.contracts.alert_event import AlertEvent, parse_time
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay

START_S = 1_772_000_000
CHANGE_AT = 300


def told(values: np.ndarray, every_s: float, model: str = "m") -> list[AlertEvent]:
    """Alerts of a stream of such values, far from filling a window."""
    known = np.random.default_rng(1).normal(0.0, 1.0, 5_000)
    times = START_S * 1000 - 50_000_000 + np.arange(5_000, dtype=np.int64) * 10_000
    book = PlanBook()
    book.add(
        Plan(
            model=model,
            reference=fit_reference({"x": known}, model=model, times_ms=times),
            window_events=100_000,
            window_max_age_ms=30 * 86_400_000,
        )
    )
    records = (
        FileRecord(
            i,
            0,
            msgspec.json.encode(
                {
                    "model": {"name": model, "version": "1"},
                    "timestamp": START_S + i * every_s,
                    "features": {"x": float(value)},
                }
            ),
        )
        for i, value in enumerate(values)
    )
    return list(Replay(book, "predictions").run(records))


def changed(n: int, share: float, seed: int) -> np.ndarray:
    """Normal values, of which from CHANGE_AT on such a share is 1.5 to 1.7."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0, 1.0, n)
    moved = (np.arange(n) >= CHANGE_AT) & (rng.random(n) < share)
    values[moved] = rng.uniform(1.5, 1.7, int(moved.sum()))
    return values


@pytest.mark.parametrize("every_s", [10.0, 60.0, 0.5])
def test_shares_are_of_all_events_since_the_change(every_s: float) -> None:
    values = changed(1_500, 0.45, seed=3)
    first = told(values, every_s)[0]
    signal = first.data.signals[0]
    assert signal.test in ("adwin", "edetector")
    window = first.data.window
    assert signal.events == window.events >= 30
    times = (START_S + np.arange(values.size) * every_s) * 1000
    inside = (times >= parse_time(window.start)) & (times < parse_time(window.end))
    since = values[inside]
    assert since.size == window.events
    assert abs(parse_time(window.start) - times[CHANGE_AT]) < 60 * every_s * 1000
    gained = re.search(r"(1\.\d+) to (\S+) gained (\d+) points", signal.change)
    assert gained is not None, signal.change
    low, high, points = map(float, gained.groups())
    share = float(np.mean((since >= low) & (since < high)))
    assert points == pytest.approx(100 * share, abs=8)  # less what the reference has there
    assert f"in {window.events} events since " in signal.change
    mean = re.search(r"(?:mean|median) \S+ -> (\S+?)[;\s]", signal.change)
    assert mean is not None
    centre = np.mean if "mean" in mean[0] else np.median
    assert float(mean[1]) == pytest.approx(float(centre(since)), abs=0.2)


def test_a_small_move_in_single_events_is_told_by_its_size() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0.0, 1.0, 2_000)
    values[CHANGE_AT:] += 0.6
    signal = told(values, 10.0)[0].data.signals[0]
    told_mean = re.search(r"(?:mean|median) \S+ -> (\S+?)[;\s]", signal.change)
    assert told_mean is not None
    assert float(told_mean[1]) == pytest.approx(0.6, abs=0.35)


def test_without_a_change_nothing_is_told() -> None:
    assert not told(np.random.default_rng(7).normal(0.0, 1.0, 1_500), 10.0)


def test_what_is_told_does_not_depend_on_the_order_within_a_pane() -> None:
    values = changed(1_500, 0.45, seed=3)
    shuffled = values.reshape(-1, 20)[:, ::-1].ravel()  # 20 events a pane
    assert [a.data.signals[0].change for a in told(values, 0.5)] == [
        a.data.signals[0].change for a in told(shuffled, 0.5)
    ]
