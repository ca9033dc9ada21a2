"""How one signal went over the last days, out of the sums that change points are found in.

Mean rank is where a signal's values are among those of the reference: 50 % is as usual, whatever
the unit. Rank spread is how far from its middle they are: more than 50 % is wider than usual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import NumericBinning, SignalReference
from detectors.change_points.blocks import Blocks
from detectors.change_points.estimates import bin_quantiles
from detectors.change_points.history import COLUMNS, History, score_tables
from detectors.counting.binning import SCORE_SCALE
from detectors.figures import figure, percent

__all__ = ["Trend", "TrendLine", "trend_of"]

_EVENTS, _X, _Y, _MISSING, _INVALID, _NEW = range(len(COLUMNS))
_MAX_BLOCKS: Final = 255
_ATTEMPTS: Final = 5
#: Of fewer events a mean says little.
_MIN_EVENTS: Final = 100
#: The scale of a line spans at least so much, or noise would fill it.
_MIN_SPAN: Final = 0.02

Ints = npt.NDArray[np.int64]


class TrendLine(msgspec.Struct):
    """One quantity over time: `low` to `high` is its scale, `usual` what the reference has.

    `ticks` are (value, text) on that scale. A value is None where no event had one.
    """

    name: str
    values: list[float | None]
    usual: float
    low: float
    high: float
    ticks: list[tuple[float, str]]


class Trend(msgspec.Struct):
    """Lines over the same stretches of event time, in milliseconds."""

    starts: list[int]
    ends: list[int]
    events: list[int]
    lines: list[TrendLine] = msgspec.field(name="courses")


def trend_of(
    history: History,
    signals: Sequence[SignalReference],
    index: int,
    *,
    hidden: bool,
    by_hour: bool = False,
) -> Trend | None:
    """The trend of one of the history's signals; None before the first pane.

    `hidden` leaves out which values a rank stands for, as it must where ranks go `by_hour`.
    """
    read = _read(history, len(signals) * len(COLUMNS))
    if read is None:
        return None
    starts, ends, sums = read
    of = sums.reshape(len(starts), len(signals), len(COLUMNS))[:, index]
    firsts = _enough(of[:, _EVENTS].tolist())
    of = np.add.reduceat(of, firsts, axis=0)
    ends = [ends[first - 1] for first in [*firsts[1:], len(ends)]]
    lines = list(_lines(of, signals[index], told=not (hidden or by_hour), fixed=not by_hour))
    return Trend([starts[first] for first in firsts], ends, of[:, _EVENTS].tolist(), lines)


def _enough(events: Sequence[int]) -> list[int]:
    """The first block of each stretch: the newest blocks are short, and are joined."""
    firsts, events_in_stretch = [0], 0
    for block, count in enumerate(events):
        if events_in_stretch >= _MIN_EVENTS:
            firsts.append(block)
            events_in_stretch = 0
        events_in_stretch += count
    if events_in_stretch < _MIN_EVENTS and len(firsts) > 1:
        firsts.pop()
    return firsts


def _read(history: History, width: int) -> tuple[list[int], list[int], Ints] | None:
    """Times and sums of all blocks, read while the worker goes on adding to them."""
    for _ in range(_ATTEMPTS):
        starts, ends = [*history.start_ms], [*history.end_ms]
        try:
            data = history.dump()
            copy = Blocks(width, _MAX_BLOCKS)
            copy.load(data)
            same = (copy.start_ms, copy.end_ms) == (starts, ends)
            if same and (starts, ends) == ([*history.start_ms], [*history.end_ms]):
                blocks = [copy[b] for b in range(len(copy))]
                return (starts, ends, np.array(blocks)) if blocks else None
        except (IndexError, ValueError):  # it changed meanwhile
            continue
    raise RuntimeError("the history changed at every look.")


def _lines(of: Ints, signal: SignalReference, *, told: bool, fixed: bool) -> Iterator[TrendLine]:
    is_number = isinstance(signal.binning, NumericBinning)
    ranked = of[:, _EVENTS] - of[:, _MISSING] - of[:, _INVALID]
    if not is_number:  # a name that the reference does not have has no rank
        ranked = ranked - of[:, _NEW]
    if signal.is_derived and not is_number and fixed:
        yield _accuracy(of[:, _X], ranked, signal)
    else:
        yield _ranks(
            "Mean rank" if is_number else "Mean rank of names",
            of[:, _X],
            ranked,
            signal if told and is_number else None,
        )
    if is_number:
        yield _ranks("Rank spread", of[:, _Y], ranked, None)
    binning, n = signal.binning, max(1, signal.events)
    kinds = [("Missing", _MISSING, binning.missing), ("Wrong type", _INVALID, binning.invalid)]
    for name, column, b in kinds:
        if of[:, column].any():
            yield _shares(name, of[:, column], of[:, _EVENTS], int(signal.counts[b]) / n)
    if of[:, _NEW].any():
        name = "Where the reference has none" if is_number else "New names"
        yield _shares(name, of[:, _NEW], of[:, _EVENTS], 0.0)


def _ratios(sums: Ints, of: Ints) -> list[float | None]:
    return [None if n <= 0 else float(part) / float(n) for part, n in zip(sums, of)]


def _ranks(name: str, sums: Ints, ranked: Ints, signal: SignalReference | None) -> TrendLine:
    """A mean of scores, 0 to 1; its ticks say which value of `signal` has such a rank."""
    values = _ratios(sums, ranked * SCORE_SCALE)
    there = [0.5, *(value for value in values if value is not None)]
    low, high = max(0.0, min(there) - _MIN_SPAN), min(1.0, max(there) + _MIN_SPAN)
    ticks = [(tick, percent(tick)) for tick in _round(low, high)]
    if signal is not None:
        found = bin_quantiles(signal, signal.counts, tuple(tick for tick, _ in ticks))
        ticks = [
            (tick, f"{text} ({figure(q.value)})") for (tick, text), q in zip(ticks, found)
        ] or ticks
    return TrendLine(name, values, 0.5, low, high, ticks)


def _accuracy(sums: Ints, ranked: Ints, signal: SignalReference) -> TrendLine:
    """Share of right predictions: of two names the mean rank says how often each came."""
    right, wrong = score_tables(signal)[0][:2].tolist()
    usual = float(signal.counts[0]) / max(1, int(signal.counts[:2].sum()))
    values = [
        None if n <= 0 else (wrong - float(part) / float(n)) / (wrong - right)
        for part, n in zip(sums, ranked)
    ]
    there = [usual, *(value for value in values if value is not None)]
    low, high = max(0.0, min(there) - _MIN_SPAN), min(1.0, max(there) + _MIN_SPAN)
    ticks = [(tick, percent(tick)) for tick in _round(low, high)]
    return TrendLine("Accuracy", values, usual, low, high, ticks)


def _shares(name: str, sums: Ints, of: Ints, usual: float) -> TrendLine:
    values = _ratios(sums, of)
    high = min(1.0, 1.1 * max(_MIN_SPAN, usual, *(v for v in values if v is not None)))
    ticks = [(tick, percent(tick)) for tick in _round(0.0, high)]
    return TrendLine(name, values, usual, 0.0, high, ticks)


def _round(low: float, high: float) -> list[float]:
    """Three to five round shares between two."""
    for step in (0.2, 0.1, 0.05, 0.02, 0.01, 0.005):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first >= 2:
            break
    return [round(i * step, 6) for i in range(first, last + 1)]
