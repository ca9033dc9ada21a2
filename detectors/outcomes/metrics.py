"""How good a model was, from the cells of its outcomes; named as scikit-learn names it.

What is not defined, as precision is where nothing was predicted positive, is left out: a 0 would be
taken for a bad model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import LOG_LOSS_UNIT, SCORE_UNIT, SQUARES_PART, OutcomeCells
from detectors.outcomes.intervals import (
    NO_INTERVAL,
    Interval,
    mean_interval,
    square_and_add,
    wilson,
)
from detectors.outcomes.score_metrics import (
    auc,
    calibration_error,
    log_losses,
    loss_interval,
    points_in_bins,
    squared_losses,
)

__all__ = ["COSTS", "Metric", "outcome_metrics"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: The errors of a binary model that can cost something.
COSTS: Final = ("false_positive", "false_negative")


class Metric(NamedTuple):
    """A number with its interval of 95 %.

    Attributes
    ----------
    value : float
    low, high : float
        NaN where the cells do not hold what an interval takes.
    events : int
        What the number is a share or a mean of: of precision, what was predicted positive.
    """

    value: float
    low: float
    high: float
    events: int


def outcome_metrics(
    cells: OutcomeCells,
    counts: Ints,
    *,
    edges: Floats | None = None,
    phi: float = 1.0,
    cost: Mapping[str, float] | None = None,
) -> dict[str, Metric]:
    """Metrics of the outcomes in these cells, by name; those that are not defined are left out.

    Binary: accuracy, error_rate, precision, recall, specificity, f1, selection_rate (of predicted
    positives), positive_rate (of actual ones), cost_per_event; with a score auc, with one that is a
    probability log_loss, brier and calibration_error. Of several classes: accuracy, error_rate,
    precision, recall and f1 of each class as `recall[NAME]`, their means over the classes that have
    one as recall_macro (scikit-learn with `zero_division=nan`), and calibration_error of the
    probability of the class that was said. Regression: mae, rmse, bias.

    Shares have Wilson's interval; f1 that of `TP / (TP + FP + FN)`, of which it is a function;
    macro means and costs add up the intervals of their terms; auc, log_loss and brier as in
    `score_metrics`; mae and bias a normal one from the sum of squares. None have
    calibration_error, which chance makes larger, and rmse, which takes fourth powers.

    Parameters
    ----------
    cells : OutcomeCells
        Where things are counted.
    counts : int64[cells.width]
        Of a window, or of a reference.
    edges : float64[score_bins - 3], optional
        Of the score's binning: without them no calibration_error, and no interval of losses.
    phi : float
        Design effect: so many events are worth one independent one.
    cost : mapping, optional
        Cost of each of `COSTS`, of a binary model.

    Raises
    ------
    ValueError
        Counts or edges of another length, phi that is not > 0, an unknown cost.
    """
    if counts.shape != (cells.width,):
        raise ValueError(f"counts must be int64[{cells.width}]; got {counts.shape}.")
    if edges is not None and edges.shape != (cells.score_bins - 3,):
        raise ValueError(f"edges must be float64[{cells.score_bins - 3}]; got {edges.shape}.")
    if not 0.0 < phi < math.inf:
        raise ValueError(f"phi must be > 0; got {phi}.")
    if cost is not None and (cells.task != "binary" or not cost.keys() <= set(COSTS)):
        raise ValueError(f"cost is that of {' and '.join(COSTS)} of a binary model; got {cost}.")
    if cells.task == "regression":
        return _regression(cells, counts, phi)
    if cells.task == "binary":
        found = _binary(cells, counts, phi, cost)
    else:
        found = _multiclass(cells, counts, phi)
    if cells.score:
        found |= _score(cells, counts, edges, phi)
    return found


def share(hits: int, events: int, phi: float) -> Metric:
    """A share of events, with Wilson's interval."""
    value = hits / events
    return Metric(value, *wilson(value, events / phi), events)


def f1_of(hits: int, predicted: int, actual: int, phi: float) -> Metric:
    """F1 of a class: `2 j / (1 + j)` of the share j of hits in all that were one or the other."""
    either = share(hits, predicted + actual - hits, phi)
    low, high = (2.0 * j / (1.0 + j) for j in (either.low, either.high))
    return Metric(2 * hits / (predicted + actual), low, high, either.events)


def _accuracy(confusion: Ints, phi: float) -> dict[str, Metric]:
    """Accuracy and error rate; two names without a class of their own are left out.

    They may be the same or not.
    """
    right = int(np.trace(confusion[:-1, :-1]))
    events = int(confusion.sum() - confusion[-1, -1])
    if not events:
        return {}
    return {
        "accuracy": share(right, events, phi),
        "error_rate": share(events - right, events, phi),
    }


def _binary(
    cells: OutcomeCells, counts: Ints, phi: float, cost: Mapping[str, float] | None
) -> dict[str, Metric]:
    confusion = cells.confusion(counts)
    hits = int(confusion[1, 1])
    predicted, actual, events = (
        int(n) for n in (confusion[1].sum(), confusion[:, 1].sum(), confusion.sum())
    )
    wrong = predicted - hits
    missed = actual - hits
    found = _accuracy(confusion, phi)
    shares = {
        "precision": (hits, predicted),
        "recall": (hits, actual),
        "specificity": (events - actual - wrong, events - actual),
        "selection_rate": (predicted, events),
        "positive_rate": (actual, events),
    }
    found |= {name: share(k, n, phi) for name, (k, n) in shares.items() if n}
    if predicted + actual:
        found["f1"] = f1_of(hits, predicted, actual, phi)
    if cost is not None and events:
        prices = [cost.get(name, 0.0) for name in COSTS]
        errors = [share(wrong, events, phi), share(missed, events, phi)]
        found["cost_per_event"] = _cost(prices, errors, events)
    return found


def _cost(prices: list[float], errors: list[Metric], events: int) -> Metric:
    """Mean cost of an event, from the rates of errors that exclude each other."""
    rates = [error.value for error in errors]
    odds = math.prod(rate / (1.0 - rate) if rate < 1.0 else 0.0 for rate in rates)
    correlation = np.array([[1.0, -math.sqrt(odds)], [-math.sqrt(odds), 1.0]])
    intervals = [(error.low, error.high) for error in errors]
    value = sum(price * rate for price, rate in zip(prices, rates))
    return Metric(value, *square_and_add(prices, rates, intervals, correlation), events)


def _multiclass(cells: OutcomeCells, counts: Ints, phi: float) -> dict[str, Metric]:
    confusion = cells.confusion(counts)
    found = _accuracy(confusion, phi)
    n_classes = len(cells.classes)
    hits, predicted, actual = (
        [int(n) for n in of_classes[:n_classes]]
        for of_classes in (confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0))
    )
    kinds: dict[str, dict[int, Metric]] = {
        "precision": {k: share(hits[k], n, phi) for k, n in enumerate(predicted) if n},
        "recall": {k: share(hits[k], n, phi) for k, n in enumerate(actual) if n},
        "f1": {
            k: f1_of(hits[k], predicted[k], actual[k], phi)
            for k in range(n_classes)
            if predicted[k] + actual[k]
        },
    }
    for kind, of_class in kinds.items():
        if not of_class:
            continue
        classes = list(of_class)
        correlation = _f1_correlation(confusion, classes) if kind == "f1" else None
        found[f"{kind}_macro"] = _macro(list(of_class.values()), correlation)
        found |= {f"{kind}[{cells.classes[k]}]": metric for k, metric in of_class.items()}
    return found


def _macro(of_classes: list[Metric], correlation: Floats | None) -> Metric:
    """Mean over classes; precisions, and recalls, of classes have no event in common."""
    values = [metric.value for metric in of_classes]
    weights = [1.0 / len(values)] * len(values)
    intervals = [(metric.low, metric.high) for metric in of_classes]
    low, high = square_and_add(weights, values, intervals, correlation)
    events = sum(metric.events for metric in of_classes)
    return Metric(math.fsum(values) / len(values), max(0.0, low), min(1.0, high), events)


def _f1_correlation(confusion: Ints, classes: list[int]) -> Floats:
    """Correlation of the F1 of these classes, by the delta method (Takahashi et al. 2022).

    An error spoils the F1 of two classes.
    """
    slopes = np.zeros((len(classes), *confusion.shape))
    for slope, k in zip(slopes, classes):
        both = float(confusion[k].sum() + confusion[:, k].sum())
        falls = 2.0 * float(confusion[k, k]) / (both * both)
        slope[k, :] -= falls
        slope[:, k] -= falls
        slope[k, k] += 2.0 / both
    covariance = np.einsum("iab,jab,ab->ij", slopes, slopes, confusion.astype(np.float64))
    spread = np.sqrt(covariance.diagonal())
    varies = np.outer(spread, spread)
    correlation = np.eye(len(classes))
    np.divide(covariance, varies, out=correlation, where=varies > 0.0)
    return correlation


def _score(
    cells: OutcomeCells, counts: Ints, edges: Floats | None, phi: float
) -> dict[str, Metric]:
    calibration = cells.calibration(counts)
    events = int(calibration.sum())
    found: dict[str, Metric] = {}
    if not events:
        return found
    area = auc(calibration, phi) if cells.task == "binary" else None
    if area is not None:
        found["auc"] = Metric(area[0], *area[1], events)
    if not cells.probability:
        return found
    if edges is not None:
        error = calibration_error(calibration, edges)
        found["calibration_error"] = Metric(error, *NO_INTERVAL, events)
    if cells.task == "multiclass":  # the losses of all classes' probabilities take all of them
        return found
    _, brier, log_loss = (int(n) for n in counts[cells.sums_at :])
    sums = {
        "brier": (brier * SCORE_UNIT, squared_losses),
        "log_loss": (log_loss * LOG_LOSS_UNIT, log_losses),
    }
    for name, (total, losses) in sums.items():
        interval = NO_INTERVAL
        if edges is not None:
            at_points = losses(points_in_bins(edges))
            interval = loss_interval(total / events, at_points, calibration, phi)
        found[name] = Metric(total / events, *interval, events)
    return found


def _regression(cells: OutcomeCells, counts: Ints, phi: float) -> dict[str, Metric]:
    """Mean absolute and squared error and bias; an error that was clipped makes them lower bounds.

    Then no interval is given.
    """
    events, clipped = int(counts[0]), int(counts[1])
    over, under, squares, rest = (int(n) for n in counts[cells.sums_at :])
    if not events:
        return {}
    squared = (squares * SQUARES_PART + rest) / events
    mae, bias = (over + under) / events, (over - under) / events

    def scaled(mean: float, low: float, high: float) -> Metric:
        return Metric(mean * cells.unit, low * cells.unit, high * cells.unit, events)

    def interval(mean: float) -> Interval:
        if clipped:
            return NO_INTERVAL
        return mean_interval(mean, squared - mean * mean, events / phi)

    low, high = interval(mae)
    return {
        "mae": scaled(mae, low if math.isnan(low) else max(0.0, low), high),
        "rmse": scaled(math.sqrt(squared), *NO_INTERVAL),
        "bias": scaled(bias, *interval(bias)),
    }
