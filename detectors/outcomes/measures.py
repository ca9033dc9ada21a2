"""Metrics that a limit may be put on, as sums over counts: of events, and of what is bad or good.

`LimitEvidence` bets on the mean of values of events, so a metric is here what is such a mean: a
share of some events, or a sum over events. All are weights of the places of a vector of counts; so
several are two products of a matrix, and counts of merged panes give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.change_points.estimates import bin_mean
from detectors.counting.binning import NumericBinning
from detectors.counting.name_bins import CategoricalBinning
from detectors.counting.outcome_cells import SCORE_UNIT, SQUARES_PART, OutcomeCells
from detectors.outcomes.limits import limit_of_f1
from detectors.references.reference import SignalReference

__all__ = [
    "OF_CLASS",
    "OF_OUTCOMES",
    "OF_SIGNALS",
    "QUANTILES",
    "Measure",
    "outcome_measure",
    "quantile_measure",
    "signal_measure",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Metrics of one class among several.
OF_CLASS: Final = ("precision", "recall", "f1")
#: Metrics by task.
OF_OUTCOMES: Final = {
    "binary": (
        "accuracy", "error_rate", *OF_CLASS, "specificity", "selection_rate", "positive_rate",
        "brier", "cost_per_event",
    ),
    "multiclass": ("accuracy", "error_rate", *OF_CLASS),
    "regression": ("mae",),
}  # fmt: skip
#: Quantiles of a number, by name.
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
#: Metrics of a signal.
OF_SIGNALS: Final = ("mean", "missing_rate", "share", *QUANTILES)


@dataclass(frozen=True, eq=False)
class Measure:
    """A mean of events as weights of the places of a vector of counts.

    Attributes
    ----------
    events, amount : float64[width]
        How many events one count is, and the sum of their values above `low`.
    squares : float64[width], optional
        Sum of the squares of these, where values are not 0 or 1.
    bound : float, optional
        The greatest value above `low`.
    low : float
        The least value.
    is_f1 : bool
        Whether the metric is F1, of which the mean is another form: see `limit_of_f1`.
    """

    events: Floats
    amount: Floats
    squares: Floats | None = None
    bound: float | None = 1.0
    low: float = 0.0
    is_f1: bool = False

    def mean_of(self, metric: float) -> float:
        """What the mean above `low` is where the metric is this."""
        return limit_of_f1(metric) if self.is_f1 else metric - self.low

    def metric_of(self, mean: float) -> float:
        """Inverse of `mean_of`."""
        return 2.0 * mean / (1.0 + mean) if self.is_f1 else mean + self.low

    def metric(self, counts: Ints) -> float:
        """The metric of counts, int64[width]; NaN without events."""
        events = float(self.events @ counts)
        return self.metric_of(float(self.amount @ counts) / events) if events else math.nan


def outcome_measure(
    cells: OutcomeCells, metric: str, of_class: str = "", costs: tuple[float, float] = (0.0, 0.0)
) -> Measure:
    """A metric of outcomes over their cells, as `outcome_metrics` names and defines it.

    Parameters
    ----------
    cells : OutcomeCells
        What is counted.
    metric : str
        One of `OF_OUTCOMES` of the task.
    of_class : str
        Of a model of several classes: whose precision, recall or F1.
    costs : tuple of 2 floats
        What a false positive and a false negative cost.

    Raises
    ------
    ValueError
        If the metric is not one of this task, a class is missing or unknown, or costs are.
    """
    known = OF_OUTCOMES[cells.task]
    if metric not in known:
        raise ValueError(f"metric of a {cells.task} model must be {_one_of(known)}; got {metric!r}")
    needs_class = cells.task == "multiclass" and metric in OF_CLASS
    if needs_class and of_class not in cells.classes:
        raise ValueError(f"value must be a class, {_one_of(cells.classes)}; got {of_class!r}")
    if of_class and not needs_class:
        raise ValueError(f"value is not for {metric} of a {cells.task} model. Remove it")
    if cells.task == "regression":
        return _mae(cells)
    if metric == "brier":
        return _brier(cells)
    at = cells.classes.index(of_class) if needs_class else 1
    size = cells.sides
    all_, row, column, both = (np.zeros((size, size), bool) for _ in range(4))
    all_[:], row[at], column[:, at], both[at, at] = True, True, True, True
    known_pair = all_.copy()
    known_pair[-1, -1] = False  # two names without a class of their own may be the same or not
    right = np.eye(size, dtype=bool) & known_pair
    if metric == "cost_per_event":
        return _cost(cells, row & ~both, column & ~both, all_, costs)
    events, hits = {
        "accuracy": (known_pair, right),
        "error_rate": (known_pair, known_pair & ~right),
        "precision": (row, both),
        "recall": (column, both),
        "f1": (row | column, both),
        "specificity": (~column, ~column & ~row),
        "selection_rate": (all_, row),
        "positive_rate": (all_, column),
    }[metric]
    return Measure(_of(cells, events), _of(cells, hits), is_f1=metric == "f1")


def _of(cells: OutcomeCells, of_confusion: npt.NDArray[np.bool_]) -> Floats:
    """Weights of a vector of cells that has those of its confusion."""
    weights = np.zeros(cells.width)
    weights[: cells.calibration_at] = of_confusion.ravel()
    return weights


def _cost(
    cells: OutcomeCells,
    wrong: npt.NDArray[np.bool_],
    missed: npt.NDArray[np.bool_],
    all_: npt.NDArray[np.bool_],
    costs: tuple[float, float],
) -> Measure:
    if not max(costs) > 0.0:
        raise ValueError(
            "cost_per_event needs what errors cost. Give false_positive_cost, "
            "false_negative_cost or both"
        )
    price = costs[0] * _of(cells, wrong) + costs[1] * _of(cells, missed)
    return Measure(_of(cells, all_), price, np.square(price), max(costs))


def _brier(cells: OutcomeCells) -> Measure:
    if not cells.probability:
        raise ValueError("brier needs a score that is a probability")
    events, amount = np.zeros(cells.width), np.zeros(cells.width)
    events[cells.calibration_at : cells.sums_at] = 1.0
    amount[cells.sums_at + 1] = SCORE_UNIT
    return Measure(events, amount)


def _mae(cells: OutcomeCells) -> Measure:
    events, amount, squares = (np.zeros(cells.width) for _ in range(3))
    events[0] = 1.0
    at = cells.sums_at
    amount[at : at + 2] = cells.unit
    squares[at + 2 :] = cells.unit**2 * SQUARES_PART, cells.unit**2
    return Measure(events, amount, squares, None)


def signal_measure(signal: SignalReference, metric: str, value: str = "") -> Measure:
    """Mean, rate of missing values, or share of a category over a signal's bins.

    A mean is that of the middles of bins, moved by what they are off in the reference: `bin_mean`.
    Values beyond the reference's range count as its ends, so that a mean that is beyond its limit
    may be more so.

    Raises
    ------
    ValueError
        If the metric is not for this signal.
    """
    binning, name = signal.binning, signal.name
    events = np.ones(binning.n_bins)
    if value and metric != "share":
        raise ValueError(f'value is for metric = "share"; got {metric!r}. Remove it')
    if metric == "missing_rate":
        amount = np.zeros(binning.n_bins)
        amount[binning.missing] = 1.0
        return Measure(events, amount)
    events[binning.missing :] = 0.0
    if metric == "share":
        if not isinstance(binning, CategoricalBinning):
            raise ValueError(f"share is of a category, and {name!r} is numeric. Take p95 or mean")
        if value not in binning.categories:
            raise ValueError(
                f"value must be a category of {name!r} with a bin of its own, "
                f"{_one_of(binning.categories)}; got {value!r}"
            )
        amount = np.zeros(binning.n_bins)
        amount[binning.categories.index(value)] = 1.0
        return Measure(events, amount)
    points = _points(signal, metric)
    low, high = float(points.min()), float(points.max())
    if not high > low:
        raise ValueError(f"{name!r} has one value in the reference: its mean tells nothing")
    amount = np.zeros(binning.n_bins)
    amount[: binning.missing] = points - low
    return Measure(events, amount, np.square(amount), high - low, low)


def _points(signal: SignalReference, metric: str) -> Floats:
    """What each bin of values stands for in a mean."""
    binning = signal.binning
    if not isinstance(binning, NumericBinning):
        raise ValueError(f"{metric} is of numbers, and {signal.name!r} is categorical. Take share")
    if signal.mean is None or bin_mean(signal, signal.counts) is None:
        raise ValueError(
            f"the bins of {signal.name!r} do not tell its mean: its values reach too far out. "
            "Take p50, p90, p95 or p99"
        )
    edges = binning.edges
    low, high = edges[:-1], edges[1:]
    high = np.where(high == np.nextafter(low, np.inf), low, high)  # a value that fills a bin
    points = np.concatenate([edges[:1], low / 2.0 + high / 2.0, edges[-1:]])
    known = signal.counts[: binning.missing]
    return points + (signal.mean - float(known @ points) / max(1, int(known.sum())))


def quantile_measure(
    signal: SignalReference, limit: float, *, upper: bool
) -> tuple[Measure, float]:
    """Share of values that are surely beyond a limit, and the edge that they are beyond.

    An upper limit is counted at the next edge of the bins above it, a lower one at that at it or
    below: what is within the limit is never counted as beyond.

    Raises
    ------
    ValueError
        If the signal is no number, or the limit is outside the reference's range, where bins end.
    """
    binning = signal.binning
    if not isinstance(binning, NumericBinning):
        raise ValueError(f"quantiles are of numbers, and {signal.name!r} is categorical")
    edges = binning.edges
    if not edges[0] <= limit < edges[-1]:
        raise ValueError(
            f"limit must be within the reference's values of {signal.name!r}, {edges[0]:g} to "
            f"{edges[-1]:g}: beyond them nothing is told apart; got {limit:g}"
        )
    at = int(np.searchsorted(edges, limit, side="right")) - (not upper)
    events, amount = np.ones(binning.n_bins), np.zeros(binning.n_bins)
    events[binning.missing :] = 0.0
    beyond = slice(at + 1, binning.missing) if upper else slice(0, at + 1)
    amount[beyond] = 1.0
    return Measure(events, amount), float(edges[at])


def _one_of(known: Sequence[str]) -> str:
    shown = ", ".join(known[:20])
    return f"one of {shown}" if len(known) > 1 else shown
