"""What the bins of a score and the truths in them tell: ranking, calibration, proper losses.

Rows of a table of calibration are the score's bins, `[below, between edges ..., above]` and then
missing and invalid, which hold no outcomes; columns are events whose class did not come and did.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.outcomes.intervals import Interval, mean_interval, wilson

__all__ = [
    "auc",
    "calibration_error",
    "log_losses",
    "loss_interval",
    "points_in_bins",
    "squared_losses",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Points and weights of Gauss and Legendre on [0, 1].
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_POINTS, _WEIGHTS = (_POINTS + 1.0) / 2.0, _WEIGHTS / 2.0
_TINY = float(np.finfo(np.float64).eps)


def auc(calibration: Ints, phi: float) -> tuple[float, Interval] | None:
    """Area under the ROC curve, and its interval; None without events of both classes.

    Pairs within a bin count one half: it differs from the rows' by at most half the share of such
    pairs. The variance is DeLong's (1988), which bins give exactly; the interval is Wilson's of as
    many events as have that variance, so it stays within 0 and 1. Where the variance is 0, as it
    is if every pair is in order, it is that of as many events as the rarer class has, the most
    cautious of all.

    Parameters
    ----------
    calibration : int64[score_bins, 2]
        Events by bin and whether their class came.
    phi : float
        Design effect.
    """
    negative, positive = calibration[:-2].T.astype(np.float64)
    n, m = float(negative.sum()), float(positive.sum())
    if not n or not m:
        return None
    # For each bin: the share of negatives under its positives, of positives over its negatives.
    under = (np.cumsum(negative) - negative / 2.0) / n
    over = (m - np.cumsum(positive) + positive / 2.0) / m
    area = float(positive @ under) / m
    of_positives = float(positive @ np.square(under - area)) / max(1.0, m - 1.0)
    of_negatives = float(negative @ np.square(over - area)) / max(1.0, n - 1.0)
    variance = of_positives / m + of_negatives / n
    spread = area * (1.0 - area)
    worth = spread / variance if variance > 0.0 and spread > 0.0 else min(n, m)
    return area, wilson(area, worth / phi)


def calibration_error(calibration: Ints, edges: Floats) -> float:
    """Expected calibration error: mean distance of the share that came from the score, by bins.

    The mean score of a bin is taken to be its middle, so the error is off by at most half the
    bins' mean width. Chance makes it larger than 0 for a calibrated score, by about .8 times the
    mean standard deviation of the shares (Naeini et al. 2015, with quantile bins).
    """
    events = calibration[:-2].sum(axis=1)
    low, high = _sides(edges)
    apart = calibration[:-2, 1] - events * (low + high) / 2.0
    return float(np.abs(apart).sum() / events.sum())


def squared_losses(p: Floats) -> tuple[Floats, Floats]:
    """Brier scores of events with these probabilities whose class did not come, and did."""
    return np.square(p), np.square(1.0 - p)


def log_losses(p: Floats) -> tuple[Floats, Floats]:
    """Log losses of events with these probabilities whose class did not come, and did."""
    p = np.clip(p, _TINY, 1.0 - _TINY)
    return -np.log1p(-p), -np.log(p)


def loss_interval(
    mean: float, losses: tuple[Floats, Floats], calibration: Ints, phi: float
) -> Interval:
    """Interval of a mean loss whose mean is known exactly, and its variance from the bins.

    Squares are not summed event by event: they are those of scores that are spread evenly within
    their bin.

    Parameters
    ----------
    mean : float
        Of the losses themselves.
    losses : two float64[score_bins - 2, 8]
        At `points_in_bins`, of events whose class did not come, and did.
    calibration : int64[score_bins, 2]
        Events by bin and whether their class came.
    phi : float
        Design effect.
    """
    events = calibration[:-2].astype(np.float64)
    n = float(events.sum())
    first = sum(float(events[:, c] @ (losses[c] @ _WEIGHTS)) for c in (0, 1)) / n
    second = sum(float(events[:, c] @ (np.square(losses[c]) @ _WEIGHTS)) for c in (0, 1)) / n
    low, high = mean_interval(mean, second - first * first, n / phi)
    return (low if math.isnan(low) else max(0.0, low)), high


def points_in_bins(edges: Floats) -> Floats:
    """Scores within each bin that stand for it, float64[score_bins - 2, 8]."""
    low, high = _sides(edges)
    return low[:, None] + (high - low)[:, None] * _POINTS


def _sides(edges: Floats) -> tuple[Floats, Floats]:
    """Least and greatest probability of each bin."""
    inside = np.clip(edges, 0.0, 1.0)
    return np.append(0.0, inside), np.append(inside, 1.0)
