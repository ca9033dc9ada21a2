"""Outcomes as strata: events alike in what the model said, and how many of them came.

Whether a window's outcomes follow those of the reference, given what the model said, is asked in
each stratum by itself. Given the margins, what came of the window's events is hypergeometric, with
exact moments however few they are, and however the model's scores have moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells

__all__ = [
    "LEAST_VARIANCE",
    "Pooled",
    "axes_of",
    "ends_of",
    "followed_strata",
    "pool",
    "sides_of",
    "strata_of",
]

#: Groups that strata are merged to, and the least variance of one: from 5 events expected of either
#: class on a sum of chances is near enough to normal.
GROUPS: Final = 20
LEAST_VARIANCE: Final = 5.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def strata_of(cells: OutcomeCells, counts: Ints) -> Ints:
    """Events whose outcome did not come and did, int64[strata, 2].

    With a score each of its bins is a stratum; of a regression each bin of what it predicts, where
    an actual above the prediction is what may come. Without either they are made of the confusion:
    of the events of each predicted class those that came true or not; of those that did not, the
    first other class or a later one; and so on. So a table of several columns is tested as several
    of two, one after the other (Lancaster 1949): `[right of each class, first other of each, ...]`.
    """
    if cells.score_bins:
        return cells.calibration(counts)
    confusion = cells.confusion(counts)
    ordered = confusion[_diagonal_first(cells.sides)]
    later = ordered[:, ::-1].cumsum(axis=1)[:, ::-1]
    pairs = np.stack([later[:, 1:], ordered[:, :-1]], axis=2)
    return np.ascontiguousarray(pairs.transpose(1, 0, 2).reshape(-1, 2))


def followed_strata(cells: OutcomeCells, counts: Ints) -> Ints:
    """The strata that each pane's outcomes are followed in, int64[strata, 2].

    Without a score those of the classes' own predictions, right or not: of another name nobody
    knows, and which other class came is for windows to tell.
    """
    strata = strata_of(cells, counts)
    return np.ascontiguousarray(strata if cells.score_bins else strata[: cells.sides - 1])


def _diagonal_first(sides: int) -> tuple[Ints, Ints]:
    """Row and column of each cell of a confusion, each row's own class first."""
    columns = np.tile(np.arange(sides), (sides, 1))
    order = np.argsort(columns != columns.T, axis=1, kind="stable")
    return columns.T, order


def axes_of(reference: Ints) -> tuple[Floats, Floats]:
    """Share that came in each stratum of a reference, and weights of both axes, float64[2, strata].

    A stratum without events has the weight 0: nothing is known of it, nothing there is evidence.
    The share is as it is: half an event more of either outcome would move the mean residual of
    scores that crowd at 0 and 1 by more than chance does.
    """
    events = reference.sum(axis=1)
    share = reference[:, 1] / np.maximum(events, 1)
    rank = (np.cumsum(events) - events / 2.0) / max(1, int(events.sum()))
    return share, np.stack([np.ones(rank.size), 2.0 * rank - 1.0]) * (events > 0)


@dataclass(frozen=True)
class Pooled:
    """What a window's strata would bring by the reference's, given the margins of both.

    Attributes
    ----------
    events, came : int64[strata]
        Of the window.
    total : int64[strata]
        Events of both.
    expected, variance, skew, tails : float64[strata]
        First four cumulants of `came` by chance.
    share : float64[strata]
        Of the events of both that came; a half where there is no event.
    known : bool[strata]
        Whether both have events.
    """

    events: Ints
    came: Ints
    total: Ints
    expected: Floats
    variance: Floats
    skew: Floats
    tails: Floats
    share: Floats
    known: npt.NDArray[np.bool_]


def pool(window: Ints, reference: Ints) -> Pooled:
    """Moments of the window's outcomes, both int64[strata, 2], if they follow the reference's."""
    events, came = window.sum(axis=1), window[:, 1]
    n, m = events.astype(np.float64), (events + reference.sum(axis=1)).astype(np.float64)
    a = (came + reference[:, 1]).astype(np.float64)
    b = m - a
    known = (n > 0) & (n < m)
    # Where there are fewer than four events nothing is uncertain enough to matter.
    m1, m2, m3 = (np.maximum(m - k, 1.0) for k in (1.0, 2.0, 3.0))
    m = np.maximum(m, 1.0)
    variance = n * (m - n) / m1 * (a / m) * (b / m)
    skew = variance * ((b - a) / m) * ((m - 2.0 * n) / m2)
    # Fourth cumulant over variance, by the excess of the hypergeometric law.
    pq, nn = a * b / m**2, n * (m - n) / m**2
    excess = (m * (m + 1.0) / m**2 - 6.0 * pq - 6.0 * nn) + 6.0 * pq * nn * (5.0 * m - 6.0) / m1
    tails = variance * excess * (m / m2) * (m / m3)
    return Pooled(
        events,
        came,
        events + reference.sum(axis=1),
        np.where(known, n * a / m, came),
        np.where(known, variance, 0.0),
        np.where(known, skew, 0.0),
        np.where(known, tails, 0.0),
        np.where(a + b > 0.0, a / m, 0.5),
        known,
    )


def ends_of(variance: Floats) -> Ints:
    """Where each group of strata ends: groups of about as much variance each, at least of one.

    Parameters
    ----------
    variance : float64[strata]
        Of what came.
    """
    least = max(LEAST_VARIANCE, float(variance.sum()) / GROUPS)
    ends, held = [], 0.0
    for stratum, of_it in enumerate(variance.tolist()):
        held += of_it
        if held >= least:
            ends.append(stratum + 1)
            held = 0.0
    return np.array([*ends[:-1], variance.size])  # what is left joins the last


def sides_of(events: Ints, share: Floats, *, ordered: bool) -> Floats:
    """Of each stratum 1 where the class mostly does not come, and -1 where it mostly does.

    Residuals with these signs do not cancel where labels are swapped. Where strata are ordered, as
    bins of a score are, one cut parts the two.
    """
    if not ordered:
        return np.where(share <= 0.5, 1.0, -1.0)
    below = np.concatenate([[0.0], np.cumsum(events * (1.0 - 2.0 * share))])
    cut = int(np.argmax(np.abs(below - below[-1] / 2.0)))
    low = 1.0 if 2.0 * below[cut] >= below[-1] else -1.0
    return np.where(np.arange(events.size) < cut, low, -low)
