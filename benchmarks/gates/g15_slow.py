"""Gate 15: slow streams keep to the budget and are seldom in alarm; long and slow drifts are told.

An event in ten minutes or an hour, at random times. A window of a thousand events takes weeks
there, so false alarms that last for windows leave a stream in alarm. And half a year of drifts that
no window shows at once: found, without a flood of episodes and revisions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.gates.fitted import run_fitted
from benchmarks.gates.g10_memory import autoregressive
from benchmarks.gates.measured import Measured, mean_of, median_of, rate_of, share_of
from stream.stage2.delay import foretold

__all__ = ["CHANGES", "LONG", "NULLS", "change", "long", "null", "run"]

START_MS = 1_767_225_600_000  # a Thursday, 2026-01-01
MINUTE_MS, DAY_MS, WEEK_MS = 60_000, 86_400_000, 604_800_000
BEFORE, AFTER = 300, 3_000
QUIET_WEEKS, WEEKS = 1, 26

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Slow:
    """Signals of AR(1), an event in so many minutes, and the rows of the reference."""

    minutes: int
    signals: int
    rho: float
    rows: int


def _slow(minutes: int, rows: int) -> dict[str, Slow]:
    every = "an hour" if minutes == 60 else f"{minutes} min"
    return {
        f"{signals} signals, AR {rho:g}, an event in {every}": Slow(minutes, signals, rho, rows)
        for signals in (1, 10, 100)
        for rho in (0.0, 0.9)
    }


NULLS = _slow(10, 5_000) | _slow(60, 1_500)


@dataclass(frozen=True)
class Jump:
    """Signals that move by `sd` standard deviations, one or all of them."""

    slow: Slow
    sd: float
    moved: int
    most: float | None


CHANGES: dict[str, Jump] = {
    "+.5 sd of 1 in 10, an event in 10 min": Jump(Slow(10, 10, 0.0, 5_000), 0.5, 1, 200),
    "+1 sd of 1 in 10, an event in 10 min": Jump(Slow(10, 10, 0.0, 5_000), 1.0, 1, 80),
    "+2 sd of 1 in 10, an event in 10 min": Jump(Slow(10, 10, 0.0, 5_000), 2.0, 1, 48),
    "+1 sd of 1 in 10, AR .9, an event in 10 min": Jump(Slow(10, 10, 0.9, 5_000), 1.0, 1, 1_200),
    "+2 sd of 1 in 10, AR .9, an event in 10 min": Jump(Slow(10, 10, 0.9, 5_000), 2.0, 1, 500),
    "+2 sd of 128 at once, an event in 10 min": Jump(Slow(10, 128, 0.0, 5_000), 2.0, 128, 42),
    "+.5 sd of 1 in 10, an event in an hour": Jump(Slow(60, 10, 0.0, 1_500), 0.5, 1, 400),
    "+1 sd of 1 in 10, an event in an hour": Jump(Slow(60, 10, 0.0, 1_500), 1.0, 1, 120),
    "+2 sd of 1 in 10, an event in an hour": Jump(Slow(60, 10, 0.0, 1_500), 2.0, 1, 60),
}


@dataclass(frozen=True)
class Drift:
    """Half a year of one of five signals; `make` takes the weeks since it began, below 0 before."""

    make: Callable[[np.random.Generator, Floats], npt.NDArray[np.generic]]
    minutes: int
    rows: int
    most_weeks: float
    most_episodes: int
    most_told: int


def ramp(rng: np.random.Generator, weeks: Floats) -> Floats:
    """The mean goes up by .01 sd a week."""
    return rng.normal(size=weeks.size) + 0.01 * np.maximum(weeks, 0.0)


def errors(rng: np.random.Generator, weeks: Floats) -> Floats:
    """5 of 100 predictions are wrong, and one more every week."""
    return np.float64(rng.random(weeks.size) < 0.05 + 0.01 * np.maximum(weeks, 0.0))


def named_errors(rng: np.random.Generator, weeks: Floats) -> npt.NDArray[np.str_]:
    """The same with names."""
    return np.array(["right", "wrong"])[errors(rng, weeks).astype(np.int64)]


def weekends(rng: np.random.Generator, weeks: Floats) -> Floats:
    """Half a standard deviation more on two days of seven."""
    return rng.normal(size=weeks.size) + 0.5 * ((weeks > 0.0) & (weeks % 1.0 < 2 / 7))


LONG: dict[str, Drift] = {
    "+.01 sd a week, an event a minute": Drift(ramp, 1, 40_320, 8, 13, 65),
    "1 % more errors a week, an event a minute": Drift(errors, 1, 40_320, 3, 6, 65),
    "1 % more errors a week by name, an event a minute": Drift(named_errors, 1, 40_320, 3, 6, 65),
    "+.5 sd on 2 days of 7, an event a minute": Drift(weekends, 1, 40_320, 1, 6, 65),
    "+.01 sd a week, an event in 10 min": Drift(ramp, 10, 10_000, 18, 6, 40),
    "1 % more errors a week, an event in 10 min": Drift(errors, 10, 10_000, 6, 3, 40),
    "1 % more errors a week by name, an event in 10 min": Drift(named_errors, 10, 10_000, 6, 3, 40),
    "+.5 sd on 2 days of 7, an event in 10 min": Drift(weekends, 10, 10_000, 3, 3, 40),
}


def _times(rng: np.random.Generator, n: int, minutes: int) -> Ints:
    """Events of a Poisson process."""
    return START_MS + np.cumsum(rng.exponential(minutes * MINUTE_MS, n)).astype(np.int64)


def null(name: str, *, subjects: int = 4, windows: int = 50, seed: int = 150) -> list[Measured]:
    """Episodes a week and share of panes in alarm where nothing changes.

    Of a hundred signals with a memory three times as many references, since they differ so much.
    """
    of = NULLS[name]
    subjects *= 3 if of.rho and of.signals == 100 else 1
    n = of.rows + 1_000 * windows
    weeks = 1_000 * windows * of.minutes * MINUTE_MS / WEEK_MS
    opened, share = np.zeros(subjects, np.int64), np.zeros(subjects)
    for k in range(subjects):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        columns = {f"s{i}": autoregressive(of.rho)(rng, n) for i in range(of.signals)}
        _, run, _ = run_fitted(columns, _times(rng, n, of.minutes), of.rows)
        opened[k], share[k] = run.opened, run.in_alarm / run.panes
    note = (
        f"{opened.sum()} in {subjects * weeks:,.0f} weeks of {subjects} references of "
        f"{of.rows:,} rows"
    )
    return [
        Measured(
            f"{name}: episodes a week, F = 1",
            *rate_of(opened, weeks),
            most=1.0,
            note=note,
            by_bound=True,
        ),
        Measured(f"{name}: share of panes in alarm", *mean_of(share), most=0.05),
    ]


def change(name: str, *, runs: int = 20, seed: int = 151) -> list[Measured]:
    """Events from a jump to its episode, and whether `fit` foretold the delay."""
    of = CHANGES[name]
    slow, n = of.slow, of.slow.rows + BEFORE + AFTER
    delays, within, early = np.full(runs, np.inf), np.zeros(runs, np.int64), 0
    for k in range(runs):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        columns = {f"s{i}": autoregressive(slow.rho)(rng, n) for i in range(slow.signals)}
        for i in range(of.moved):
            columns[f"s{i}"][slow.rows + BEFORE :] += of.sd
        times = _times(rng, n, slow.minutes)
        _, run, _ = run_fitted(columns, times, slow.rows)
        at = np.searchsorted(times, run.opened_ms) - slow.rows - BEFORE
        early += int((at < 0).sum())
        delays[k] = at[at >= 0].min(initial=AFTER * 1_000)
        within[k] = delays[k] <= foretold(run.plan, of.sd)["s0"]
    delays[delays > AFTER] = np.inf
    note = (
        f"{runs} references of {slow.rows:,} rows; {np.isinf(delays).sum()} missed, {early} before"
    )
    return [
        Measured(f"{name}: events until told", *median_of(delays), most=of.most, note=note),
        Measured(f"{name}: told within what fit says", *share_of(within, 1), least=0.8),
    ]


def long(name: str, *, runs: int = 4, seed: int = 152) -> list[Measured]:
    """When a drift of half a year is told, how often, and in how many alert events."""
    of = LONG[name]
    n = of.rows + (QUIET_WEEKS + WEEKS) * WEEK_MS // (of.minutes * MINUTE_MS)
    weeks, opened, told = np.full(runs, np.inf), np.zeros(runs), np.zeros(runs)
    for k in range(runs):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        times = _times(rng, n, of.minutes)
        began_ms = times[of.rows] + QUIET_WEEKS * WEEK_MS
        columns: dict[str, npt.NDArray[np.generic]] = {
            f"s{i}": rng.normal(size=n) for i in range(4)
        }
        columns["moved"] = of.make(rng, (times - began_ms) / WEEK_MS)
        _, run, _ = run_fitted(columns, times, of.rows)
        at = (np.array(run.opened_ms, np.float64) - began_ms) / WEEK_MS
        weeks[k] = at[at >= 0.0].min(initial=np.inf)
        opened[k], told[k] = run.opened, run.told
    note = f"{runs} references of {of.rows:,} rows, five signals, {WEEKS} weeks"
    return [
        Measured(f"{name}: weeks until told", *median_of(weeks), most=of.most_weeks, note=note),
        Measured(
            f"{name}: episodes",
            float(opened.mean()),
            opened.min(),
            opened.max(),
            least=1.0,
            most=of.most_episodes,
        ),
        Measured(
            f"{name}: alert events", float(told.mean()), told.min(), told.max(), most=of.most_told
        ),
    ]


def run(
    subjects: int = 4,
    windows: int = 50,
    nulls: tuple[str, ...] = tuple(NULLS),
    changes: tuple[str, ...] = tuple(CHANGES),
    drifts: tuple[str, ...] = tuple(LONG),
) -> list[Measured]:
    """Every null, what must be told soon, and what takes half a year."""
    rows = [row for name in nulls for row in null(name, subjects=subjects, windows=windows)]
    rows += [row for name in changes for row in change(name, runs=5 * subjects)]
    return rows + [row for name in drifts for row in long(name, runs=subjects)]
