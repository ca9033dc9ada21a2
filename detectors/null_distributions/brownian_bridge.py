"""Laws of the two distances between distribution functions: the Brownian bridge's.

Without change `(Q - P) / sqrt(1/N + 1/n)` is a Brownian bridge B, so Wasserstein-1 on ranks follows
the area under |B| and Kolmogorov and Smirnov's distance its maximum. With a variance that is itself
estimated from a few batches both are divided by `sqrt(chi2_d / d)`, as in a t test.

Area: Johnson and Killeen 1983 (Annals of Probability 11), as a table of the ratio to the tail of
N(0, 1/12), the area's own law where B has one sign; tests/oracles/bridge.py made it. Maximum:
Kolmogorov 1933. Relative error below 2e-6 for tails of .15 to 1e-8, 5e-4 for larger ones.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from detectors._jit import kernel
from detectors.null_distributions.special import _solve, chi2_tail, f_tail

__all__ = [
    "AREA",
    "AREA_MEAN",
    "MAXIMUM",
    "MAXIMUM_MEAN",
    "bridge_quantile",
    "bridge_tail",
    "norm_quantile",
    "norm_tail",
]

#: Which law.
AREA: Final = 1
MAXIMUM: Final = 2

#: Means of the area, sqrt(2 pi) / 8, and of the maximum, sqrt(pi / 2) log 2.
AREA_MEAN: Final = math.sqrt(2.0 * math.pi) / 8.0
MAXIMUM_MEAN: Final = math.sqrt(0.5 * math.pi) * math.log(2.0)

#: P(area > x) over P(|N(0, 1/12)| > x) at x = 0, .025, .05, ...
_STEP: Final = 0.025
_RATIO: Final = np.array(
    [
        1.000000000,
        1.074128339,
        1.159433423,
        1.257840748,
        1.370896469,
        1.489499936,
        1.585436777,
        1.637800605,
        1.647007821,
        1.624741433,
        1.583751585,
        1.533868673,
        1.481582827,
        1.430769940,
        1.383526984,
        1.340822840,
        1.302942383,
        1.269772084,
        1.240979031,
        1.216122470,
        1.194723466,
        1.176308243,
        1.160434254,
        1.146704431,
        1.134773137,
        1.124346443,
        1.115178778,
        1.107067568,
        1.099847059,
        1.093382164,
        1.087562808,
        1.082299035,
        1.077516934,
        1.073155338,
        1.069163222,
        1.065497659,
        1.062122230,
        1.059005801,
        1.056121557,
        1.053446257,
        1.050959636,
        1.048643932,
        1.046483505,
        1.044464521,
        1.042574701,
        1.040803104,
        1.039139952,
        1.037576477,
        1.036104799,
        1.034717813,
        1.033409100,
        1.032172845,
        1.031003772,
        1.029897079,
        1.028848394,
        1.027853721,
        1.026909407,
        1.026012105,
        1.025158743,
        1.024346497,
        1.023572769,
        1.022835159,
        1.022131462,
        1.021459636,
        1.020817762,
        1.020204144,
        1.019617109,
        1.019055181,
        1.018516891,
        1.018001087,
        1.017506577,
    ]
)
_LAST: Final = 1.7
#: Beyond the table the ratio is 1 + (a - b / x^2) / x^2, fitted to its end.
_FALL: Final = (0.05525, 0.005)
_ROOT_6: Final = math.sqrt(6.0)
#: Points over the law of the estimated variance, and how far they reach.
_POINTS: Final = 160


@kernel
def _area_tail(x: float) -> float:
    if x <= 0.0:
        return 1.0
    if x < _LAST:
        at = min(max(int(x / _STEP) - 1, 0), _RATIO.size - 4)
        t = x / _STEP - at  # Lagrange's cubic through four neighbours
        ratio = (
            -_RATIO[at] * (t - 1.0) * (t - 2.0) * (t - 3.0) / 6.0
            + _RATIO[at + 1] * t * (t - 2.0) * (t - 3.0) / 2.0
            - _RATIO[at + 2] * t * (t - 1.0) * (t - 3.0) / 2.0
            + _RATIO[at + 3] * t * (t - 1.0) * (t - 2.0) / 6.0
        )
    else:
        ratio = 1.0 + (_FALL[0] - _FALL[1] / (x * x)) / (x * x)
    return min(1.0, float(ratio) * math.erfc(x * _ROOT_6))


@kernel
def _maximum_tail(x: float) -> float:
    if x < 0.2:
        return 1.0  # to thirteen digits
    total = 0.0
    sign = 1.0
    for k in range(1, 101):
        term = math.exp(-2.0 * k * k * x * x)
        total += sign * term
        if term < 1e-17 * total:
            break
        sign = -sign
    return min(1.0, 2.0 * total)


@kernel
def bridge_tail(law: int, x: float, df: float) -> float:
    """P(T > x sqrt(chi2_df / df)) for T the area or the maximum of |B|; df may be infinite."""
    if not df < 1e9:
        return _area_tail(x) if law == AREA else _maximum_tail(x)
    width = 1.0 / math.sqrt(2.0 * df)
    low = -(36.0 / df + 8.0 * width)
    step = (7.0 * width - low) / _POINTS
    total = 0.0
    weight = 0.0
    for i in range(_POINTS + 1):  # the trapezoid rule on log s is exact to all digits here
        t = low + step * i
        density = math.exp(df * (t - 0.5 * math.expm1(2.0 * t)))
        s = x * math.exp(t)
        total += density * (_area_tail(s) if law == AREA else _maximum_tail(s))
        weight += density
    return total / weight


@kernel
def norm_tail(x: float, dimension: float, df: float) -> float:
    """P(chi_dimension > x), divided by `sqrt(chi2_df / df)` if df is finite."""
    if not df < 1e9:
        return chi2_tail(x * x, dimension)
    return f_tail(x * x / dimension, dimension, df)


def bridge_quantile(law: int, tail: float, df: float) -> float:
    """The x whose `bridge_tail` this is."""
    return _solve(lambda x: bridge_tail(law, x, df), tail, 1.0)


def norm_quantile(tail: float, dimension: float, df: float) -> float:
    """The x whose `norm_tail` this is."""
    return _solve(lambda x: norm_tail(x, dimension, df), tail, math.sqrt(dimension))
