"""What a model's metrics will be, before any label has come: from its scores alone.

The reference tells for each bin of the score how often its class came. If that relation still
holds, the scores of a window tell how many of its predictions are right. If it does not, the
realised metrics leave the interval: that is what concept drift is, and what moved inputs alone do
not do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.intervals import Z95
from detectors.outcomes.metrics import COSTS, Metric

__all__ = ["estimated_metrics"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Share of the reference's events that may be predicted otherwise than a threshold of the score
#: says, or be of another class than the two.
_MOST_OTHERWISE = 0.001


def estimated_metrics(
    cells: OutcomeCells,
    reference: Ints,
    score: Ints,
    *,
    edges: Floats,
    phi: float = 1.0,
    cost: Mapping[str, float] | None = None,
) -> dict[str, Metric] | None:
    """Metrics of a window as `outcome_metrics` names them, expected from its scores.

    Binary: accuracy, error_rate, precision, recall, specificity, f1, selection_rate, positive_rate
    and cost_per_event; of several classes accuracy and error_rate, by the score of the class that
    was said. Intervals of 95 % are those of the realised metric: they hold the chance of the
    window's labels and the error of the reference's shares. Left out is what fewer than one event
    is expected to count in.

    Parameters
    ----------
    cells : OutcomeCells
        Where outcomes are counted.
    reference : int64[cells.width]
        Outcomes of the reference.
    score : int64[score_bins]
        Events of the window by bin of the score; those without a score are not estimated.
    edges : float64[score_bins - 3]
        Of the score's binning.
    phi : float
        Design effect of errors: so many events are worth one independent one.
    cost : mapping, optional
        Cost of each of `COSTS`, of a binary model.

    Returns
    -------
    dict of str to Metric, or None
        None where scores do not tell: a regression, no score, no outcomes in the reference or no
        scores in the window, predictions that are not the score's being at least some edge.

    Raises
    ------
    ValueError
        Scores of another length.
    """
    if score.shape != (cells.score_bins,):
        raise ValueError(f"score must be int64[{cells.score_bins}]; got {score.shape}.")
    if not cells.score or cells.task == "regression":
        return None
    calibration, window = cells.calibration(reference)[:-2], score[:-2]
    if not calibration.any() or not window.any():
        return None
    if cells.task == "multiclass":
        says = np.ones(window.size, np.bool_)
    else:
        first = _first_positive(cells, reference, edges)
        if first is None:
            return None
        says = np.arange(window.size) >= first
    expected, variance = _came(calibration, window)
    events, said = int(window.sum()), int(window[says].sum())
    part = _Parts(
        events=events,
        said=said,
        hits=float(expected[says].sum()),
        missed=float(expected[~says].sum()),
        hits_variance=phi * float(variance[says].sum()),
        missed_variance=phi * float(variance[~says].sum()),
    )
    if cells.task == "multiclass":
        return {
            "accuracy": part.metric(part.hits / events, 1.0 / events, 0.0, events),
            "error_rate": part.metric(1.0 - part.hits / events, 1.0 / events, 0.0, events),
        }
    return _binary(part, cost)


def _came(calibration: Ints, window: Ints) -> tuple[Floats, Floats]:
    """How many of the window's events come true in each bin: mean and variance, float64[bins].

    It is a beta-binomial number: the share p is known as far as the reference's events tell it. One
    event's worth is known before, from the bin and those beside it: bins that are nearly empty are
    as their neighbours are, and a hundred small bins are not all drawn to 1/2.
    """
    n, total = window.astype(np.float64), calibration.sum(axis=1).astype(np.float64)
    came = calibration[:, 1].astype(np.float64)
    around = (_of_three(came) + 0.5) / (_of_three(total) + 1.0)
    p = (came + around) / (total + 1.0)
    return n * p, n * p * (1.0 - p) * (total + 1.0 + n) / (total + 2.0)


def _of_three(x: Floats) -> Floats:
    """Each bin's number and those of the bins beside it, added up."""
    return np.convolve(x, np.ones(3))[1:-1]


@dataclass(frozen=True)
class _Parts:
    """Expected events of a window: said positive, and of those and the others who are."""

    events: int
    said: int
    hits: float
    missed: float
    hits_variance: float
    missed_variance: float

    def metric(self, value: float, by_hits: float, by_missed: float, events: float) -> Metric:
        """From its value and its slopes in hits and missed, which are independent."""
        variance = by_hits**2 * self.hits_variance + by_missed**2 * self.missed_variance
        reach = Z95 * math.sqrt(variance)
        low, high = max(0.0, value - reach), min(1.0, value + reach)
        return Metric(value, low, high, round(events))


def _binary(part: _Parts, cost: Mapping[str, float] | None) -> dict[str, Metric]:
    n, said, hits, missed = part.events, part.said, part.hits, part.missed
    actual, false = hits + missed, said - hits
    right = (n - false - missed) / n
    found = {
        "accuracy": part.metric(right, 1.0 / n, 1.0 / n, n),
        "error_rate": part.metric(1.0 - right, 1.0 / n, 1.0 / n, n),
        "selection_rate": part.metric(said / n, 0.0, 0.0, n),
        "positive_rate": part.metric(actual / n, 1.0 / n, 1.0 / n, n),
    }
    if said:
        found["precision"] = part.metric(hits / said, 1.0 / said, 0.0, said)
    if actual >= 1.0:
        recall = hits / actual
        found["recall"] = part.metric(recall, (1.0 - recall) / actual, recall / actual, actual)
    negative = n - actual
    if negative >= 1.0:
        kept = (negative - false) / negative
        found["specificity"] = part.metric(kept, kept / negative, (1.0 - kept) / negative, negative)
    if said + actual >= 1.0:
        f1 = 2.0 * hits / (said + actual)
        falls = f1 / (said + actual)
        found["f1"] = part.metric(f1, 2.0 / (said + actual) - falls, falls, said + missed)
    if cost is not None:
        found["cost_per_event"] = _cost(part, false, cost)
    return found


def _cost(part: _Parts, false: float, cost: Mapping[str, float]) -> Metric:
    of_false, of_missed = (cost.get(name, 0.0) / part.events for name in COSTS)
    value = of_false * false + of_missed * part.missed
    variance = of_false**2 * part.hits_variance + of_missed**2 * part.missed_variance
    reach = Z95 * math.sqrt(variance)
    return Metric(value, max(0.0, value - reach), value + reach, part.events)


def _first_positive(cells: OutcomeCells, reference: Ints, edges: Floats) -> int | None:
    """The first bin of the score that the model calls positive; None if there is no such bin.

    A model that says its prediction besides the score has no threshold that is known: it is that
    edge which gives the reference's confusion, the nearest to 1/2 of several that do.
    """
    if not cells.predicted:
        return int(np.searchsorted(edges, cells.threshold)) + 1
    calibration = cells.calibration(reference)[:-2]
    above = np.cumsum(calibration[::-1], axis=0)[::-1]  # from each bin on
    whole = calibration.sum(axis=0)
    by_edge = np.zeros((edges.size, cells.sides, cells.sides), np.int64)
    by_edge[:, 1, :2] = above[1:]
    by_edge[:, 0, :2] = whole - above[1:]
    otherwise = np.abs(by_edge - cells.confusion(reference)).sum(axis=(1, 2)) / 2.0
    nearest = np.lexsort((np.abs(edges - cells.threshold), otherwise))[0]
    if otherwise[nearest] > _MOST_OTHERWISE * whole.sum():
        return None
    return int(nearest) + 1
