"""Single days of a stream with slots against the reference's days."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from detectors import DayTests, Layout, Reference, Seasons, SlotScores, fit_reference
from detectors.counting.binning import SCORE_SCALE, NumericBinning

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MONDAY_MS = 1_767_571_200_000  # 2026-01-05

Floats = npt.NDArray[np.float64]


def values(rng: np.random.Generator, days: int, a_day: int, level: float) -> Floats:
    """Days about a daily sine with levels of their own, [days, a_day]."""
    hour = np.arange(a_day) / a_day
    drawn = np.sin(2 * np.pi * hour) + rng.normal(size=(days, a_day))
    return np.asarray(drawn + level * rng.normal(size=(days, 1)))


def fitted(x: Floats) -> Reference:
    a_day = x.shape[1]
    times = MONDAY_MS + np.arange(x.size) * (DAY_MS // a_day)
    return fit_reference(
        {"x": x.ravel()},
        model="m",
        times_ms=times,
        kinds={"x": "numeric"},
        seasons=Seasons("auto"),
    )


def by_days(reference: Reference) -> tuple[DayTests, SlotScores]:
    assert reference.calendar is not None
    signals = reference.signals
    scores = SlotScores(signals, Layout({s.name: s.binning for s in signals}), reference.calendar)
    return DayTests(signals, scores), scores


def p_values(reference: Reference, x: Floats) -> Floats:
    """Of each day, counted by hand: mean rank in the slot, mean distance from its middle."""
    tests, scores = by_days(reference)
    assert reference.calendar is not None
    binning = reference.signals[0].binning
    assert isinstance(binning, NumericBinning)
    slot = reference.calendar.slot[np.arange(x.shape[1]) * 24 // x.shape[1]]
    found = []
    for day in x:
        rank = scores.scores[slot, 0, binning.bin(day)] / SCORE_SCALE
        means = np.array([[rank.mean(), np.abs(2 * rank - 1).mean()]])
        found.append(tests.test(np.array([float(day.size)]), means).p[0])
    return np.array(found)


@pytest.mark.parametrize(("a_day", "level"), [(48, 0.1), (48, 1.0), (240, 0.2), (240, 1.0)])
def test_days_like_those_of_the_reference_are_seldom_found(a_day: int, level: float) -> None:
    rng = np.random.default_rng(5)
    p = np.concatenate([_days_after(rng, a_day, level) for _ in range(5)])
    # 200 days of 5 references, whose days' variance is known to a seventh each.
    assert (p <= 0.01).mean() < 0.03
    assert (p <= 0.001).mean() < 0.012


def _days_after(rng: np.random.Generator, a_day: int, level: float) -> Floats:
    x = values(rng, 28 + 40, a_day, level)
    return p_values(fitted(x[:28]), x[28:])


@pytest.mark.parametrize(("a_day", "level"), [(48, 0.2), (240, 0.5)])
def test_a_day_far_from_all_others_is_found(a_day: int, level: float) -> None:
    rng = np.random.default_rng(6)
    x = values(rng, 28 + 10, a_day, level)
    x[28:] += np.where(np.arange(10) % 2, 1.0, -1.0)[:, None] * (1.0 + 4.5 * level)
    assert (p_values(fitted(x[:28]), x[28:]) <= 0.01).mean() >= 0.9


def test_a_day_turned_upside_down_is_found_by_its_spread() -> None:
    """Its mean is as usual: mornings hold what evenings should."""
    rng = np.random.default_rng(7)
    x = 2.0 * values(rng, 35, 48, 0.0)
    assert (p_values(fitted(x[:28]), x[28:, ::-1]) <= 0.01).all()


def test_days_with_few_values_are_not_tested() -> None:
    tests, _ = by_days(fitted(values(np.random.default_rng(8), 28, 200, 0.1)))
    far = np.array([[0.99, 0.98]])
    few = tests.test(np.array([49.0]), far)
    assert not few.tested[0]
    assert few.p[0] == 1.0
    assert tests.test(np.array([51.0]), far).p[0] < 1e-6


def test_the_limit_is_where_p_is_alpha() -> None:
    tests, _ = by_days(fitted(values(np.random.default_rng(9), 28, 48, 0.5)))
    limit = tests.limit(0, 0.01)
    free = 26.0  # 28 days, less one, less what the slots take
    assert limit == pytest.approx(stats.t.isf(0.01 / 1.5 / 2, free), rel=0.01)
