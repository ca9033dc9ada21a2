"""Days of a reference that are unlike its others, such as a holiday that nobody named.

One such day among four weeks makes days seem to vary by twice as much as they do, and hides the
next one. So days are compared before they are reckoned with, and one is left out on overwhelming
evidence only: its course, which is the location and spread of a signal's ranks in the parts of the
day, against those of the same weekday (Wilks 1963: exact where courses are normal), in such a way
that several do not hide each other (Rosner 1983). Where many are unlike the others, that is how
days are there, and all are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.fitting.seasons.adding import added
from detectors.null_distributions.special import f_tail, normal_quantile
from detectors.references.reference import SignalReference

__all__ = ["unlike_days"]

#: Chance that any day is left out of a reference whose days are alike.
_ALPHA: Final = 1e-4
#: Days from which each weekday was seen three times: of two nobody knows which one is usual.
_WEEKS_FROM, _LEAST_ALIKE = 21, 3
#: One in so many days may be left out.
_ONE_IN: Final = 8
#: Parts of a day, and scores of each.
_MOST_PARTS, _SCORES = 3, 2
#: A part of a usual day holds so many rows, and the means of these are no more skewed than this.
_LEAST_ROWS, _MOST_SKEWED = 10, 0.3
#: A day is compared if each part of it has this share of its usual rows.
_WHOLE_PART: Final = 0.25

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class _Courses(NamedTuple):
    """Mean and spread of scores in the parts of each day, float64[D, 2 x parts].

    `weight`, [D], is below 1 where a part has fewer rows than usual: the day is noisier, and none
    is to seem unlike the others for that.
    """

    day: Ints
    mean: Floats
    weight: Floats


def unlike_days(
    signals: Sequence[SignalReference],
    tables: Sequence[npt.NDArray[np.int32]],
    hours: Ints,
    holidays: tuple[str, ...] = (),
) -> dict[int, str]:
    """Days that a numeric signal has unlike those of the same weekday, with the signal's name.

    Parameters
    ----------
    signals : sequence of SignalReference
        As fitted without slots.
    tables : sequence of int32[C, n_bins]
        Counts of each signal by cell.
    hours : int64[C]
        Local hour since 1970 of each cell.
    holidays : tuple of str
        Dates that are declared to be as Sundays: neither tested nor compared with.

    Returns
    -------
    dict of int to str
        Days since 1970, rising; empty below three weeks, or where it would be too many.
    """
    days = np.unique(hours // 24)
    if days.size < _WEEKS_FROM:
        return {}
    most = days.size // _ONE_IN
    free = [(date.fromisoformat(d) - date(1970, 1, 1)).days for d in holidays]
    days = days[~np.isin(days, free)]
    numeric = [
        (signal, table)
        for signal, table in zip(signals, tables, strict=True)
        if signal.kind == "numeric"
    ]
    found: dict[int, str] = {}
    for signal, table in numeric:
        courses = _courses(table[:, : signal.binning.missing], hours, days)
        if courses is not None:
            for at in _outliers(courses, most, _ALPHA / len(numeric)):
                found.setdefault(int(courses.day[at]), signal.name)
    return dict(sorted(found.items())) if len(found) <= most else {}


def _courses(table: npt.NDArray[np.int32], hours: Ints, days: Ints) -> _Courses | None:
    """Of the days whose parts are all there; the parts have about as many rows each."""
    compared = np.isin(hours // 24, days)
    values, hours = table[compared].astype(np.float64), hours[compared]
    day, rows = np.searchsorted(days, hours // 24), values.sum(axis=1)
    # How the numbers of a day go together is to be known from twice as many days, at least.
    parts = min(_MOST_PARTS, (days.size - 7) // (2 * _SCORES))
    parts = min(parts, int(np.median(added(rows, day, days.size))) // _LEAST_ROWS)
    if parts < 1:
        return None
    by_hour = added(rows, hours % 24, 24)
    until = (np.cumsum(by_hour) - by_hour / 2.0) / by_hour.sum()
    _, part = np.unique((until * parts).astype(np.int64), return_inverse=True)
    parts = int(part.max()) + 1
    cell = day * parts + part[hours % 24]
    held = added(rows, cell, days.size * parts).reshape(-1, parts)
    usual = np.median(held, axis=0)
    whole = (held >= np.maximum(2.0, _WHOLE_PART * usual)).all(axis=1)
    weekday = (days + 3) % 7
    whole &= np.bincount(weekday[whole], minlength=7)[weekday] >= _LEAST_ALIKE
    scores = _normal_scores(values.sum(axis=0))
    if not whole.any() or _skew(values.sum(axis=0), scores) > _MOST_SKEWED * np.sqrt(usual.min()):
        return None
    moments = np.stack([scores, np.square(scores)], axis=1)
    sums = added(values @ moments, cell, days.size * parts).reshape(days.size, parts, 2)
    weight = np.minimum(1.0, (held / usual).min(axis=1))[whole]
    held = held[whole]
    mean, square = np.moveaxis(sums[whole] / held[..., None], 2, 0)
    spread = np.cbrt(np.maximum(0.0, square - np.square(mean)) * held / (held - 1.0))
    return _Courses(days[whole], np.hstack([mean, spread]), weight)


def _normal_scores(counts: Floats) -> Floats:
    """Normal values of the ranks of bins. A level moves their mean evenly, and not their spread."""
    half = 0.5 / counts.sum()
    ranks = np.clip((np.cumsum(counts) - counts / 2.0) / counts.sum(), half, 1.0 - half)
    return np.array([-normal_quantile(rank) for rank in ranks.tolist()])


def _skew(counts: Floats, scores: Floats) -> float:
    """How skewed scores are; without end if they are all one."""
    share = counts / counts.sum()
    apart = scores - share @ scores
    variance = float(share @ np.square(apart))
    return abs(float(share @ apart**3)) / variance**1.5 if variance > 1e-9 else np.inf


def _outliers(courses: _Courses, most: int, alpha: float) -> list[int]:
    """Places of the days that are unlike the others; none if they would be more than `most`."""
    taken: list[int] = []
    unlike = 0
    left = np.arange(courses.day.size)
    while left.size and len(taken) <= most:
        at, p = _farthest(_Courses(courses.day[left], courses.mean[left], courses.weight[left]))
        taken.append(int(left[at]))
        left = np.delete(left, at)
        if p * courses.day.size <= alpha:
            unlike = len(taken)
    return taken[:unlike] if unlike <= most else []


def _farthest(courses: _Courses) -> tuple[int, float]:
    """Place of the day that is most unlike the others of its weekday, and the chance of it."""
    _, kind, size = np.unique((courses.day + 3) % 7, return_inverse=True, return_counts=True)
    weight = courses.weight[:, None]
    total = added(weight, kind, size.size)
    apart = courses.mean - (added(courses.mean * weight, kind, size.size) / total)[kind]
    apart *= np.sqrt(weight)
    together = apart.T @ apart
    numbers = int(np.linalg.matrix_rank(together, hermitian=True))
    free = courses.day.size - size.size - numbers
    if free < 1 or not numbers:
        return 0, 1.0
    # The day's part in all squares, but for its part in its weekday's mean, follows a beta law.
    own = np.einsum("ij,jk,ik->i", apart, np.linalg.pinv(together, hermitian=True), apart)
    own /= np.maximum(1e-9, 1.0 - (weight / total[kind])[:, 0])
    own[size[kind] < _LEAST_ALIKE] = 0.0
    at = int(np.argmax(own))
    part = min(float(own[at]), 1.0 - 1e-12)
    return at, f_tail(part / (1.0 - part) * free / numbers, float(numbers), float(free))
