"""Gate 14: shares of values and rates, followed pane by pane: soon found, and within their part.

A column of names with two to five values has means as a number has, so a moved share is found as
soon as a moved mean; so are rates of missing values, from a rate of none at all on. Every reference
is drawn anew. The budget is that of a model of five signals at one false alarm a week.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.gates.measured import Measured, median_of, rate_of
from detectors import (
    AdwinBank,
    Budget,
    CategoricalBinning,
    EDetectorBank,
    EvidenceBank,
    Layout,
    NumericBinning,
    Reference,
    ScoreTable,
    ShareGrowth,
    ShareTable,
    SignalReference,
)
from detectors.counting.name_bins import TAIL_BINS
from detectors.references.calibration import batches_of_rows, calibrate, pieces_of_batch

__all__ = ["DELAYS", "NULLS", "delay", "null", "run"]

PANE = 60
_SIGNALS = 5
_WEEK_S = 604_800.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """What a column is: shares of its values (none for a number), and how many are missing.

    `tail` is the share of names without a bin of their own, and `grown` of one of them beside. With
    the chance `repeat` an event is as the one before, which makes the design effect
    (1 + repeat) / (1 - repeat).
    """

    values: tuple[float, ...] = ()
    missing: float = 0.0
    repeat: float = 0.0
    tail: float = 0.0
    grown: float = 0.0

    @property
    def binning(self) -> CategoricalBinning | NumericBinning:
        """Its bins: a name each, or ten equal ones."""
        if self.values:
            own = tuple(f"v{i}" for i in range(len(self.values)))
            return (
                CategoricalBinning(own, ("another",), TAIL_BINS)
                if self.tail
                else (CategoricalBinning(own))
            )
        return NumericBinning(np.linspace(0.0, 1.0, 11))

    @property
    def law(self) -> Floats:
        """Share of each bin."""
        binning = self.binning
        share = np.zeros(binning.n_bins)
        if self.values:
            share[: len(self.values)] = self.values
            share[len(self.values) :][:TAIL_BINS] = self.tail / TAIL_BINS
            share *= 1.0 - self.grown
            share[len(self.values)] += self.grown
        else:
            share[1:11] = 0.1
        share *= 1.0 - self.missing
        share[binning.missing] = self.missing
        return share


@dataclass(frozen=True)
class Delay:
    """A change that must be found: what was, what is, and how fast events come."""

    before: Column
    after: Column
    per_second: float
    most: float | None
    rows: int = 10_000
    events: int = 60_000


_ERRORS = Column((0.9, 0.1))
_MERCHANTS = Column((0.001,) * 62, tail=0.938)
_MINUTE = 1 / 60
DELAYS: dict[str, Delay] = {
    "errors .1 -> .2 as a category, an event a minute": Delay(
        _ERRORS, Column((0.8, 0.2)), _MINUTE, 300
    ),
    "errors .1 -> .2 as a category, an event a second": Delay(
        _ERRORS, Column((0.8, 0.2)), 1.0, 400
    ),
    "one of five values .1 -> .2, an event a minute": Delay(
        Column((0.3, 0.25, 0.2, 0.15, 0.1)), Column((0.25, 0.2, 0.2, 0.15, 0.2)), _MINUTE, 400
    ),
    "missing 1 -> 2 %, an event a second": Delay(
        Column(missing=0.01), Column(missing=0.02), 1.0, 6_000
    ),
    "missing .2 -> 3 %, an event a second": Delay(
        Column(missing=0.002), Column(missing=0.03), 1.0, 600
    ),
    "missing 0 -> .4 %, an event a second": Delay(Column(), Column(missing=0.004), 1.0, 4_000),
    "missing 1 -> 5 % of 50 names, an event a minute": Delay(
        Column((0.02,) * 50, 0.01), Column((0.02,) * 50, 0.05), _MINUTE, 600
    ),
    "one of 50 names 2 -> 5 %, an event a minute": Delay(
        Column((0.02,) * 50), Column((0.05, *(0.95 / 49,) * 49)), _MINUTE, 1_500
    ),
    "one of 1,000 names .1 -> 5 %, an event a second": Delay(
        _MERCHANTS, replace(_MERCHANTS, grown=0.049), 1.0, 3_000
    ),
    "one of 1,000 names .1 -> 2 %, an event a second": Delay(
        _MERCHANTS, replace(_MERCHANTS, grown=0.019), 1.0, None
    ),
}
_COLUMNS = {
    "two values, .5": Column((0.5, 0.5)),
    "two values, .1": _ERRORS,
    "two values, .002": Column((0.998, 0.002)),
    "five values": Column((0.6, 0.2, 0.1, 0.07, 0.03)),
    "50 names": Column((0.02,) * 50),
    "1,000 names": _MERCHANTS,
    "a number, 1 % missing": Column(missing=0.01),
    "a number, .02 % missing": Column(missing=0.0002),
    "two values, .1, repeating .15": Column((0.9, 0.1), repeat=0.15),
    "two values, .1, repeating .5": Column((0.9, 0.1), repeat=0.5),
    "two values, .1, repeating .9": Column((0.9, 0.1), repeat=0.9),
    "five values repeating .9": Column((0.6, 0.2, 0.1, 0.07, 0.03), repeat=0.9),
    "a number, 1 % missing, repeating .15": Column(missing=0.01, repeat=0.15),
    "a number, 1 % missing, repeating .5": Column(missing=0.01, repeat=0.5),
    "a number, 1 % missing, repeating .9": Column(missing=0.01, repeat=0.9),
}
#: Columns, events a second, rows of the reference, weeks.
NULLS: dict[str, tuple[Column, float, int, float]] = {
    f"{name}, N {rows:,}, {'an event a second' if fast else 'an event a minute'}": (
        column,
        1.0 if fast else _MINUTE,
        rows,
        2.0 if fast else 60.0,
    )
    for name, column in _COLUMNS.items()
    for rows, fast in ((10_000, False), (1_000, False), (10_000, True))
}
#: A part of the budget's, 1 / 15 of it; what the reference does not show is told and not bounded.
_PART = 1 / 3 / _SIGNALS
_NOT_SEEN = (
    "a number, 1 % missing, repeating .15, N 10,000, an event a second",
    "a number, 1 % missing, repeating .9, N 1,000, an event a minute",
)


class Draws:
    """Events of many columns of one kind."""

    def __init__(self, columns: int, repeat: float, rng: np.random.Generator) -> None:
        self._columns, self._repeat, self._rng = columns, repeat, rng
        self._last: Ints | None = None

    def counts(self, n: int, law: Floats) -> Ints:
        """Counts of the next n events of each: int64[columns, bins]."""
        if not self._repeat:
            return self._rng.multinomial(n, law, self._columns)
        upto = np.cumsum(law) / law.sum()
        fresh = np.searchsorted(upto, self._rng.random((n, self._columns)), side="right")
        new = self._rng.random(fresh.shape) >= self._repeat
        if self._last is None:
            new[0] = True
        drawn_at = np.maximum.accumulate(np.where(new, np.arange(n)[:, None], -1), axis=0)
        bins = np.take_along_axis(fresh, np.maximum(drawn_at, 0), axis=0)
        if self._last is not None:
            bins = np.where(drawn_at < 0, self._last, bins)
        self._last = bins[-1]
        place = bins + law.size * np.arange(self._columns)
        counts = np.bincount(place.ravel(), minlength=law.size * self._columns)
        return counts.reshape(self._columns, law.size)


class Bank:
    """Sequential tests of many columns of one kind, each with a reference of its own."""

    def __init__(
        self,
        column: Column,
        per_second: float,
        rows: int,
        references: int,
        rng: np.random.Generator,
        *,
        ordered: bool = True,
    ) -> None:
        self._law, binning = column.law, column.binning
        length, batches = batches_of_rows(rows)
        pieces = pieces_of_batch(length, batches)
        draws = Draws(references, column.repeat, rng)
        rest = [length * (k + 1) // pieces - length * k // pieces for k in range(pieces)] * batches
        tables = np.stack([draws.counts(n, self._law) for n in rest], axis=1)
        self._draws = Draws(references, column.repeat, rng)
        signals = []
        for i, table in enumerate(tables):
            counts = table.sum(axis=0)
            news = np.zeros(batches, np.int64)
            in_order = table if ordered else None
            calibration = calibrate(binning, counts, 0, in_order, news, pieces=pieces)
            signals.append(SignalReference(f"s{i}", "feature", binning, counts, calibration))
        few = tuple(replace(signals[0], name=f"s{i}") for i in range(_SIGNALS))
        reference = Reference("m", "", few, rows, events_per_week=int(per_second * _WEEK_S))
        self.budget = budget = Budget.of(
            reference,
            few,
            false_alarms_per_week=1.0,
            pane_ms=round(PANE / per_second * 1_000),
            edetector=True,
        )
        self._layout = layout = Layout({s.name: s.binning for s in signals})
        self._scores = ScoreTable(signals, layout)
        self._shares = shares = ShareTable(signals, layout)
        z = budget.edetector_z
        ranks = EDetectorBank(signals, layout, threshold=budget.edetector_threshold, z=z)
        self._evidence = EvidenceBank(ranks, ShareGrowth(shares, z, signals, layout))
        delta = shares.adwin_deltas(budget.adwin_delta, layout.numeric)
        phi = np.concatenate([self._scores.phi.ravel(), shares.adwin_phi])
        self._adwin = AdwinBank(phi.size, delta, phi)
        self._of_ranks = 2 * layout.numeric.size
        self._rates = np.array([bool(shares.shares[k].rate) for k in shares.adwin], np.bool_)
        signal = [shares.shares[k].signal for k in shares.adwin]
        self._signal = np.array([*np.repeat(layout.numeric, 2), *signal], np.int64)

    def pane(self, law: Floats | None = None) -> tuple[npt.NDArray[np.bool_], ...]:
        """Draw a pane of each; the signals in which the e-detector and ADWIN alarm."""
        size = self._evidence.evidence.size
        drawn = self._draws.counts(PANE, self._law if law is None else law)
        counts = np.concatenate([[PANE], drawn.ravel()])
        shares = self._shares.counts(counts)
        by_e = self._evidence.update(counts, shares)
        moments = zip(self._scores.moments(counts), self._shares.moments(*shares), strict=True)
        slots = self._adwin.update(*(np.append(a.ravel(), b) for a, b in moments))
        rose = self._adwin.mean_after[self._of_ranks :] > self._adwin.mean_before[self._of_ranks :]
        slots[self._of_ranks :] &= ~self._rates | rose
        by_adwin = np.zeros(size, np.bool_)
        by_adwin[self._signal[slots]] = True
        return by_e, by_adwin


def delay(name: str, *, references: int = 100, before: int = 12_000, seed: int = 140) -> Measured:
    """Events from a change to the first alarm of the e-detector or ADWIN."""
    of = DELAYS[name]
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    bank = Bank(of.before, of.per_second, of.rows, references, rng)
    found, early = np.full((2, references), np.inf), np.zeros(references, np.bool_)
    for _ in range(before // PANE):
        early |= np.logical_or(*bank.pane())
    for at in range(PANE, of.events + 1, PANE):
        for which, alarms in enumerate(bank.pane(of.after.law)):
            found[which, alarms & np.isinf(found[which])] = at
        if np.isfinite(found).all():
            break
    first = found.min(axis=0)[~early]
    by_e, by_adwin = (np.median(row) for row in found)
    note = (
        f"{references} references of {of.rows:,}; e-detector {by_e:,.0f}, ADWIN {by_adwin:,.0f}; "
        f"95 % within {np.quantile(first, 0.95, method='higher'):,.0f}, "
        f"{int(np.isinf(first).sum())} missed, {int(early.sum())} before"
    )
    return Measured(f"{name}: events until found", *median_of(first), most=of.most, note=note)


def null(name: str, *, references: int = 60, weeks: float = 0.0, seed: int = 141) -> list[Measured]:
    """False alarms a signal and week of each test; a family's part is 1 / 15."""
    column, per_second, rows, most_weeks = NULLS[name]
    weeks = weeks or most_weeks
    rng = np.random.default_rng([seed, sum(map(ord, name)), rows])
    bank = Bank(column, per_second, rows, references, rng)
    alarms, last = np.zeros((2, references), np.int64), np.full((2, references), -(10**9))
    for t in range(int(weeks * _WEEK_S * per_second / PANE)):
        for which, now in enumerate(bank.pane()):
            # ADWIN's alarms of one moment are one: its window is still the same.
            alarms[which] += now & (t - last[which] > (33 if which else 0))
            last[which, now] = t
    return [
        Measured(
            f"{test}, {name}: false alarms a week",
            *rate_of(found, weeks),
            most=None if name in _NOT_SEEN else _PART,
            note=f"{references} references x {weeks:g} weeks; worst {found.max()}",
        )
        for test, found in zip(("e-detector", "ADWIN"), alarms, strict=True)
    ]


def run(references: int = 60) -> list[Measured]:
    """Every delay, then every null."""
    rows = [delay(name) for name in DELAYS]
    return rows + [row for name in NULLS for row in null(name, references=references)]
