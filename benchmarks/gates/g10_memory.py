"""Gate 10: streams with a memory keep to the budget, are seldom in alarm, and show what changes.

Each subject has a reference of its own, of the rows before; panes and windows are those that `fit`
proposes. A budget counts openings, and an alarm that never ends counts once: so the share of panes
in alarm stands beside the episodes a week.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from benchmarks.gates.fitted import run_fitted
from benchmarks.gates.measured import Measured, mean_of, median_of, rate_of

__all__ = ["CHANGES", "NULLS", "change", "null", "run"]

WEEK_MS = 604_800_000
START_MS = 1_767_225_600_000  # a Thursday, 2026-01-01
MINUTE_MS = 60_000
BEFORE, AFTER = 2_000, 20_000
#: What `fit` says of a memory that its batches cannot hold, and the share of references of a stream
#: outside of the bounds that it has to be said of.
_SLOW = ("vary so slowly", "long ago still shows")
_MOST_WARNED = 0.9

Floats = npt.NDArray[np.float64]
Make = Callable[[np.random.Generator, int], npt.NDArray[np.generic]]


def autoregressive(rho: float) -> Make:
    """AR(1) with variance 1."""

    def make(rng: np.random.Generator, n: int) -> Floats:
        noise = rng.normal(size=n) * np.sqrt(1 - rho * rho)
        noise[0] = rng.normal()
        return np.asarray(lfilter([1], [1, -rho], noise))

    return make


def moving_average(length: int) -> Make:
    """The mean of so many independent values, with variance 1."""

    def make(rng: np.random.Generator, n: int) -> Floats:
        noise = rng.normal(size=n + length)
        return np.asarray(lfilter(np.full(length, length**-0.5), [1], noise)[length:])

    return make


def slow_part(rng: np.random.Generator, n: int) -> Floats:
    """Independent values beside an Ornstein-Uhlenbeck process of 6 hours and sd .3."""
    return rng.normal(size=n) + 0.3 * autoregressive(1 - 1 / 360)(rng, n)


def nightly(rng: np.random.Generator, n: int) -> Floats:
    """Days with levels of their own, of sd .05."""
    day = np.arange(n) // 1_440
    return rng.normal(size=n) + 0.05 * rng.normal(size=day[-1] + 1)[day]


def regimes(rng: np.random.Generator, n: int) -> Floats:
    """A level that goes from 0 to 1 and back after some 200 events."""
    return rng.normal(size=n) + np.cumsum(rng.random(n) < 1 / 200) % 2


def garch(rng: np.random.Generator, n: int) -> Floats:
    """GARCH(1, 1) with alpha .1 and beta .88: volatility that clusters."""
    shock = rng.normal(size=n)
    out, variance = np.empty(n), 1.0
    for i, z in enumerate(shock.tolist()):
        out[i] = z * variance**0.5
        variance = 0.02 + 0.1 * out[i] ** 2 + 0.88 * variance
    return out


def fractional(d: float) -> Make:
    """Fractional noise: a memory that no batch is longer than."""

    def make(rng: np.random.Generator, n: int) -> Floats:
        k = np.arange(1, n)
        weights = np.concatenate([[1.0], np.cumprod((k - 1 + d) / k)])
        size = 1 << (2 * n - 1).bit_length()
        noise = np.fft.rfft(rng.normal(size=n), size) * np.fft.rfft(weights, size)
        values = np.fft.irfft(noise, size)[:n]
        return np.asarray(values / np.sqrt(np.square(weights).sum()))

    return make


def repeating(p: float) -> Make:
    """Six names, each event's the last one's with probability p."""

    def make(rng: np.random.Generator, n: int) -> npt.NDArray[np.str_]:
        fresh = rng.random(n) >= p
        fresh[0] = True
        drawn = rng.integers(0, 6, n)
        return np.array(list("abcdef"))[drawn[np.maximum.accumulate(fresh * np.arange(n))]]

    return make


@dataclass(frozen=True)
class Null:
    """A stream in which nothing changes: `signals` columns of it, an event a minute."""

    make: Make
    signals: int = 5
    rows: int = 10_000
    most_in_alarm: float = 0.10
    #: Need not be within the bounds where `fit` warns of it.
    warned: bool = False
    #: Times as many references as of the others: where they differ so much that few say little.
    more: int = 1


NULLS: dict[str, Null] = {
    "independent": Null(autoregressive(0.0), most_in_alarm=0.05),
    "AR .5": Null(autoregressive(0.5), most_in_alarm=0.05),
    "AR .9": Null(autoregressive(0.9), most_in_alarm=0.05),
    "AR .97": Null(autoregressive(0.97)),
    "AR .99": Null(autoregressive(0.99)),
    "AR .995": Null(autoregressive(0.995)),
    "AR .999": Null(autoregressive(0.999)),
    "MA 300": Null(moving_average(300)),
    "noise + OU of 6 h": Null(slow_part),
    "names repeating .9": Null(repeating(0.9), signals=3),
    "names repeating .98": Null(repeating(0.98), signals=3),
    "day levels sd .05": Null(nightly, signals=6, rows=40_320),
    "independent, 500 rows": Null(autoregressive(0.0), rows=500, most_in_alarm=0.05),
    "AR .5, 500 rows": Null(autoregressive(0.5), rows=500, most_in_alarm=0.05),
    "AR .9, 1,000 rows": Null(autoregressive(0.9), rows=1_000, most_in_alarm=0.05),
    "AR .99, 3,000 rows": Null(autoregressive(0.99), rows=3_000, more=3),
    "regimes of 200 events": Null(regimes, warned=True),
    "GARCH": Null(garch, warned=True),
    "fractional d = .1": Null(fractional(0.1), warned=True),
    "fractional d = .2": Null(fractional(0.2), warned=True),
}


@dataclass(frozen=True)
class Shift:
    """One of five signals moves by `sd` standard deviations."""

    make: Make
    sd: float
    most: float | None
    rows: int = 10_000
    step_ms: int = MINUTE_MS


CHANGES: dict[str, Shift] = {
    "independent, +.25 sd": Shift(autoregressive(0.0), 0.25, 530),
    "independent, +.5 sd": Shift(autoregressive(0.0), 0.5, 240),
    "independent, +.5 sd, an event a second": Shift(autoregressive(0.0), 0.5, 240, step_ms=1_000),
    "AR .9, +1 sd": Shift(autoregressive(0.9), 1.0, 800),
    "AR .99, +2 sd": Shift(autoregressive(0.99), 2.0, 2_500),
    "AR .99, +1 sd": Shift(autoregressive(0.99), 1.0, None),
    "independent, 500 rows, +1 sd": Shift(autoregressive(0.0), 1.0, None, rows=500),
}


def null(name: str, *, subjects: int = 20, weeks: int = 8, seed: int = 110) -> list[Measured]:
    """Episodes a week and share of panes in alarm where nothing changes."""
    of = NULLS[name]
    subjects *= of.more
    n = of.rows + weeks * WEEK_MS // MINUTE_MS
    opened, share, causes, warned = np.zeros(subjects, np.int64), np.zeros(subjects), Counter(), 0
    for k in range(subjects):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        columns = {f"s{i}": of.make(rng, n) for i in range(of.signals)}
        reference, run, _ = run_fitted(columns, START_MS + MINUTE_MS * np.arange(n), of.rows)
        opened[k], share[k] = run.opened, run.share_in_alarm
        causes += run.first_findings
        warned += any(words in warning for warning in reference.warnings for words in _SLOW)
    by = ", ".join(f"{test} {count}" for test, count in causes.most_common(3)) or "none"
    note = (
        f"{opened.sum()} in {subjects * weeks} weeks of {subjects} references of {of.rows:,} rows "
        f"(worst {opened.max()}; {by}); {of.signals} signals, 1 event/min; {warned} warned by fit"
    )
    excused = of.warned and warned >= _MOST_WARNED * subjects
    most = (None, None) if excused else (1.0, of.most_in_alarm)
    return [
        Measured(
            f"{name}: episodes a week, F = 1",
            *rate_of(opened, weeks),
            most=most[0],
            note=note,
            by_bound=True,
        ),
        Measured(f"{name}: share of panes in alarm", *mean_of(share), most=most[1]),
    ]


def change(name: str, *, runs: int = 20, seed: int = 111) -> Measured:
    """Events from a change of one of five signals to its episode; missed ones are never found."""
    of = CHANGES[name]
    n = of.rows + BEFORE + AFTER
    delays, early = np.full(runs, np.inf), 0
    for k in range(runs):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        columns = {f"s{i}": of.make(rng, n) for i in range(5)}
        moved = np.asarray(columns["s0"], np.float64)
        moved[of.rows + BEFORE :] += of.sd
        columns["s0"] = moved
        times = START_MS + of.step_ms * np.arange(n)
        _, run, start_ms = run_fitted(columns, times, of.rows)
        at = (np.array(run.opened_ms, np.float64) - start_ms) / of.step_ms - BEFORE
        early += int((at < 0).sum())
        delays[k] = at[at >= 0].min(initial=np.inf)
    missed = int(np.isinf(delays).sum())
    note = f"{runs} references of {of.rows:,} rows; {missed} missed in {AFTER:,}, {early} before"
    return Measured(f"{name}: events until found", *median_of(delays), most=of.most, note=note)


def run(
    subjects: int = 20,
    weeks: int = 8,
    nulls: tuple[str, ...] = tuple(NULLS),
    changes: tuple[str, ...] = tuple(CHANGES),
) -> list[Measured]:
    """Every null, then what must be found."""
    rows = [row for name in nulls for row in null(name, subjects=subjects, weeks=weeks)]
    return rows + [change(name, runs=subjects) for name in changes]
