"""Names that come for a while and never again: how many of the next events will be new."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import fit_reference
from detectors.fitting.stretches import rows_of_passing_names

N, MINUTE = 20_000, 60_000
TIMES = np.arange(N, dtype=np.int64) * MINUTE
DAY = (TIMES // 86_400_000).astype(int)


def novel_share(names: list[str]) -> float:
    reference = fit_reference({"name": names}, model="m", times_ms=TIMES)
    (signal,) = reference.signals
    return signal.calibration.novel / N


def usual(rng: np.random.Generator) -> list[str]:
    return [f"n{i}" for i in rng.integers(0, 5, N)]


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_a_name_of_each_day_is_new_each_day(share: float) -> None:
    rng = np.random.default_rng(1)
    new = rng.random(N) < share
    names = [f"day {d}" if n else u for d, n, u in zip(DAY, new, usual(rng), strict=True)]
    assert novel_share(names) == pytest.approx(new.mean(), abs=0.01)


def test_visitors_that_stay_for_half_a_day_are_followed_by_new_ones() -> None:
    rng = np.random.default_rng(2)
    place = rng.integers(0, 50, N)
    since = rng.random(50) * 720
    visit = ((np.arange(N) + since[place]) // 720).astype(int)
    share = novel_share([f"visitor {p} {v}" for p, v in zip(place, visit, strict=True)])
    assert share == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("places", "share"), [(1, 0.1), (1, 0.3), (20, 1.0)])
def test_names_that_stay_for_nearly_a_third_of_the_reference(places: int, share: float) -> None:
    """A third of it is no power of two of its batches."""
    rng = np.random.default_rng(5)
    place = rng.integers(0, places, N)
    since = rng.random(places)
    stay = N * 0.24  # as five days of three weeks
    visit = np.floor(np.arange(N) / stay + since[place]).astype(int)
    new = rng.random(N) < share
    names = [
        f"{p} {v}" if n else u for p, v, n, u in zip(place, visit, new, usual(rng), strict=True)
    ]
    assert novel_share(names) == pytest.approx(new.mean(), abs=0.01)


@pytest.mark.parametrize("kinds", [5, 300, 3_000])
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_names_that_come_at_random_are_new_where_one_batch_alone_has_them(
    kinds: int, power: float
) -> None:
    rng = np.random.default_rng(3)
    weights = np.arange(1.0, kinds + 1) ** -power
    batch = np.arange(N) // 200
    for _ in range(5):
        name = rng.choice(kinds, N, p=weights / weights.sum())
        first = np.full(kinds, 100)
        last = np.full(kinds, -1)
        np.minimum.at(first, name, batch)
        np.maximum.at(last, name, batch)
        times = np.bincount(name, minlength=kinds)
        alone = (first == last) & (times > 0)
        expected = np.bincount(first[alone], times[alone], 100).astype(int)
        rows = rows_of_passing_names(first, last, times, 100)
        assert rows.tolist() == expected.tolist()


def test_a_name_that_comes_to_stay_is_no_passing_one() -> None:
    rng = np.random.default_rng(4)
    late = (np.arange(N) > N // 2) & (rng.random(N) < 0.3)
    assert novel_share(["late" if x else u for x, u in zip(late, usual(rng), strict=True)]) == 0.0


def test_no_row_has_a_name_that_passes_where_there_are_no_rows() -> None:
    none = np.zeros(0, np.int64)
    assert rows_of_passing_names(none, none, none, 16).tolist() == [0] * 16


@pytest.mark.parametrize("batches", range(6, 130, 7))
@pytest.mark.parametrize("once", [1, 2, 5])
def test_names_of_all_batches_beside_names_that_come_once(batches: int, once: int) -> None:
    """Chance explains both to the last bit: rounding must not make an error of less than none."""
    times = np.array([5_000] * 3 + [1] * once)
    first, last = np.zeros(times.size, np.int64), np.where(times > 1, batches - 1, 0)
    rows = rows_of_passing_names(first, last, times, batches)
    assert rows.sum() == once
