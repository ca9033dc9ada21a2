"""Tails of weighted sums of chi2 variables: the law of a distance of dependent counts.

A PSI between counts of a dependent stream follows `sum of w_j chi2_1` instead of a chi2, with
weights that are themselves estimated from a few batches. As in a t test, the estimate's own
uncertainty is a chi2 in the denominator: the statistic is compared with
`sum of w_j chi2_1 / (chi2_d / d)`. Saddlepoint approximation: Kuonen 1999 (Biometrika 86), and
Lumley's `pFsum` for the denominator; relative error about 1 % far out in the tail.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.null_distributions.special import normal_tail

__all__ = ["form_quantile", "weighted_chi2_tail"]


@kernel
def weighted_chi2_tail(x: float, weights: npt.NDArray[np.float64], df: float) -> float:
    """P(sum w_j chi2_1 > x chi2_df / df); weights are positive, df may be infinite.

    With a finite df this is the tail at 0 of a form with one negative weight, -x / df.
    """
    if x <= 0.0:
        return 1.0
    finite = df < 1e9
    negative = -x / df if finite else 0.0
    at = 0.0 if finite else x
    # The saddlepoint: where the slope of the cumulant function is `at`. It grows with s.
    high = 0.5 / weights.max()
    low = 0.5 / negative if finite else -0.5 * weights.size / x - 1.0
    s = 0.0
    for _ in range(200):
        slope = -at
        curvature = 0.0
        for w in weights:
            r = w / (1.0 - 2.0 * s * w)
            slope += r
            curvature += 2.0 * r * r
        if finite:
            r = negative / (1.0 - 2.0 * s * negative)
            slope += df * r
            curvature += 2.0 * df * r * r
        if slope > 0.0:
            high = s
        else:
            low = s
        step = s - slope / curvature
        if not low < step < high:
            step = 0.5 * (low + high)
        if abs(step - s) <= 1e-12 * (high - low) or step == s:
            s = step
            break
        s = step
    cumulant = 0.0
    curvature = 0.0
    for w in weights:
        rest = 1.0 - 2.0 * s * w
        cumulant -= 0.5 * math.log(rest)
        curvature += 2.0 * (w / rest) ** 2
    if finite:
        rest = 1.0 - 2.0 * s * negative
        cumulant -= 0.5 * df * math.log(rest)
        curvature += 2.0 * df * (negative / rest) ** 2
    squared = 2.0 * (s * at - cumulant)
    v = s * math.sqrt(curvature)
    if squared < 1e-8 or abs(v) < 1e-4:
        return 0.5  # near the mean, where the formula is 0 / 0 and nobody decides
    w0 = math.sqrt(squared) if s > 0.0 else -math.sqrt(squared)
    return normal_tail(w0 + math.log(v / w0) / w0)


@kernel
def form_quantile(tail: float, weights: npt.NDArray[np.float64], df: float) -> float:
    """The x with `weighted_chi2_tail(x, weights, df) = tail`, for a tail below one half."""
    low = float(weights.sum())
    high = 2.0 * low
    while weighted_chi2_tail(high, weights, df) > tail:
        low = high
        high *= 2.0
    while high - low > 1e-10 * high:
        middle = 0.5 * (low + high)
        if weighted_chi2_tail(middle, weights, df) > tail:
            low = middle
        else:
            high = middle
    return high
