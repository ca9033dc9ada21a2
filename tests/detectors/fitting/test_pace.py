"""Rates are robust: pane, window and budget follow the bulk of the times, odd rows are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import Reference, fit_reference
from detectors.fitting import ReferenceFitter
from detectors.fitting.pace import pace_of

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
WEEK = 7 * DAY
JANUARY = 1_767_225_600_000  # 2026-01-01
YEAR_2099 = 4_102_358_400_000


def fitted(times: Any) -> Reference:
    times = np.asarray(times, np.int64)
    rng = np.random.default_rng(1)
    return fit_reference({"x": rng.normal(size=times.size)}, model="m", times_ms=times)


def minutes(n: int = 20_000, start: int = JANUARY, step: int = MINUTE) -> Any:
    return start + np.arange(n) * step


def batches(n: int, apart: int) -> Any:
    """All rows of a batch within five minutes."""
    return np.concatenate([minutes(3_000, JANUARY + i * apart, 100) for i in range(n)])


def far_words(reference: Reference) -> list[str]:
    return [words for words in reference.warnings if "far from the others" in words]


def test_ordinary_times_have_the_rate_of_all_rows() -> None:
    reference = fitted(minutes())
    assert reference.events_per_week == 10_080
    assert (reference.first_ms, reference.last_ms) == (JANUARY, JANUARY + 19_999 * MINUTE)
    assert not far_words(reference)


@pytest.mark.parametrize("wrong", [0, -1, 978_307_200_000, YEAR_2099, JANUARY - 400 * DAY])
@pytest.mark.parametrize("rows", [[777], [0], [19_999], [3, 500, 501, 19_000]])
def test_rows_of_another_year_do_not_set_the_rate_and_are_named(wrong: int, rows: Any) -> None:
    times = minutes()
    times[rows] = wrong
    reference = fitted(times)
    assert reference.events_per_week == pytest.approx(10_080, rel=0.001)
    (words,) = far_words(reference)
    moment = str(np.datetime64(wrong, "ms").astype("datetime64[s]")).replace("T", " ")
    assert f"row {rows[0] + 1} ({moment})" in words
    assert words.startswith("1 row has a time" if len(rows) == 1 else "4 rows have times")
    assert ("..." in words) == (len(rows) > 3)
    good = np.delete(times, rows)
    assert (reference.first_ms, reference.last_ms) == (good.min(), good.max())


def test_a_fifth_of_the_rows_at_a_default_time_does_not_either() -> None:
    rng = np.random.default_rng(2)
    times = minutes()
    wrong = rng.random(20_000) < 0.2
    times[wrong] = 0
    reference = fitted(times)
    assert reference.events_per_week == pytest.approx(0.8 * 10_080, rel=0.005)
    assert far_words(reference)[0].startswith(f"{wrong.sum():,} rows have times")


def test_wrong_years_on_both_sides_and_scattered() -> None:
    rng = np.random.default_rng(3)
    times = minutes()
    rows = rng.choice(20_000, 40, replace=False)
    times[rows] = rng.integers(0, YEAR_2099, 40)
    reference = fitted(times)
    assert reference.events_per_week == pytest.approx(10_080, rel=0.01)
    assert far_words(reference)


@pytest.mark.parametrize(
    "times",
    [
        minutes(400, step=DAY),  # one event a day
        minutes(300, step=30 * DAY),  # one a month
        batches(30, DAY),
        batches(12, WEEK),
        batches(12, 30 * DAY),
        np.concatenate([minutes(480, JANUARY + d * DAY) for d in range(60) if d % 7 < 5]),  # office
        np.sort(JANUARY + np.random.default_rng(4).integers(0, 30 * DAY, 5_000)),
        JANUARY + (DAY * 60 * np.arange(1, 5_001) ** 0.2 / 5_000**0.2).astype(np.int64),  # growth
    ],
    ids=["day", "month", "daily", "weekly", "monthly", "office", "random", "growth"],
)
def test_gaps_that_recur_are_how_the_rows_come(times: Any) -> None:
    reference = fitted(times)
    n, span = times.size, int(np.ptp(times))
    assert reference.events_per_week == n * WEEK // (span * n // (n - 1))
    assert not far_words(reference)
    assert not [words for words in reference.warnings if "gaps of" in words]


@pytest.mark.parametrize("days", [10, 60])
def test_a_long_gap_does_not_lower_the_rate(days: int) -> None:
    times = minutes()
    times[15_000:] += days * DAY
    reference = fitted(times)
    assert reference.events_per_week == pytest.approx(10_080, rel=0.001)
    assert any(f"gaps of {days} days without rows" in words for words in reference.warnings)
    assert not far_words(reference)


def test_a_burst_does_not_raise_the_rate() -> None:
    burst = np.full(200_000, JANUARY + 5 * DAY)
    reference = fitted(np.concatenate([minutes(20_160), burst]))
    # That day counts as ten usual ones.
    assert reference.events_per_week == pytest.approx(10_080 * 23 / 14, rel=0.01)
    assert any("85% of the rows are more than ten times" in w for w in reference.warnings)


@pytest.mark.parametrize(
    ("times", "step"),
    [
        (np.repeat(minutes(90, step=DAY), 200), DAY),
        (np.repeat(minutes(90, JANUARY - 7_200_000, DAY), 200), DAY),  # dates of another zone
        (
            np.repeat(minutes(90, step=DAY) - np.where(np.arange(90) < 40, 1, 2) * HOUR, 200),
            DAY,
        ),  # and with summer time
        (np.repeat(minutes(90, step=HOUR), 200), HOUR),
        (minutes(31 * 24 * 60 + 1), MINUTE),  # from midnight to midnight
        (minutes(31 * 24 * 6 + 1, step=600_000), 600_000),
        (minutes(1_000, step=SECOND), 0),
        (minutes(1_000, step=61_777), 0),
        (np.full(400, JANUARY), 0),
    ],
)
def test_the_step_of_times(times: Any, step: int) -> None:
    found = pace_of(np.asarray(times, np.int64)).step_ms
    assert found == step if np.ptp(times) else found in (0, HOUR)
    reference = fitted(times)
    assert reference.time_step_ms == found
    again = Reference.from_json(reference.to_json())
    assert (again.time_step_ms, again.hash) == (reference.time_step_ms, reference.hash)
    assert (b"time_step_ms" in reference.to_json()) == bool(found)


def test_a_sample_of_many_rows_gives_the_same_rate_and_names_every_odd_row() -> None:
    times = minutes(50_000)
    times[[49, 40_000]] = 0, YEAR_2099
    values = np.random.default_rng(5).normal(size=50_000)
    fitter = ReferenceFitter({"x": "numeric"}, sample=2_000)
    for take in (fitter.survey, fitter.count):
        for start in range(0, 50_000, 7_000):
            rows = slice(start, start + 7_000)
            take({"x": values[rows]}, times[rows])
    reference = fitter.finish(model="m")
    assert reference.events_per_week == pytest.approx(10_080, rel=0.001)
    assert (reference.first_ms, reference.last_ms) == (times[1:49].min() - MINUTE, times[-1])
    (words,) = far_words(reference)
    assert "row 50 (1970-01-01 00:00:00), row 40001 (2099-12-31 00:00:00)" in words


@given(
    st.lists(st.integers(0, 30 * DAY), min_size=300, max_size=400),
    st.integers(0, 10),
    st.integers(2, 40),
)
def test_odd_rows_change_nothing_but_their_count(offsets: list[int], odd: int, years: int) -> None:
    """However few, and however far: the rate is that of the good rows."""
    good = JANUARY + np.array(offsets, np.int64)
    if np.ptp(good) < HOUR:
        return
    far = np.full(odd, JANUARY + years * 365 * DAY)
    pace = pace_of(np.concatenate([far, good]))
    assert pace.odd(far).all()
    assert not pace.odd(good).any() or np.diff(np.sort(good)).max() > WEEK
