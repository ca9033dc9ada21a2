"""Tests of windows that can find nothing, and why: known before the first window.

A test is tried on windows of the expected size in which half of the values are as in the reference
and the other half moved to one place: the least value, the greatest, the rarest, none at all, a
wrong type, a new one. A test that finds none of these changes finds no smaller one either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import CategoricalBinning
from detectors.counting.counts import Layout
from detectors.references.calibration import Calibration
from detectors.references.reference import SignalReference
from detectors.windowed.bank import WindowBank
from detectors.windowed.catalogue import WINDOWED_TESTS
from detectors.windowed.coarsening import coarsen, most_bins

__all__ = ["OF_VALUES", "Powerless", "Why", "known_values", "moved_windows", "powerless"]

#: Why a test finds nothing: the reference has no value; one value only; all but one group of values
#: are too rare for a window; a window holds too few of the signal's values; what is counted fills
#: most of the reference already; rows of the reference depend on each other too much, or are too
#: few, so that chance explains any change.
Why: TypeAlias = Literal[
    "no_values", "constant", "few_groups", "few_values", "no_room", "dependence", "small_reference"
]
#: Of the changes tried so many move values; the others are of rates.
OF_VALUES: Final = 3
_NAMES: Final = tuple(WINDOWED_TESTS)

Ints = npt.NDArray[np.int64]


class Powerless(NamedTuple):
    """A windowed test of a signal that finds nothing."""

    signal: int
    test: str
    why: Why


def powerless(
    bank: WindowBank, rows: int, events: int, alpha: float, told: Ints | None = None
) -> list[Powerless]:
    """The tests of a bank that find nothing in windows of so many events.

    Parameters
    ----------
    bank : WindowBank
        Of the tests.
    rows : int
        Of the reference: a signal that only some rows have is in as many of a window's events.
    events : int
        Of a window.
    alpha : float
        As of `WindowBank.test`.
    told : int64, optional
        What a calendar tells of such a window, where the bank has one.
    """
    made, finds = _tried(bank, rows, events, alpha, told)
    blind = [pair for pair in bank.chosen if pair not in finds]
    if not blind:
        return []
    weak = sorted({index for index, test in blind if (index, test) in made})
    alone: set[tuple[int, str]] = set()
    if weak:  # would they find it, if rows of the reference were independent?
        tests = {bank.signals[i].name: [t for j, t in bank.chosen if j == i] for i in weak}
        free = WindowBank([_independent(bank.signals[i]) for i in weak], tests=tests)
        found = _tried(free, rows, events, alpha)[1]
        alone = {(weak[index], test) for index, test in found}
    return [
        Powerless(index, test, _why(bank.signals[index], (index, test), events, made, alone))
        for index, test in blind
    ]


def known_values(signal: SignalReference) -> int:
    """How many different values, or bins of them, the reference has."""
    binning = signal.binning
    end = binning.unseen if isinstance(binning, CategoricalBinning) else binning.missing
    return int(np.count_nonzero(signal.counts[:end]))


def _why(
    signal: SignalReference,
    test: tuple[int, str],
    events: int,
    made: set[tuple[int, str]],
    alone: set[tuple[int, str]],
) -> Why:
    values = known_values(signal)
    if not values:
        return "no_values"
    if test in made:
        if test in alone:
            return "dependence"
        return "no_room" if _filled(signal, test[1]) > 0.5 else "small_reference"
    if values < 2:
        return "constant"
    return "few_values" if len(coarsen(signal, most_bins(events)).reference) > 1 else "few_groups"


def _filled(signal: SignalReference, test: str) -> float:
    """Share of the reference's rows that a rate counts; 0 for a distance."""
    name = test.removesuffix("_rate")
    counted = {"unseen": signal.calibration.novel, "range": signal.calibration.novel}
    counted["missing"] = int(signal.counts[signal.binning.missing])
    counted["invalid"] = int(signal.counts[signal.binning.invalid])
    return counted.get(name, 0) / max(1, signal.events)


def _tried(
    bank: WindowBank, rows: int, events: int, alpha: float, told: Ints | None = None
) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
    """(signal, test) of those that could be made on some window, and of those that found it."""
    made: set[tuple[int, str]] = set()
    finds: set[tuple[int, str]] = set()
    for counts in moved_windows(bank.signals, bank.layout, rows, events):
        result = bank.test(counts if told is None else np.append(counts, told), alpha)
        for row, pair in enumerate(
            zip(result.signal.tolist(), map(_NAMES.__getitem__, result.test_index.tolist()))
        ):
            made.add(pair)
            if result.found[row]:
                finds.add(pair)
    return made, finds


def moved_windows(
    signals: Sequence[SignalReference],
    layout: Layout,
    rows: int,
    events: int,
    *,
    whole: bool = False,
) -> Iterator[Ints]:
    """Windows in which half of each signal's values, or with `whole` all, went to one place."""
    steady = np.zeros(layout.width, np.int64)
    moved = np.zeros(len(signals), np.int64)
    for i, signal in enumerate(signals):
        held = events * signal.events // max(1, rows)
        stay = 0 if whole else held // 2
        half = np.diff(np.cumsum(signal.counts) * stay // max(1, signal.events), prepend=0)
        steady[layout.slice(i)] = half
        moved[i] = held - int(half.sum())
    places = [_places(signal) for signal in signals]
    for to in zip(*places, strict=True):
        counts = steady.copy()
        counts[0] = events
        np.add.at(counts, layout.start + np.array(to, np.int64), moved)
        yield counts


def _places(signal: SignalReference) -> tuple[int, ...]:
    """Bins that values go to: of the least and the greatest, the rarest, none, a wrong type."""
    binning, counts = signal.binning, signal.counts
    known = np.flatnonzero(counts[: binning.missing])
    ends = (int(known[0]), int(known[-1])) if known.size else (0, 0)
    rarest = int(known[np.argmin(counts[known])]) if known.size else 0
    new = np.flatnonzero(counts[: binning.missing] == 0)
    if isinstance(binning, CategoricalBinning):
        fresh = binning.unseen
    else:
        fresh = int(new[-1]) if new.size else binning.missing
    return (*ends, rarest, fresh, binning.missing, binning.invalid)


def _independent(signal: SignalReference) -> SignalReference:
    """The signal as if rows of its reference had no order."""
    held = signal.calibration
    return replace(signal, calibration=Calibration(held.groups, novel=held.novel))
