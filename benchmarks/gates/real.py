"""Null gates on real streams: nothing changes, so a subject keeps to its budget."""

from __future__ import annotations

import csv
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.gates import replayed
from benchmarks.gates.draws import ar1, count_values
from benchmarks.gates.measured import (
    MOST_IN_ALARM,
    MOST_IN_ALARM_EASY,
    Measured,
    rate_of,
    time_in_alarm,
)
from benchmarks.gates.subject import SubjectRun
from benchmarks.gates.taxi import taxi
from detectors import Reference, fit_reference
from stream.plans.plan import Plan

__all__ = ["NAB_FILES", "dependent", "diurnal", "insects", "nab", "replays", "run"]

MINUTE, DAY, WEEK = 60_000, 86_400_000, 604_800_000
NAB_FILES = (
    "daily_no_noise",
    "daily_perfect_square_wave",
    "daily_small_noise",
    "flatline",
    "noisy",
)


def folder() -> Path | None:
    """Where the public data sets are, if anywhere."""
    named = os.environ.get("DRIFTSTREAM_DATA")
    return Path(named) if named else None


def _feed(run: SubjectRun, values: np.ndarray, times_ms: np.ndarray) -> None:
    """Events of float64[n, S] in the order of time, cut into the plan's panes."""
    pane_ms = run.plan.pane_ms
    pane = times_ms // pane_ms
    starts = np.flatnonzero(np.diff(pane, prepend=-1))
    for low, high in zip(starts, [*starts[1:], len(values)], strict=True):
        run.feed(int(pane[low]) * pane_ms, count_values(run.plan.layout, values[low:high]))
    run.end(int(pane[-1] + 1) * pane_ms)


def _fit(values: np.ndarray, times_ms: np.ndarray, cycle_ms: int = 0) -> Reference:
    columns = {f"s{i}": column for i, column in enumerate(values.T.copy())}
    return fit_reference(columns, model="m", times_ms=times_ms, cycle_ms=cycle_ms)


class _Nulls:
    """What came of several streams without a change, each of so many weeks."""

    def __init__(self, weeks: float) -> None:
        self.weeks = weeks
        self.opened: list[int] = []
        self.shares: list[float] = []
        self.causes: Counter[str] = Counter()

    def note(self, run: SubjectRun) -> None:
        """Take a stream in."""
        self.opened.append(run.opened)
        self.shares.append(run.share_in_alarm)
        self.causes += run.first_findings

    def rows(
        self,
        what: str,
        counted: str,
        note: str,
        most_in_alarm: float = MOST_IN_ALARM,
        *,
        gated: bool = True,
    ) -> list[Measured]:
        """Episodes a week, and the share of panes in alarm."""
        by = ", ".join(f"{test} {n}" for test, n in self.causes.most_common()) or "none"
        weeks = f"{self.weeks * len(self.opened):.0f} weeks"
        note = f"{sum(self.opened)} episodes in {weeks} ({by}); {note}"
        rate = rate_of(np.array(self.opened), self.weeks)
        return [
            Measured(f"{what}: {counted}", *rate, most=1.0 if gated else None, note=note),
            time_in_alarm(what, self.shares, most_in_alarm if gated else None, "panes"),
        ]


def _insects_rows(data: Path) -> np.ndarray:
    path = data / "insects_gradual" / "insects_gradual_balanced.csv"
    rows: np.ndarray = np.loadtxt(path, delimiter=",", skiprows=1)[:, :33]
    return rows


def _nab_table(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Times in milliseconds and values of a file."""
    with (data / "nab" / "data" / "artificialNoAnomaly" / f"art_{name}.csv").open() as file:
        lines = list(csv.reader(file))[1:]
    stamps = [datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp() for t, _ in lines]
    return (np.array(stamps) * 1_000).astype(np.int64), np.array([float(v) for _, v in lines])


def insects(data: Path, shuffles: int = 100, block: int = 100, seed: int = 201) -> list[Measured]:
    """Rows 15,000 to 22,999 in blocks, shuffled: a half is the reference, a half the stream."""
    blocks = _insects_rows(data)[15_000:23_000].reshape(-1, block, 33)
    rng = np.random.default_rng(seed)
    found = _Nulls(4_000 * MINUTE / WEEK)
    times = np.arange(8_000, dtype=np.int64) * MINUTE
    for _ in range(shuffles):
        shuffled = blocks[rng.permutation(len(blocks))].reshape(-1, 33)
        reference = _fit(shuffled[:4_000], times[:4_000])
        run = SubjectRun(Plan(model="m", reference=reference, pane_ms=20 * MINUTE))
        _feed(run, shuffled[4_000:], times[4_000:])
        found.note(run)
    return found.rows(
        "INSECTS without change, 33 features, F = 1",
        "episodes a week",
        f"rows 15,000 to 22,999 in {shuffles} shuffles of blocks of {block}, 1 row/min",
    )


def nab(data: Path) -> list[Measured]:
    """The five artificial files without anomaly: one week is the reference, the next the stream."""
    rows = []
    for name in NAB_FILES:
        times, column = _nab_table(data, name)
        values = column[:, None]
        week = times < times[0] + WEEK
        reference = _fit(values[week], times[week], DAY if "daily" in name else 0)
        plan = Plan(
            model="m",
            reference=reference,
            pane_ms=60 * MINUTE,
            window_min_events=100,
            cycle_ms=reference.cycle_ms,
        )
        run = SubjectRun(plan)
        _feed(run, values[~week], times[~week])
        cycle = "cycle 24 h" if plan.cycle_ms else "no cycle"
        found = _Nulls(1.0)
        found.note(run)
        rows += found.rows(
            f"NAB art_{name}, F = 1", "episodes in its second week", f"{cycle}, 5 min a value"
        )
    return rows


def dependent(rho: float, weeks: int = 5, subjects: int = 20, seed: int = 202) -> list[Measured]:
    """AR(1) streams, ten signals, an event a minute."""
    found = _Nulls(weeks)
    for k in range(subjects):
        rng = np.random.default_rng(seed + 100 * k)
        last = rng.standard_normal(10)
        n = 2 * WEEK // MINUTE
        times = np.arange((2 + weeks) * WEEK // MINUTE, dtype=np.int64) * MINUTE
        reference = _fit(ar1(rng, n, last, rho), times[:n])
        run = SubjectRun(Plan(model="m", reference=reference, pane_ms=20 * MINUTE))
        _feed(run, ar1(rng, times.size - n, last, rho), times[n:])
        found.note(run)
    return found.rows(
        f"AR(1) {rho:g}, 10 signals, F = 1",
        "episodes a week",
        f"{subjects} references of 2 weeks, 1 event/min",
        MOST_IN_ALARM_EASY,
    )


def diurnal(
    *, with_cycle: bool, weeks: int = 10, subjects: int = 10, seed: int = 203
) -> list[Measured]:
    """Ten signals with day and night in level and rate, dependent besides."""
    found = _Nulls(weeks)
    cycle = DAY if with_cycle else 0
    for k in range(subjects):
        rng = np.random.default_rng(seed + 100 * k)
        n_weeks = 4 + weeks
        at = np.arange(n_weeks * WEEK // MINUTE, dtype=np.int64)
        daily = np.sin(2 * np.pi * at / 1_440)
        kept = rng.random(at.size) < 0.6 + 0.4 * daily
        phase = rng.uniform(0, 2 * np.pi, 10)
        level = np.sin(2 * np.pi * at[:, None] / 1_440 + phase)
        values = (level + ar1(rng, at.size, rng.standard_normal(10), 0.5))[kept]
        times = at[kept] * MINUTE
        fitted = times < 4 * WEEK
        reference = _fit(values[fitted], times[fitted], cycle)
        plan = Plan(model="m", reference=reference, pane_ms=20 * MINUTE, cycle_ms=cycle)
        run = SubjectRun(plan)
        _feed(run, values[~fitted], times[~fitted])
        found.note(run)
    which = "cycle 24 h" if with_cycle else "without its cycle, for comparison"
    return found.rows(
        f"diurnal, 10 signals, {which}, F = 1",
        "episodes a week",
        f"{subjects} references of 4 weeks, 0 to 1 events/min",
        gated=with_cycle,
    )


def replays(data: Path, shuffles: int, splices: int) -> list[Measured]:
    """The same, and changes, by the commands `fit` and `replay`."""
    rows = _insects_rows(data)
    concepts = np.genfromtxt(data / "sea" / "sea.csv", delimiter=",", skip_header=1)
    return [
        *replayed.insects_null(rows, shuffles),
        *(row for name in NAB_FILES for row in replayed.nab_null(name, _nab_table(data, name)[1])),
        *replayed.insects_spliced(rows, splices),
        *replayed.sea(concepts),
    ]


def run(shuffles: int = 100, weeks: int = 10, splices: int = 10) -> list[Measured]:
    """All of them; those on data sets only where `DRIFTSTREAM_DATA` names their folder."""
    rows = []
    data = folder()
    if data is not None:
        rows += [*insects(data, shuffles), *nab(data)]
        rows += replays(data, shuffles // 2, splices)
        rows += taxi(data)
    rows += [*dependent(0.5, weeks), *dependent(0.9, weeks)]
    rows += [*diurnal(with_cycle=True, weeks=weeks), *diurnal(with_cycle=False, weeks=weeks)]
    return rows
