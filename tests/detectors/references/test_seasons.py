"""Slots of the week: where hours belong, which are alike, and what a window is compared with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import (
    Calendar,
    EDetectorBank,
    InvalidReferenceError,
    Layout,
    Reference,
    ScoreTable,
    Seasons,
    SlotEDetectorBank,
    SlotGrowth,
    SlotScores,
    SlotWindowBank,
    WindowBank,
    accumulate,
    expected_signal,
    fit_reference,
)
from detectors.references.calendar import STEPS, SlotPlace
from detectors.units import DAY_MS, HOUR_MS

WEEK_MS = 7 * DAY_MS
MONDAY_MS = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
FLAT = np.zeros(168, bool)


def arrivals(rng: np.random.Generator, weeks: float, a_minute: float = 0.5) -> np.ndarray:
    n = rng.poisson(weeks * 10_080 * a_minute)
    return np.sort(MONDAY_MS + rng.integers(0, int(weeks * WEEK_MS), n))


def daily(times: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * times / DAY_MS)


def is_weekend(times: np.ndarray) -> np.ndarray:
    return (times // DAY_MS + 3) % 7 >= 5


def fitted(columns, times, **said) -> Reference:  # type: ignore[no-untyped-def]
    return fit_reference(columns, model="m", times_ms=times, seasons=Seasons("auto", **said))


@pytest.fixture(scope="module")
def seasonal() -> tuple[Reference, dict[str, np.ndarray], np.ndarray]:
    """A number with a daily sine, names by the weekend, a number that is missing at night."""
    rng = np.random.default_rng(5)
    times = arrivals(rng, 4)
    n = times.size
    night = daily(times) < 0
    columns = {
        "sine": daily(times) + rng.normal(size=n),
        "gone": np.where(night & (rng.random(n) < 0.2), np.nan, rng.normal(size=n)),
        "kind": np.where(rng.random(n) < np.where(is_weekend(times), 0.6, 0.2), "a", "b"),
    }
    return fitted(columns, times), columns, times


# --- where an hour belongs


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]),
)
@settings(max_examples=200, deadline=None)
def test_the_hour_of_the_week_is_that_of_the_zones_clock(moment: datetime, zone: str) -> None:
    calendar = Calendar(zone, np.arange(168), FLAT)
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    time_ms = int(moment.replace(tzinfo=UTC).timestamp() * 1000)
    assert calendar.place(time_ms, 2).slot == local.weekday() * 24 + local.hour


def test_a_holiday_is_as_a_sunday_by_the_clock_of_the_zone() -> None:
    calendar = Calendar("Europe/Berlin", np.arange(168), FLAT, holidays=("2026-12-25",))
    noon = datetime(2026, 12, 25, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    at = int(noon.timestamp() * 1000)
    assert calendar.place(at, 60_000).slot == 6 * 24 + 12  # a Friday otherwise
    late = at + 11 * HOUR_MS + 60_000
    assert calendar.place(late, 60_000).slot == 6 * 24 + 23
    assert calendar.place(late + HOUR_MS, 60_000).slot == 5 * 24  # it is Saturday in Berlin


def test_slopes_mix_two_slots_evenly_and_jumps_do_not() -> None:
    slopes = FLAT.copy()
    slopes[0] = True  # from Monday's hour 0 to hour 1 alone
    calendar = Calendar("UTC", np.arange(168), slopes)
    minute = 60_000
    at = [calendar.place(MONDAY_MS + m * minute, minute) for m in range(120)]
    assert at[0] == SlotPlace(0, 0, 0)  # before the middle of hour 0 Sunday's last hour is near
    assert at[59] == SlotPlace(0, 1, round((59.5 / 60 - 0.5) * STEPS))
    assert at[60] == SlotPlace(1, 0, round((0.5 - 0.5 / 60) * STEPS))
    assert at[119] == SlotPlace(1, 1, 0)
    told = calendar.told(at[60], MONDAY_MS + HOUR_MS, 10)
    assert told[:2].tolist() == [10 * at[60].part, 10 * (STEPS - at[60].part)]
    assert told.sum() == 10 * STEPS + 10


def test_panes_are_of_one_slot_each() -> None:
    every_hour = Calendar("UTC", np.arange(168), FLAT)
    assert every_hour.fits(HOUR_MS)
    assert every_hour.fits(600_000)
    assert not every_hour.fits(2 * HOUR_MS)
    assert not every_hour.fits(DAY_MS)
    assert not every_hour.fits(7 * 60_000)
    of_days = Calendar("UTC", np.arange(168) // 24, FLAT)
    assert of_days.fits(DAY_MS)
    half_hour_off = Calendar("Asia/Kolkata", np.arange(168), FLAT)
    assert not half_hour_off.fits(HOUR_MS)
    assert half_hour_off.fits(600_000)


# --- which hours are alike


def test_fit_finds_hours_and_days(seasonal: tuple) -> None:
    reference, _, _ = seasonal
    calendar = reference.calendar
    assert calendar is not None
    assert calendar.words == "Mon-Fri and weekend"
    assert 20 <= calendar.slots <= 48
    table = calendar.slot.reshape(7, 24)
    assert (table[:5] == table[0]).all()
    assert (table[5:] == table[5]).all()
    assert not np.isin(table[0], table[5]).any()


def test_a_stream_without_a_season_is_one_slot() -> None:
    rng = np.random.default_rng(1)
    times = arrivals(rng, 4)
    calendar = fitted({"x": rng.normal(size=times.size)}, times).calendar
    assert calendar is not None
    assert calendar.slots <= 3  # chance parts an hour now and then


def test_hours_alone_know_no_weekend(seasonal: tuple) -> None:
    _, columns, times = seasonal
    hours = fit_reference(columns, model="m", times_ms=times, seasons=Seasons("hours"))
    assert hours.calendar is not None
    assert (hours.calendar.slot.reshape(7, 24) == hours.calendar.slot[:24]).all()


def test_looking_changes_nothing_but_what_is_known() -> None:
    rng = np.random.default_rng(2)
    times = arrivals(rng, 2)
    columns = {"x": daily(times) + rng.normal(size=times.size)}
    looked = fit_reference(columns, model="m", times_ms=times, seasons=Seasons("look"))
    assert looked.to_json() == fit_reference(columns, model="m", times_ms=times).to_json()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"slots": "sometimes"}, "slots must be one of look, auto, hours, off"),
        ({"time_zone": "Mars/Olympus"}, "time_zone must be a name of the IANA"),
        ({"time_zone": "../../etc/passwd"}, "time_zone must be a name of the IANA"),
        ({"holidays": ("25.12.2026",)}, "holidays must be dates such as 2026-12-25"),
    ],
)
def test_what_cannot_be_wanted(said: dict, error: str) -> None:
    with pytest.raises(InvalidReferenceError, match=error):
        Seasons(**said)


def test_three_days_show_no_season() -> None:
    rng = np.random.default_rng(3)
    times = arrivals(rng, 3 / 7)
    with pytest.raises(InvalidReferenceError, match="rows are of fewer than 4"):
        fitted({"x": rng.normal(size=times.size)}, times)
    with pytest.raises(InvalidReferenceError, match="rows have no times"):
        fit_reference({"x": rng.normal(size=900)}, model="m", seasons=Seasons("auto"))


# --- the file


def test_a_reference_with_slots_is_read_back_bit_for_bit(seasonal: tuple) -> None:
    reference, _, _ = seasonal
    data = reference.to_json()
    again = Reference.from_json(data)
    assert again.to_json() == data
    assert again.hash == reference.hash
    for signal in again.signals:
        assert signal.slots is not None
        assert (signal.slots.counts.sum(axis=0) == signal.counts).all()


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (("calendar", "time_zone"), "Nowhere/Town", "calendar.time_zone must be a name of the"),
        (("calendar", "slot_of_hour"), [0] * 167, "slot_of_hour must have 168 items"),
        (("calendar", "slot_of_hour"), [2] * 168, "must number slots from 0 without a gap"),
        (("calendar", "slopes"), [168], "calendar.slopes must be hours of the week"),
        (("calendar", "holidays"), ["tomorrow"], "must be a date such as 2026-12-25"),
        (("signals", 0, "slots", "counts"), [[0]], "must have .* rows, one a slot; got 1"),
        (("signals", 0, "slots", "level_x"), -1.0, "must be a finite number >= 0"),
    ],
)
def test_a_calendar_that_is_wrong_is_refused(
    seasonal: tuple, path: tuple, value: object, error: str
) -> None:
    document = json.loads(seasonal[0].to_json())
    at = document
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    with pytest.raises(InvalidReferenceError, match=error):
        Reference.from_json(json.dumps(document))


# --- what a window is compared with


def pane_counts(
    reference: Reference, columns: dict[str, np.ndarray], times: np.ndarray, pane_ms: int
) -> tuple[np.ndarray, np.ndarray]:
    """Starts of panes and their counts with what the calendar tells behind them."""
    layout, calendar = reference.layout(), reference.calendar
    assert calendar is not None
    numeric = np.empty((times.size, layout.numeric.size))
    codes = np.empty((times.size, layout.categorical.size), np.int32)
    for at, i in enumerate(layout.numeric):
        numeric[:, at] = columns[layout.names[i]]
    for at, i in enumerate(layout.categorical):
        binning = layout.binnings[i]
        codes[:, at] = [binning.bin(v) for v in columns[layout.names[i]]]  # type: ignore[union-attr]
    starts, slot = np.unique(times // pane_ms, return_inverse=True)
    counts = np.zeros((starts.size, layout.width), np.int64)
    accumulate(layout.positions(numeric, codes), slot.astype(np.int32), counts)
    told = [
        calendar.told(calendar.place(start * pane_ms, pane_ms), start * pane_ms, int(row[0]))
        for start, row in zip(starts.tolist(), counts, strict=True)
    ]
    return starts * pane_ms, np.hstack([counts, told])


def test_all_of_the_reference_is_expected_to_be_the_reference(seasonal: tuple) -> None:
    reference, columns, times = seasonal
    calendar = reference.calendar
    assert calendar is not None
    _, counts = pane_counts(reference, columns, times, HOUR_MS)
    layout = reference.layout()
    mixture = calendar.mixture(counts.sum(axis=0)[layout.width :])
    for signal in reference.signals:
        expected = expected_signal(signal, mixture)
        assert np.abs(expected.counts - signal.counts).max() <= 1


def test_a_window_is_compared_with_its_own_hours(seasonal: tuple) -> None:
    """Each quarter of a day by itself is silent, and what is not of its hours is found."""
    reference, columns, times = seasonal
    assert reference.calendar is not None
    layout = reference.layout()
    bank = SlotWindowBank(reference.signals, layout, None, reference.calendar)
    starts, counts = pane_counts(reference, columns, times, HOUR_MS)
    plain = WindowBank(fit_reference(columns, model="m", times_ms=times).signals)
    for quarter in range(4):
        window = counts[starts % DAY_MS // (6 * HOUR_MS) == quarter].sum(axis=0)
        assert not bank.test(window, 1e-4).found.any()
        assert plain.test(window[: layout.width], 1e-4).found.any(), "no season to be blind to"
    night = counts[starts % DAY_MS >= 18 * HOUR_MS].sum(axis=0)
    noon = counts[(starts % DAY_MS >= 6 * HOUR_MS) & (starts % DAY_MS < 12 * HOUR_MS)].sum(axis=0)
    swapped = np.append(night[: layout.width], noon[layout.width :])
    result = bank.test(swapped, 1e-6)
    found = {(layout.names[result.signal[r]], result.test(r)) for r in np.flatnonzero(result.found)}
    assert ("sine", "psi") in found
    assert ("gone", "missing_rate") in found
    assert (result.threshold[result.found] <= result.value[result.found] * 1.000001).all()
    assert (result.p_value[result.found] <= 1e-6).all()


def test_every_test_that_can_be_chosen_knows_slots(seasonal: tuple) -> None:
    reference, columns, times = seasonal
    assert reference.calendar is not None
    layout = reference.layout()
    tests = {
        "sine": ("psi", "kl", "js", "hellinger", "total_variation", "chi2", "g", "wasserstein",
                 "ks"),
        "gone": ("missing_rate",),
        "kind": ("chi2", "name_share"),
    }  # fmt: skip
    bank = SlotWindowBank(reference.signals, layout, tests, reference.calendar)
    starts, counts = pane_counts(reference, columns, times, HOUR_MS)
    day = starts % DAY_MS < 12 * HOUR_MS
    quiet = counts[day].sum(axis=0)
    assert not bank.test(quiet, 1e-4).found.any()
    told = counts[~day].sum(axis=0)[layout.width :]
    loud = bank.test(np.append(quiet[: layout.width], told), 1e-4)
    by_test = {
        loud.test(r): bool(loud.found[r])
        for r in range(loud.value.size)
        if layout.names[loud.signal[r]] == "sine"
    }
    assert all(by_test.values()), by_test
    assert len(by_test) == 9


# --- detectors that follow every pane


def one_slot(seed: int) -> tuple[Reference, Calendar]:
    rng = np.random.default_rng(seed)
    times = arrivals(rng, 2)
    fit = fitted({"x": rng.normal(size=times.size), "y": rng.gamma(2, size=times.size)}, times)
    assert fit.calendar is not None
    return fit, fit.calendar


def test_with_one_slot_scores_are_those_without() -> None:
    reference, calendar = one_slot(4)
    assert calendar.slots == 1
    layout = reference.layout()
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, layout.width)
    counts[0] = 40
    told = calendar.told(calendar.place(MONDAY_MS, HOUR_MS), MONDAY_MS, 40)
    ours = SlotScores(reference.signals, layout, calendar).moments(np.append(counts, told))
    for mine, plain in zip(ours, ScoreTable(reference.signals).moments(counts), strict=True):
        assert (mine == plain).all()


def test_processes_grow_as_those_of_a_stream_without_slots() -> None:
    """The first set, with one slot: the same bound, the same bets, days' variance."""
    reference, calendar = one_slot(4)
    assert calendar.slots == 1
    layout = reference.layout()
    scores = SlotScores(reference.signals, layout, calendar)
    ours = SlotEDetectorBank(SlotGrowth(reference.signals, layout, scores, 3.0), threshold=1e9)
    plain = EDetectorBank(reference.signals, layout, threshold=1e9, z=3.0)
    rng = np.random.default_rng(1)
    for pane in range(50):
        counts = rng.poisson(0.5, layout.width)
        counts[0] = 30
        at = MONDAY_MS + pane * HOUR_MS
        told = calendar.told(calendar.place(at, HOUR_MS), at, 30)
        ours.update(np.append(counts, told))
        plain.update(counts)
    half = ours.state.shape[1] // 2
    np.testing.assert_allclose(ours.state[:, :half], plain.state, rtol=0.02)


def run_length(reference: Reference, counts: np.ndarray, threshold: float) -> int | None:
    """Pane of the first alarm of "sine"."""
    assert reference.calendar is not None
    layout = reference.layout()
    scores = SlotScores(reference.signals, layout, reference.calendar)
    bank = SlotEDetectorBank(
        SlotGrowth(reference.signals, layout, scores, 3.0), threshold=threshold
    )
    for at, row in enumerate(counts):
        if bank.update(row)[0]:
            return at
    return None


def test_the_season_is_silent_and_half_a_deviation_is_found(seasonal: tuple) -> None:
    reference, columns, _ = seasonal
    rng = np.random.default_rng(9)
    times = arrivals(rng, 4)
    again = {name: np.resize(column, times.size) for name, column in columns.items()}
    for moved, found in ((0.0, False), (0.5, True)):
        again["sine"] = daily(times) + rng.normal(size=times.size) + moved
        _, counts = pane_counts(reference, again, times, HOUR_MS)
        at = run_length(reference, counts, 10_000.0)
        assert (at is not None) == found
        assert not found or (at is not None and at < 24)


def test_growth_of_two_slots_alone_is_held(seasonal: tuple) -> None:
    reference, _columns, _times = seasonal
    assert reference.calendar is not None
    layout = reference.layout()
    scores = SlotScores(reference.signals, layout, reference.calendar)
    growth = SlotGrowth(reference.signals, layout, scores, 3.0)
    for slot in range(reference.calendar.slots):
        growth.table(slot)
        assert len(growth._tables) <= 2


def test_growth_with_and_without_a_table_is_the_same(seasonal: tuple) -> None:
    reference, columns, times = seasonal
    assert reference.calendar is not None
    layout = reference.layout()
    scores = SlotScores(reference.signals, layout, reference.calendar)
    banks = [
        SlotEDetectorBank(
            SlotGrowth(reference.signals, layout, scores, 3.0, by_table=by_table), threshold=1e9
        )
        for by_table in (True, False)
    ]
    _, counts = pane_counts(reference, columns, times, HOUR_MS)
    for row in counts[:60]:
        for bank in banks:
            bank.update(row)
    np.testing.assert_allclose(banks[0].state, banks[1].state, rtol=0.02)


def test_days_with_levels_are_told_from_hours() -> None:
    """A level that each day has for itself makes days vary much more than batches."""
    rng = np.random.default_rng(4)
    times = arrivals(rng, 4, a_minute=1.0)
    day = (times - MONDAY_MS) // DAY_MS
    level = rng.normal(size=28)[day]
    reference = fitted({"x": 0.2 * level + rng.normal(size=times.size)}, times)
    (signal,) = reference.signals
    assert signal.slots is not None
    assert signal.calibration.phi_x > 20.0  # 1 + 1,440 * .04
    assert signal.slots.short.phi_x < 3.0
    # In standard deviations of the value: that of the rank is 1 / sqrt(12).
    assert 0.1 < signal.slots.level_x * np.sqrt(12) < 0.35


def test_jumps_and_slopes_of_fast_streams_are_told_apart() -> None:
    rng = np.random.default_rng(6)
    times = arrivals(rng, 1.5, a_minute=40.0)
    office = ((times % DAY_MS >= 9 * HOUR_MS) & (times % DAY_MS < 17 * HOUR_MS)) * 2.0
    stepped = fitted({"x": office + rng.normal(size=times.size)}, times).calendar
    sloped = fitted({"x": daily(times) + rng.normal(size=times.size)}, times).calendar
    assert stepped is not None
    assert sloped is not None
    assert not stepped.slopes[[8, 16]].any()
    borders = sloped.slot != np.roll(sloped.slot, -1)
    assert sloped.slopes[borders].mean() > 0.8


def test_layouts_of_the_calendar_add_up(seasonal: tuple) -> None:
    reference, columns, times = seasonal
    assert reference.calendar is not None
    layout: Layout = reference.layout()
    _, counts = pane_counts(reference, columns, times, HOUR_MS)
    told = counts.sum(axis=0)[layout.width :]
    slots = reference.calendar.slots
    assert told[:slots].sum() == STEPS * times.size
    assert told[slots:].sum() == times.size
    mixture = reference.calendar.mixture(told)
    assert mixture.days == pytest.approx(1 / 28, rel=0.2)
