"""Days of a reference that are unlike its others: left out of the slots, and said to be."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.gates.fitted import run_fitted
from benchmarks.gates.g12_seasons import START_MS
from benchmarks.gates.seasonal_streams import (
    DAY_MS,
    HOUR_MS,
    WEEK_MS,
    arrivals,
    daily,
    evenly,
    of_season,
    twice_at_weekends,
)
from detectors import InvalidReferenceError, Reference, Seasons, fit_reference

#: Days after the start, a Monday: a Wednesday in the second week of the reference.
HOLIDAY = 9
DATE = "2026-01-14"


def stream(
    seed: int, *, odd: tuple[int, ...] = (), level: float = 0.1, a_minute: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of eight weeks; a holiday is lower, and does not follow the day."""
    rng = np.random.default_rng([5, seed])
    times = arrivals(rng, START_MS, START_MS + 8 * WEEK_MS, a_minute, evenly)
    values = np.asarray(of_season(twice_at_weekends, level)(rng, times), np.float64)
    free = np.isin((times - START_MS) // DAY_MS, odd)
    values[free] -= 1.5 + daily(times[free])
    return times, values


def fitted(seed: int, weeks: float = 4, odd: tuple[int, ...] = (), **said: object) -> Reference:
    times, values = stream(seed, odd=odd)
    first = times < START_MS + weeks * WEEK_MS
    return fit_reference(
        {"x": values[first]},
        model="m",
        times_ms=times[first],
        seasons=Seasons("auto", **said),  # type: ignore[arg-type]
    )


def left_out(reference: Reference) -> tuple[str, ...]:
    assert reference.calendar is not None
    return reference.calendar.left_out


def hours_until_found(seed: int, odd: tuple[int, ...], *, keep_days: bool) -> float:
    """Of half a standard deviation more, a week after four weeks of reference."""
    times, values = stream(seed, odd=odd)
    at = START_MS + 5 * WEEK_MS
    values[times >= at] += 0.5
    rows = int(np.searchsorted(times, START_MS + 4 * WEEK_MS))
    seasons = Seasons("auto", keep_days=keep_days)
    _, run, _ = run_fitted({"x": values}, times, rows, seasons)
    return min((ms - at for ms in run.opened_ms if ms > at), default=np.inf) / HOUR_MS


def test_a_shift_is_found_as_soon_as_without_the_holiday() -> None:
    found = [
        [
            hours_until_found(seed, odd, keep_days=keep_days)
            for odd, keep_days in (((), False), ((HOLIDAY,), False), ((HOLIDAY,), True))
        ]
        for seed in range(4)
    ]
    without, left, kept = np.median(found, axis=0)
    assert left <= without + 2.0
    assert kept > 4.0 * left, "no holiday to be blind for"


def test_what_is_left_out_is_said_with_what_to_do() -> None:
    reference = fitted(1, odd=(HOLIDAY,))
    assert left_out(reference) == (DATE,)
    (words,) = [words for words in reference.warnings if DATE in words]
    assert words.startswith(f"Wednesday {DATE}: unlike other days of its weekday, by 'x'; left out")
    assert "--holidays" in words
    assert "--keep-days" in words


def test_days_vary_as_they_do_without_the_holiday() -> None:
    effect = [
        fitted(2, odd=odd, keep_days=keep).signals[0].calibration.phi_x
        for odd, keep in (((), False), ((HOLIDAY,), False), ((HOLIDAY,), True))
    ]
    assert effect[1] == pytest.approx(effect[0], rel=0.3)
    assert effect[2] > 2.0 * effect[0]


def test_the_slots_know_nothing_of_the_day_and_the_reference_all() -> None:
    usual, with_holiday = fitted(3), fitted(3, odd=(HOLIDAY,))
    assert with_holiday.events == usual.events
    times, _ = stream(3)
    rows = int(((times - START_MS) // DAY_MS == HOLIDAY).sum())
    (signal,) = with_holiday.signals
    assert signal.slots is not None
    assert signal.counts.sum() - signal.slots.counts.sum() == rows
    (signal,) = usual.signals
    assert signal.slots is not None
    assert signal.counts.sum() == signal.slots.counts.sum()


def test_holidays_in_a_row_do_not_hide_each_other() -> None:
    assert len(left_out(fitted(4, odd=(HOLIDAY, 10, 11)))) == 3


def test_where_many_days_are_unlike_the_others_all_are_kept() -> None:
    assert left_out(fitted(4, odd=(2, 5, 8, 11, 15, 19, 23, 24))) == ()


def test_days_that_are_declared_are_kept() -> None:
    named = fitted(5, odd=(HOLIDAY,), holidays=(DATE,))
    assert left_out(named) == ()


def test_two_weeks_do_not_show_which_day_is_usual() -> None:
    assert left_out(fitted(6, weeks=2, odd=(HOLIDAY,))) == ()
    assert left_out(fitted(6, weeks=2.9, odd=(HOLIDAY,))) == ()
    assert left_out(fitted(6, weeks=4, odd=(HOLIDAY,))) == (DATE,)


@pytest.mark.parametrize("weeks", [3, 4])
@pytest.mark.parametrize("level", [0.0, 0.1, 0.2])
def test_no_day_is_left_out_where_days_are_alike(level: float, weeks: int) -> None:
    """One in 10,000 references may lose one: two in fifty are a broken law, not chance."""
    lost = 0
    for seed in range(50):
        times, values = stream(seed, level=level, a_minute=0.05)
        first = times < START_MS + weeks * WEEK_MS
        columns = {"x": values[first], "y": np.random.default_rng(seed).normal(size=first.sum())}
        seasons = Seasons("auto")
        lost += bool(
            left_out(fit_reference(columns, model="m", times_ms=times[first], seasons=seasons))
        )
    assert lost <= 1


@pytest.mark.parametrize("share", [0.02, 0.1, 1.0])
def test_a_signal_that_is_mostly_one_value_shows_no_days(share: float) -> None:
    """Its means are skewed: a day with three values that are not usual is no holiday."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        times = arrivals(rng, START_MS, START_MS + 4 * WEEK_MS, 0.05, evenly)
        values = np.where(rng.random(times.size) < share, rng.exponential(size=times.size), 0.0)
        seasons = Seasons("auto")
        reference = fit_reference({"x": values}, model="m", times_ms=times, seasons=seasons)
        assert left_out(reference) == ()


def test_it_is_read_back_bit_for_bit_and_checked() -> None:
    reference = fitted(1, odd=(HOLIDAY,))
    data = reference.to_json()
    assert Reference.from_json(data).to_json() == data
    document = json.loads(data)
    document["calendar"]["left_out"] = ["14.1.2026"]
    with pytest.raises(
        InvalidReferenceError, match=r"left_out.* must be a date such as 2026-12-25"
    ):
        Reference.from_json(json.dumps(document))


def test_a_reference_with_no_day_left_out_has_no_word_of_it() -> None:
    assert b"left_out" not in fitted(1).to_json()
