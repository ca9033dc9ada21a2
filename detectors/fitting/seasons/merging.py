"""Which days and which hours are alike: slots out of the 168 hours of a week.

Both are chosen by a Bayesian information criterion whose sample size is the number of days: what
hours differ by must be seen on enough of them. A false merge costs what the reference cannot show,
and counts as noise from then on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.merge_bins import merge_neighbours
from detectors.fitting.seasons.adding import added
from detectors.references.reference import SignalReference
from detectors.references.slots import LEAST_ROWS

__all__ = ["DAY_TYPES", "Summary", "Week", "slots_of_week", "summaries_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: In words, and as the type of each day from Monday to Sunday.
DAY_TYPES: Final = {
    "every day": (0, 0, 0, 0, 0, 0, 0),
    "Mon-Fri and weekend": (0, 0, 0, 0, 0, 1, 1),
    "Mon-Fri, Sat, Sun": (0, 0, 0, 0, 0, 1, 2),
    "seven days": (0, 1, 2, 3, 4, 5, 6),
}
#: Days from which a weekend is told from other days, and from which every type is.
_WEEKEND_FROM, _ALL_FROM = 7, 14
#: Days from which each hour of the week was seen often enough to measure noise about it.
_WEEKS_FROM: Final = 21
_NAME_GROUPS: Final = 6
#: A signal with fewer rows has no say.
_LEAST_SIGNAL: Final = 300


class Summary(NamedTuple):
    """Of one signal: a few sums by cell, uncorrelated and of variance 1 a row, and the rows."""

    sums: Floats
    rows: Floats


@dataclass(frozen=True, eq=False)
class Week:
    """Slot of each hour of the week, the day types in words, and whether they show a season."""

    slot: Ints
    words: str


def summaries_of(signal: SignalReference, table: npt.NDArray[np.int32]) -> list[Summary]:
    """Location and spread of a number's rank, shares of a few groups of names; what is missing."""
    total = table.sum(axis=0, dtype=np.int64)
    missing = np.zeros((total.size, 1))
    missing[signal.binning.missing] = 1.0
    found = [_of_values(signal, table, total), _white(missing, table, total)]
    return [summary for summary in found if summary is not None]


def _of_values(
    signal: SignalReference, table: npt.NDArray[np.int32], total: Ints
) -> Summary | None:
    if signal.kind == "numeric":
        table, total = table[:, : signal.binning.missing], total[: signal.binning.missing]
        x = (np.cumsum(total) - total / 2) / max(1, int(total.sum()))
        features = np.stack([x, np.abs(2 * x - 1)], axis=1)
    else:
        order = np.argsort(-total, kind="stable")
        group = np.empty(total.size, np.int64)
        group[order] = merge_neighbours(total[order], _NAME_GROUPS, 5)
        features = np.eye(int(group.max()) + 1)[group][:, :-1]
    return _white(features, table, total) if features.shape[1] else None


def _white(features: Floats, table: npt.NDArray[np.int32], total: Ints) -> Summary | None:
    """Uncorrelated sums of features of each bin; None where they say nothing.

    `total` has the rows of each bin in all cells.
    """
    n = int(total.sum())
    if n < _LEAST_SIGNAL:
        return None
    share = total / n
    features = features - share @ features
    values, vectors = np.linalg.eigh((features * share[:, None]).T @ features)
    kept = values > 1e-9
    if not kept.any():
        return None
    white = features @ (vectors[:, kept] / np.sqrt(values[kept]))
    return Summary(table @ white, table.sum(axis=1, dtype=np.int64).astype(np.float64))


def _effect(summary: Summary, about: Ints) -> float:
    """How much more than chance cells vary about the mean of their kind."""
    sums, rows = summary
    size = int(about.max()) + 1
    mean = added(sums, about, size) / np.maximum(1.0, added(rows, about, size))[:, None]
    residual = sums - rows[:, None] * mean[about]
    left = max(1, rows.size - np.unique(about).size)
    excess = float(np.square(residual).sum()) / sums.shape[1] / max(1.0, float(rows.sum()))
    return float(max(1.0, excess * rows.size / left))


def slots_of_week(
    summaries: Sequence[Summary], of_week: Ints, days: int, *, day_types: bool = True
) -> Week:
    """Merge the hours of a week.

    Parameters
    ----------
    summaries : sequence of Summary
        Of the signals that have a say, by cell.
    of_week : int64[C]
        Hour of the week of each cell.
    days : int
        How many there are.
    day_types : bool
        Whether days may differ.
    """
    if not summaries:
        return Week(np.zeros(168, np.int64), "every day")
    of_day, weekday = of_week % 24, of_week // 24
    about = of_week if days >= _WEEKS_FROM else of_day
    effects = [_effect(summary, about) for summary in summaries]
    penalty = math.log(max(8, days))

    def costs(group: Ints) -> Floats:
        _, group = np.unique(group, return_inverse=True)
        size = int(group.max()) + 1
        found = []
        for (sums, rows), phi in zip(summaries, effects, strict=True):
            by_group = np.square(added(sums, group, size)).sum(axis=1)
            explained = float((by_group / np.maximum(1.0, added(rows, group, size))).sum())
            found.append(-explained / phi + penalty * sums.shape[1] * size)
        return np.array(found)

    names = list(DAY_TYPES)[:1]
    if day_types and days >= _WEEKEND_FROM:
        names = list(DAY_TYPES)[: 4 if days >= _ALL_FROM else 2]
    cost = {name: costs(np.array(DAY_TYPES[name])[weekday] * 24 + of_day) for name in names}
    # A signal that gains most decides: others lose little by a type too many.
    words = min(names, key=lambda name: float((cost[name] - cost["every day"]).min()))
    types = np.array(DAY_TYPES[words])
    label = np.zeros((7, 24), np.int64)
    for kind in range(int(types.max()) + 1):
        cells = types[weekday] == kind
        group = _merged_hours(summaries, effects, cells, of_day, penalty)
        label[types == kind] = kind * 24 + group
    _, slot = np.unique(label.ravel(), return_inverse=True)
    return Week(slot.astype(np.int64), words)


@kernel
def _price(
    sums: Floats, next_sums: Floats, rows: Floats, next_rows: Floats, phi: Floats, costs: Floats
) -> float:
    """What a border costs that parts no two kinds of hours; negative if it should go.

    Both sides are given by their sums, [signals, k], and rows, [signals]; `costs` are those of a
    border, to which the signals' gains are compared.
    """
    worst, few = -math.inf, False
    for s in range(rows.size):
        n, m = rows[s], next_rows[s]
        few = few or min(n, m) < LEAST_ROWS
        apart = 0.0
        for k in range(sums.shape[1]):
            apart += (sums[s, k] / max(1.0, n) - next_sums[s, k] / max(1.0, m)) ** 2
        worst = max(worst, apart * n * m / max(1.0, n + m) / phi[s] - costs[s])
    return worst - (1e9 if few else 0.0)


def _merged_hours(
    summaries: Sequence[Summary],
    effects: Sequence[float],
    cells: npt.NDArray[np.bool_],
    of_day: Ints,
    penalty: float,
) -> Ints:
    """Group of each hour of one type of day: the cheapest neighbours of the circle are merged."""
    more = 2.0 * math.log(len(summaries))
    free = np.array([summary.sums.shape[1] for summary in summaries], np.float64)
    sums = np.zeros((24, free.size, int(free.max())))
    rows = np.zeros((24, free.size))
    for i, summary in enumerate(summaries):
        sums[:, i, : summary.sums.shape[1]] = added(summary.sums[cells], of_day[cells], 24)
        rows[:, i] = added(summary.rows[cells], of_day[cells], 24)
    groups = [[hour] for hour in range(24)]
    phi = np.array(effects)

    def price(i: int) -> float:
        j = (i + 1) % len(groups)
        return _price(sums[i], sums[j], rows[i], rows[j], phi, penalty * free + more)

    prices = [price(i) for i in range(24)]
    while len(groups) > 1:
        i = int(np.argmin(prices))
        if prices[i] >= 0.0:
            break
        j = (i + 1) % len(groups)
        groups[i] = groups[i] + groups[j]
        sums[i] += sums[j]
        rows[i] += rows[j]
        sums, rows = np.delete(sums, j, axis=0), np.delete(rows, j, axis=0)
        del groups[j], prices[j]
        if j < i:
            i -= 1
        for k in (i - 1, i):
            prices[k % len(groups)] = price(k % len(groups))
    found = np.zeros(24, np.int64)
    for number, hours in enumerate(groups):
        found[hours] = number
    return found
