"""Comparing rows with a reference: the windowed tests of `detectors`, once."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors import WINDOWED_TESTS, Reference, SignalReference, WindowBank, describe
from detectors.counting.binning import NumericBinning
from detectors.fitting import numbers
from detectors.fitting.values import MISSING, coded_names
from detectors.references.segments import columns_of_segments
from detectors.windowed.coarsening import EVENTS_PER_BIN, most_bins
from driftstream.comparison import ColumnResult, ColumnTest, Comparison
from driftstream.fitting import as_reference, fit_reference
from driftstream.frames import Frame, columns_of, missing_column
from stream.contracts.alert_event import SEVERITIES
from stream.files.table import typed_column
from stream.text.counted import counted, some_of
from stream.text.durations import HOUR_MS

__all__ = ["compare"]

#: A distance has three parts of its column's level, each rate and the shares of names one.
_DISTANCE_PARTS: Final = 3
_NAMED: Final = 10

Ints = npt.NDArray[np.int64]


def compare(
    reference: Reference | str | os.PathLike[str] | Frame,
    window: Frame,
    *,
    alpha: float = 0.01,
    columns: Collection[str] | None = None,
    tests: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    timestamp: str | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare rows of now with a reference: which columns drifted?

    Parameters
    ----------
    reference : Reference, path of one, or data frame
        What is normal. A frame is fitted first, as `fit_reference` does.
    window : data frame or mapping of name to array
        Rows of now: at least 100, better 1,000.
    alpha : float
        Chance that any column is named though nothing changed; columns and tests share it.
    columns : collection of str, optional
        Those to compare; all of the reference if not given.
    tests : sequence of str, or mapping of column to sequence of str, optional
        Others than the usual ones, which are psi and the rates of missing, invalid, unseen and
        out-of-range values: ks, wasserstein, chi2, js, hellinger and so on.
    timestamp, kinds
        As of `fit_reference`, if `reference` is a frame.

    Raises
    ------
    ValueError
        If the window lacks a column, a test does not suit one, or the reference has seasons.
    InvalidReferenceError
        If the reference cannot be read or made.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> before = {"amount": rng.lognormal(size=5000), "age": rng.normal(40, 10, 5000)}
    >>> now = {"amount": rng.lognormal(0.5, size=1000), "age": rng.normal(40, 10, 1000)}
    >>> compare(before, now).drifted
    ('amount',)
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must be between 0 and 0.5; got {alpha}.")
    if isinstance(reference, Reference | str | os.PathLike):
        if timestamp is not None or kinds is not None:
            raise ValueError("timestamp and kinds are for a frame; a reference knows its own.")
        known, notes = as_reference(reference), []
    else:
        known = fit_reference(reference, timestamp=timestamp, kinds=kinds)
        notes = [f"reference: {words}" for words in known.warnings]
    if known.calendar is not None:
        raise ValueError(
            "the reference has seasons, and rows are compared with the hour of the week that they "
            "are of: replay does that. Or fit a reference without seasons."
        )
    there = columns_of(window, "window")
    signals = _signals(known, columns, there)
    notes += _limits(known, there)
    bank = WindowBank(signals, tests=_tests(tests, signals))
    counts = np.zeros(bank.layout.width, np.int64)
    counts[0] = len(next(iter(there.values())))
    if not counts[0]:
        raise ValueError("window has no rows. Compare at least 100.")
    for i, signal in enumerate(signals):
        counts[bank.layout.slice(i)] = _count(signal, there[signal.name])
    found = _results(bank, counts, alpha)
    for i, signal in enumerate(signals):
        made = {each.test for each in found[signal.name].tests}
        left = [test for j, test in bank.chosen if j == i and test not in made]
        if left:
            why = _why_untested(signal, counts[bank.layout.slice(i)], int(counts[0]))
            notes.append(f"{signal.name}: not tested by {', '.join(left)}: {why}")
    return Comparison(found, alpha, int(counts[0]), known.events, tuple(notes))


def _signals(
    reference: Reference, columns: Collection[str] | None, there: Collection[str]
) -> list[SignalReference]:
    by_name = {signal.name: signal for signal in reference.signals if not signal.is_derived}
    for name in columns if columns is not None else ():
        if name not in by_name:
            raise ValueError(missing_column(name, by_name, "the reference"))
    wanted = [name for name in by_name if columns is None or name in columns]
    if not wanted:
        raise ValueError("columns must name at least one; got none.")
    for name in wanted:
        if name not in there:
            raise ValueError(
                f"{missing_column(name, there, 'window')} The reference has it; columns= names "
                "those to compare."
            )
    return [by_name[name] for name in wanted]


def _tests(
    tests: Sequence[str] | Mapping[str, Sequence[str]] | None, signals: Sequence[SignalReference]
) -> Mapping[str, Sequence[str]] | None:
    """Tests by column: of a list, each column has those that are for its kind."""
    if isinstance(tests, str):
        raise ValueError(f"tests must be a list of names; got {tests!r}. Write [{tests!r}].")
    if tests is None or isinstance(tests, Mapping):
        for name in tests or ():
            if name not in {signal.name for signal in signals}:
                raise ValueError(missing_column(name, [s.name for s in signals], "tests"))
        return tests
    for test in tests:
        if test not in WINDOWED_TESTS:
            raise ValueError(
                f"there is no test {test!r}. Choose among {', '.join(WINDOWED_TESTS)}."
            )
    chosen = {}
    for signal in signals:
        chosen[signal.name] = [t for t in tests if signal.kind in WINDOWED_TESTS[t].kinds]
        if not chosen[signal.name]:
            raise ValueError(
                f"none of the tests {', '.join(tests)} is for {signal.name!r}, which is "
                f"{signal.kind}. Add psi, or leave the column out (columns=)."
            )
    return chosen


def _limits(reference: Reference, there: Collection[str]) -> list[str]:
    """What is not compared, or not known."""
    mapping = reference.columns
    known = {signal.name for signal in reference.signals} | {
        *columns_of_segments(reference.segments),
        *mapping.ignored,
        mapping.timestamp,
        mapping.id,
    }
    notes = []
    if new := [repr(name) for name in there if name not in known]:
        notes.append(f"not compared, the reference has no such column: {some_of(new, _NAMED)}")
    if not reference.ordered:
        notes.append(
            "dependence between rows is not allowed for, as the order of the reference's rows is "
            "not known: if rows depend on each other, p-values are too small"
        )
    if reference.cycle_ms:
        notes.append(
            f"the reference has a cycle of {reference.cycle_ms / HOUR_MS:g} hours: compare whole "
            "cycles"
        )
    if reference.outcome is not None:
        notes.append("whether predictions are right is not compared: replay does that")
    if reference.copies.share:
        notes.append("rows of the reference came more than once and count once: so should these")
    return notes


def _count(signal: SignalReference, column: Any) -> Ints:
    """Rows in each bin of a signal."""
    binning = signal.binning
    values = typed_column(column, signal.kind)
    bins: Ints
    if isinstance(binning, NumericBinning):
        bins = binning.bin(numbers(values))
    else:
        codes, names = coded_names(values)
        known, unknown = binning.bins_of_names, binning.bin_of_unknown
        table = [known[name] if name in known else unknown(name) for name in names]
        # From the end: -1 is missing, -2 of a wrong type.
        bins = np.array([*table, binning.invalid, binning.missing], np.int64)[codes]
        assert MISSING == -1
    counts = np.bincount(bins, minlength=binning.n_bins)
    if signal.role == "actual":
        counts[binning.missing] = 0  # not known yet
    return counts


def _results(bank: WindowBank, counts: Ints, alpha: float) -> dict[str, ColumnResult]:
    """What each column's tests gave, with p-values as if all had been one."""
    result = bank.test(counts, alpha / len(bank.signals))
    parts = np.array([_parts(test) for test in result.tests])
    found = {}
    for i, signal in enumerate(bank.signals):
        rows = np.flatnonzero(result.signal == i)
        made = tuple(
            ColumnTest(
                result.test(row),
                float(result.value[row]),
                float(result.threshold[row]),
                float(result.p_value[row]),
                float(result.effect[row]),
                int(result.n[row]),
                bool(result.found[row]),
                result.severity(row),
            )
            for row in rows.tolist()
        )
        if not made:
            found[signal.name] = ColumnResult(signal.name, False, np.nan, "", "", "", ())
            continue
        all_parts = sum(_parts(test) for j, test in bank.chosen if j == i)
        corrected = len(bank.signals) * all_parts * result.p_value[rows] / parts[rows]
        drifted = bool(result.found[rows].any())
        # The best is one that found something, where there is any.
        best = int(np.lexsort((corrected, ~result.found[rows]))[0])
        worst = max((each.severity for each in made), key=("", *SEVERITIES).index)
        change = ""
        if drifted:
            window, look = counts[bank.layout.slice(i)], int(result.look[rows[best]])
            change = describe(signal, window, look=look).text
        found[signal.name] = ColumnResult(
            signal.name,
            drifted,
            min(1.0, float(corrected.min())),
            worst,
            made[best].test,
            change,
            made,
        )
    return found


def _parts(test: str) -> int:
    return _DISTANCE_PARTS if WINDOWED_TESTS[test].code >= 0 else 1


def _why_untested(signal: SignalReference, window: Ints, events: int) -> str:
    least, missing = most_bins(events) * EVENTS_PER_BIN // 2, signal.binning.missing
    values = int(window[:missing].sum())
    if not signal.counts[:missing].any():
        return "the reference has no values of it"
    if values < least:
        return f"the window has {counted(values, 'value')} of it, and {least:,} are needed"
    return "its values in the reference are too much alike"
